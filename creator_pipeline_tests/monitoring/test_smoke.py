"""The list after a deployment: each line passes where it should, and fails where something is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, insert, update

from creator_pipeline import settings
from creator_pipeline.core.checks import Finding
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now, today
from creator_pipeline.monitoring import smoke
from creator_pipeline.monitoring.run_checks import run
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import daily_revenue, email_messages, ingestion_jobs, ledger_changes, webhook_events
from creator_pipeline_tests.support.gateway import WHOP_SECRET, Gateway
from creator_pipeline_tests.support.sandbox import SandboxServer


@pytest.fixture
def gateway(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A gateway on the warehouse, and settings that name it."""
    with Gateway(str(sqlite_warehouse.engine.url)) as running:
        monkeypatch.setenv("PUBLIC_URL", running.url)
        monkeypatch.setenv("WHOP_WEBHOOK_SECRET", WHOP_SECRET)
        yield running


def one(found: Iterator[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_a_roll_up_that_lost_money_fails_and_one_that_is_behind_does_not(sqlite_warehouse: Warehouse):
    """Guards: a deployment that is called broken for a minute's backlog, and one that is not called broken at all."""
    assert one(smoke.rolled_up(sqlite_warehouse)).state == "ok"
    key = {"occurred_on": today(), "profile_id": "alice", "platform": "gumroad"}
    with sqlite_warehouse.write() as connection:
        money = {"units": 1, "refunds": 0, "gross_micros": 5, "fee_micros": 0, "net_micros": 5}
        connection.execute(insert(daily_revenue).values(**key, currency="USD", **money))
        connection.execute(insert(ledger_changes).values(**key, change_id="x", changed_at=now()))
    assert one(smoke.rolled_up(sqlite_warehouse)).state == "unknown"
    with sqlite_warehouse.write() as connection:
        connection.execute(delete(ledger_changes))
    assert one(smoke.rolled_up(sqlite_warehouse)).state == "no"


def test_our_own_delivery_is_stored_once_and_with_another_secret_the_line_fails(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    """Guards: a gateway whose secret is another, which refuses every sale's delivery in silence."""
    assert one(smoke.delivery_arrives(settings.load())).state == "ok"
    (row,) = gateway.rows(webhook_events)
    assert (row["status"], row["repeats"], row["job_id"]) == ("ignored", 1, None)
    assert gateway.rows(ingestion_jobs) == []
    assert one(smoke.gateway_errors(settings.load())).state == "ok"
    assert one(smoke.ready(settings.load())).state == "ok"
    monkeypatch.setenv("WHOP_WEBHOOK_SECRET", "ws_another")
    found = one(smoke.delivery_arrives(settings.load()))
    assert (found.state, "401" in found.detail) == ("no", True)
    monkeypatch.delenv("WHOP_WEBHOOK_SECRET")
    assert one(smoke.delivery_arrives(settings.load())).state == "off"


def test_our_own_mail_is_sent_or_the_line_says_why_not(
    sqlite_warehouse: Warehouse, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    """Guards: a key of another account, found when the first customer resets a password."""
    assert one(smoke.mail_arrives(settings.load(), sqlite_warehouse)).state == "off"
    monkeypatch.setenv("RESEND_API_URL", sandbox.resend_url)
    monkeypatch.setenv("RESEND_API_KEY", "re_sandbox_key")
    monkeypatch.setenv("FROM_EMAIL", "pipeline@example.com")
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    assert one(smoke.mail_arrives(settings.load(), sqlite_warehouse)).state == "ok"
    assert [mail.payload["to"] for mail in sandbox.resend.inbox] == [["ops@example.com"]]
    monkeypatch.setenv("RESEND_API_KEY", "wrong")
    monkeypatch.setattr(smoke, "MAIL_SECONDS", 0.3)
    found = one(smoke.mail_arrives(settings.load(), sqlite_warehouse))
    assert found.state == "no"
    assert "403" in found.detail
    with sqlite_warehouse.write() as connection:
        connection.execute(update(email_messages).values(status="bounced"))
    assert [line.state for line in smoke.mails(settings.load(), sqlite_warehouse)] == ["no"]


def test_shares_of_failures_have_a_bound(sqlite_warehouse: Warehouse):
    """Guards: one failed job of a thousand as an alarm, and half of them as none."""
    row = {"profile_id": "alice", "source": "whop", "kind": "webhook", "payload": "{}", "attempts": 1}
    row |= {"visible_at": now(), "created_at": now()}
    with sqlite_warehouse.write() as connection:
        rows = [{**row, "id": f"j{n}", "status": "dead" if n == 0 else "completed"} for n in range(20)]
        connection.execute(insert(ingestion_jobs), rows)
    assert one(smoke.jobs(sqlite_warehouse)).state == "ok"
    with sqlite_warehouse.write() as connection:
        connection.execute(update(ingestion_jobs).where(ingestion_jobs.c.id == "j1").values(status="failed"))
    assert one(smoke.jobs(sqlite_warehouse)) == Finding(
        "errors: jobs",
        "no",
        "2 of 20 jobs of 24 h ended badly",
        "creator-pipeline webhooks replay --all, once the cause is fixed.",
    )


def test_an_account_that_is_not_loaded_is_no_failure_and_a_gateway_that_is_down_is(
    sqlite_warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
):
    """Guards: a first deployment that can never pass; a check that breaks and takes the list with it."""
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:9")
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, ring, "gumroad", "alice", sandbox.world.gumroad["alice"].token)
    config = settings.load()
    wanted = {"data: gumroad alice", "errors: gateway", "data: whop"}
    checks = [check for check in smoke.reading(config, sqlite_warehouse, lambda: None) if check.name in wanted]
    states = {line.name: line.state for line in run(checks, config)}
    assert states == {"data: gumroad alice": "off", "errors: gateway": "no", "data: whop": "ok"}
