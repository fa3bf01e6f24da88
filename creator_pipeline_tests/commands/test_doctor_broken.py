"""What the doctor watches, broken one at a time: a line says no, with the hint, and the exit code is 1."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from creator_pipeline.core.secrets import new_key
from creator_pipeline.core.windows import now
from creator_pipeline.store.tables import health_reports
from creator_pipeline_tests.support.doctor import Healthz, Installation

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
        "profiles webhooks alice --register",
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
    "dagster storage": (set_to("DAGSTER_HOME", "/dev/null/x"), "dagster storage", "May the user that runs this"),
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
