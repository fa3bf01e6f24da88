"""What the doctor says of an installation in order, and of what is switched off, not there or can't be seen."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from creator_pipeline.cli import cli
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.monitoring.run_checks import run
from creator_pipeline.sandbox.resend import KEY
from creator_pipeline_tests.support.doctor import SECRETS, Installation


def test_an_installation_in_order_is_all_well_and_no_secret_is_shown(installation: Installation) -> None:
    """Incident: a doctor that cries over a good installation; and one whose output went into a ticket with the keys."""
    code, lines = installation.doctor()
    assert {name: line for name, line in lines.items() if line["state"] == "no"} == {}
    assert code == 0
    for name in (
        "gumroad alice api",
        "gumroad chen webhooks",
        "whop alice scopes",
        "resend domain",
        "gateway",
        "redis",
    ):
        assert lines[name]["state"] == "ok", lines[name]
    assert "gumroad_nightly" in lines["schedules"]["detail"]
    assert {f"table {table}" for table in ("profiles", "sales_events", "health_reports")} <= lines.keys()
    said = json.dumps(lines) + CliRunner().invoke(cli, ["doctor"]).output
    tokens = [seller.token for seller in installation.server.world.gumroad.values()]
    keys = [account.key for account in installation.server.world.whop.values()]
    for secret in [*SECRETS.values(), *tokens, *keys, KEY]:
        assert secret not in said


def test_what_is_switched_off_or_cannot_be_seen_is_no_failure(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a monitor that is red on every laptop is switched off, and then on the server too."""
    for flag in ("GUMROAD", "WHOP", "KDP", "EMAIL"):
        monkeypatch.setenv(f"ENABLE_{flag}", "false")
    monkeypatch.setenv("REDIS_URL", "")
    code, lines = installation.doctor()
    assert code == 0
    assert {lines[name]["state"] for name in ("gumroad", "whop", "kdp inbox", "resend", "redis")} == {"off"}
    assert lines["flag ENABLE_GUMROAD"] == {
        "name": "flag ENABLE_GUMROAD",
        "state": "off",
        "detail": "Switched off; what arrives meanwhile is kept.",
        "hint": "ENABLE_GUMROAD=true",
    }


def test_a_key_that_may_only_send_is_unknown_and_not_broken(installation: Installation) -> None:
    """Incident: the safest kind of key was called broken, and replaced by one that may do everything."""
    installation.server.faults.every(1, "restricted_api_key", path="/domains")
    code, lines = installation.doctor()
    assert (code, lines["resend domain"]["state"]) == (0, "unknown")


def test_whop_webhooks_that_the_key_may_not_see_are_unknown(installation: Installation) -> None:
    """Incident: a key without developer:manage_webhook was called broken; it reads everything it must."""
    _, lines = installation.doctor()
    assert lines["whop alice webhook"]["state"] == "unknown"
    assert "developer:manage_webhook" in lines["whop alice webhook"]["detail"]


def test_nothing_at_all_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a newcomer's first command was red from top to bottom; and it made a database by looking."""
    monkeypatch.delenv("APP_SECRET_KEYS")
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0, result.output
    assert " 0 no," in result.output
    assert not (tmp_path / "home" / "warehouse.sqlite").exists()
    assert not (tmp_path / "home" / "app_secret_keys").exists()


def test_a_check_that_hangs_or_breaks_hides_no_other() -> None:
    """Incident: one platform's outage, and the doctor said nothing for two minutes."""
    never = threading.Event()

    def hang() -> Iterator[Finding]:
        never.wait(30)
        yield Finding("hangs", "ok")

    def broken() -> Iterator[Finding]:
        yield Finding("first half", "ok")
        raise ZeroDivisionError("token=abcdef")

    def fine() -> Iterator[Finding]:
        yield Finding("fine", "ok")

    began = time.monotonic()
    found = run([Check("hangs", hang), Check("breaks", broken), Check("fine", fine)], None, seconds=1.0)
    never.set()
    assert time.monotonic() - began < 25
    assert [(one.name, one.state) for one in found] == [
        ("hangs", "no"),
        ("first half", "ok"),
        ("breaks", "no"),
        ("fine", "ok"),
    ]
    assert "abcdef" not in str(found)
