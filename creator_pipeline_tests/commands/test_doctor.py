"""What the doctor watches, broken one at a time: a line says no, with the hint, and the exit code is 1."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, text

from creator_pipeline.cli import cli
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import now
from creator_pipeline.monitoring.run_checks import run
from creator_pipeline.platforms.gumroad import subscriptions
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import health_reports
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.sandbox import SandboxServer

SECRETS = {
    "GUMROAD_WEBHOOK_SECRET": "ping-secret-of-the-tests",
    "WHOP_WEBHOOK_SECRET": "ws_secret_of_the_tests",
    "RESEND_API_KEY": "re_sandbox_key_of_the_tests",
    "RESEND_WEBHOOK_SECRET": "whsec_c2VjcmV0b2Z0aGV0ZXN0cw==",
    "SUPABASE_HOOK_SECRET": "v1,whsec_c2VjcmV0b2Z0aGV0ZXN0cw==",
}


class Healthz(BaseHTTPRequestHandler):
    """Any path answers as a gateway; the clock may be wrong."""

    ahead = timedelta()

    def do_GET(self) -> None:
        content = b'{"success": true, "data": [], "user": {}, "sales": [], "resource_subscriptions": []}'
        self.send_response_only(200)
        self.send_header("Date", format_datetime(datetime.now(UTC) + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """Something that answers at PUBLIC_URL."""
    with HTTPServer(("127.0.0.1", 0), Healthz) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@dataclass
class Installation:
    """An installation with everything connected, and what the doctor says of it."""

    warehouse: Warehouse
    server: SandboxServer
    monkeypatch: pytest.MonkeyPatch
    home: Path
    ring: KeyRing

    def doctor(self) -> tuple[int, dict[str, dict[str, str]]]:
        """Exit code and lines by name, of the command."""
        result = CliRunner().invoke(cli, ["doctor", "--json"], standalone_mode=False)
        assert result.exception is None, result.output
        return int(result.return_value or 0), {line["name"]: line for line in json.loads(result.stdout)}

    def sql(self, statement: str) -> None:
        with self.warehouse.write() as connection:
            connection.execute(text(statement))


@pytest.fixture
def installation(
    sqlite_warehouse: Warehouse, ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: str
) -> Iterator[Installation]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    (home / "kdp_inbox" / "alice").mkdir(parents=True)
    monkeypatch.setenv("PUBLIC_URL", gateway)
    monkeypatch.setenv("FROM_EMAIL", "Pipeline <no-reply@example.com>")
    monkeypatch.setenv("REDIS_URL", servers.shared_redis().url)
    with small.small_sandbox() as server:
        monkeypatch.setenv("GUMROAD_API_URL", server.gumroad_url)
        monkeypatch.setenv("WHOP_API_URL", server.whop_url)
        monkeypatch.setenv("RESEND_API_URL", server.resend_url)
        monkeypatch.setenv("RESEND_API_KEY", resend_key())
        small.connect_all(sqlite_warehouse, ring, server)
        account = next(iter(server.world.whop.values()))
        with sqlite_warehouse.write() as connection:
            profiles.connect(connection, ring, "whop", "alice", account.key, external_account_id=account.id)
        for name in small.SIZES:
            token = server.world.gumroad[name].token
            with GumroadClient(server.gumroad_url, token, LocalPace(1e9)) as client:
                subscriptions.register(client, gateway, SECRETS["GUMROAD_WEBHOOK_SECRET"], name)
        yield Installation(sqlite_warehouse, server, monkeypatch, home, ring)


def resend_key() -> str:
    from creator_pipeline.sandbox.resend import KEY

    return KEY


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
    for secret in [*SECRETS.values(), *tokens, *keys, resend_key()]:
        assert secret not in said


Break = Callable[[Installation], Any]


def set_to(name: str, value: str) -> Break:
    return lambda p: p.monkeypatch.setenv(name, value)


def without_the_extra(p: Installation) -> None:
    p.monkeypatch.setenv("SENTRY_DSN", "https://key@sentry.example/1")
    p.monkeypatch.setitem(sys.modules, "sentry_sdk", None)


def unreadable_key(p: Installation) -> None:
    p.monkeypatch.delenv("APP_SECRET_KEYS")
    path = p.home / "app_secret_keys"
    path.write_text(new_key(), encoding="utf-8")
    path.chmod(0o644)


def silent_daemon(p: Installation) -> None:
    from dagster._daemon.types import DaemonHeartbeat

    from creator_pipeline.runtime.context import instance

    with instance() as dagster:
        dagster.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 3600, "SENSOR", "id", None))


def report_a_problem(p: Installation) -> None:
    row = {"id": "queue/gumroad", "text": "3 jobs wait.", "hint": "Is it on?", "since": now(), "told_at": now()}
    with p.warehouse.write() as connection:
        connection.execute(insert(health_reports).values(row))


def stray(p: Installation) -> None:
    (p.home / "kdp_inbox" / "nobody").mkdir()
    (p.home / "kdp_inbox" / "nobody" / "r.csv").write_text("x", encoding="utf-8")


def no_permission(p: Installation) -> None:
    next(iter(p.server.world.whop.values())).permissions.discard("payment:dispute:read")


BROKEN: dict[str, tuple[Break, str, str]] = {
    "warehouse": (set_to("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x"), "warehouse", "DATABASE_URL"),
    "old revision": (
        lambda p: p.sql("UPDATE alembic_version SET version_num = '0001'"),
        "migrations",
        "creator-pipeline migrate",
    ),
    "newer revision": (
        lambda p: p.sql("UPDATE alembic_version SET version_num = '9999'"),
        "migrations",
        "Install the release",
    ),
    "lost table": (lambda p: p.sql("DROP TABLE platform_totals"), "table platform_totals", "restore a backup"),
    "lost column": (
        lambda p: p.sql("ALTER TABLE profiles DROP COLUMN plan_name"),
        "table profiles",
        "restore a backup",
    ),
    "bad key": (set_to("APP_SECRET_KEYS", "nonsense"), "secret keys", "keys new"),
    "other key": (set_to("APP_SECRET_KEYS", new_key()), "gumroad alice token", "Put the former key back"),
    "open key file": (unreadable_key, "secret keys", "chmod 600"),
    "redis": (set_to("REDIS_URL", "redis://127.0.0.1:1/0"), "redis", "Is it running"),
    "redis url": (set_to("REDIS_URL", "nonsense"), "redis", "rediss://"),
    "gumroad token": (
        lambda p: p.server.world.gumroad.revoke("alice"),
        "gumroad alice token",
        "Connect the account again",
    ),
    "gumroad scope": (
        lambda p: p.server.world.gumroad.drop_scope("alice", "view_sales"),
        "gumroad alice scopes",
        "view_sales",
    ),
    "gumroad away": (set_to("GUMROAD_API_URL", "http://127.0.0.1:1"), "gumroad alice api", "Check the network"),
    "gumroad pings": (
        lambda p: p.server.world.gumroad["alice"].subscriptions.pop(),
        "gumroad alice webhooks",
        "profiles connect alice",
    ),
    "gumroad app": (set_to("GUMROAD_CLIENT_ID", "an-id"), "gumroad app", "Settings, Advanced, Applications"),
    "whop key": (
        lambda p: setattr(next(iter(p.server.world.whop.values())), "revoked", True),
        "whop alice token",
        "Developer, API keys",
    ),
    "whop permission": (no_permission, "whop alice scopes", "Developer, API keys"),
    "whop secret": (set_to("WHOP_WEBHOOK_SECRET", "abc"), "whop webhooks", "Developer, Webhooks"),
    "resend key": (
        lambda p: p.server.faults.every(1, "invalid_api_key", path="/domains"),
        "resend",
        "API Keys",
    ),
    "resend domain": (set_to("FROM_EMAIL", "x@elsewhere.example"), "resend domain", "verify"),
    "no sender": (set_to("FROM_EMAIL", ""), "resend", "verified at Resend"),
    "resend secret": (set_to("RESEND_WEBHOOK_SECRET", "abc"), "resend webhooks", "Copy it whole"),
    "auth secret": (set_to("SUPABASE_HOOK_SECRET", "abc"), "auth hook", "Copy it whole"),
    "gateway": (set_to("PUBLIC_URL", "http://127.0.0.1:1"), "gateway", "creator-pipeline gateway"),
    "inbox": (stray, "kdp inbox", "add a profile or rename"),
    "daemon": (silent_daemon, "dagster daemons", "dagster-daemon run"),
    "dagster storage": (set_to("DAGSTER_HOME", "/dev/null/x"), "dagster storage", "Report it"),
    "sentry": (without_the_extra, "sentry", "[sentry]"),
    "health": (report_a_problem, "health queue/gumroad", "Is it on?"),
    "settings": (set_to("WHOP_REQUESTS_PER_MINUTE", "many"), "settings", ".env.example"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_each_thing_that_breaks_is_named_with_its_hint(installation: Installation, what: str) -> None:
    """Incident: "it doesn't work", and an afternoon of looking for which of twelve things it is."""
    break_it, name, hint = BROKEN[what]
    break_it(installation)
    code, lines = installation.doctor()
    assert lines[name]["state"] == "no", lines
    assert hint in lines[name]["hint"], lines[name]
    assert code == 1
    if what not in {"settings", "dagster storage"}:
        assert lines["settings"]["state"] == "ok"
        assert lines["disk"]["state"] == "ok"


def test_a_clock_that_is_wrong_is_told_with_its_difference(
    installation: Installation, gateway: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: every webhook was refused as too old, and everybody looked at the secret."""
    monkeypatch.setenv("GUMROAD_API_URL", gateway)
    monkeypatch.setattr(Healthz, "ahead", timedelta(minutes=10))
    _, lines = installation.doctor()
    assert lines["gumroad alice clock"]["state"] == "no"
    assert "behind" in lines["gumroad alice clock"]["detail"]
    assert "timedatectl" in lines["gumroad alice clock"]["hint"]


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
