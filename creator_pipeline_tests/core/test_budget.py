"""A tick of a sensor ends in time, whatever it meets."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from creator_pipeline import settings
from creator_pipeline.core.budget import TICK_SECONDS, Budget
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.windows import now
from creator_pipeline.mail import outbox
from creator_pipeline.mail.mailer import TIMEOUT_SECONDS
from creator_pipeline.monitoring import health
from creator_pipeline.platforms.kdp.inbox import scan
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages

SPENT = Budget(0.0)


def test_a_budget_ends() -> None:
    """Incident: each mail waited ten seconds, twenty of them; Dagster ended the tick, and the next began the same."""
    seconds = [0.0]
    budget = Budget(5.0, lambda: seconds[0])
    assert not budget.spent
    seconds[0] = 5.0
    assert budget.spent
    # One slow answer on top, and the tick is still in its minute.
    assert TICK_SECONDS + TIMEOUT_SECONDS < 60


def test_no_mail_is_begun_when_the_time_is_over(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: the same, with a Resend that answers slowly."""
    monkeypatch.setenv("RESEND_API_KEY", "re_x")
    monkeypatch.setenv("FROM_EMAIL", "Pipeline <no-reply@example.com>")
    with sqlite_warehouse.write() as connection:
        connection.execute(
            insert(email_messages).values(
                id="m", kind="ingestion_failed", to="a@example.com", subject="s", payload="{}", status="queued",
                attempts=0, created_at=now(), next_attempt_at=now(),
            )
        )  # fmt: skip
    report = outbox.flush(sqlite_warehouse, settings.load(), budget=SPENT)
    assert (report.sent, report.failed) == (0, 0)


def test_no_batch_is_claimed_and_no_file_read_when_the_time_is_over(sqlite_warehouse: Warehouse, tmp_path) -> None:
    """Incident: jobs were claimed by a tick that Dagster had given up, and waited for their leases to end."""
    queue = JobQueue(sqlite_warehouse, None)
    queue.enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]})
    assert queue.claim_batches(lease_seconds=60, budget=SPENT) == []
    assert len(queue.claim_batches(lease_seconds=60, budget=Budget())) == 1
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "report.csv").write_text("a,b\n", encoding="utf-8")
    for budget, ready in ((SPENT, 0), (SPENT, 0), (Budget(), 1)):
        assert len(scan(sqlite_warehouse, str(tmp_path), most=5, budget=budget).ready) == ready


def test_what_was_not_looked_at_stays_as_it_is(sqlite_warehouse: Warehouse) -> None:
    """Incident: guards a problem that is called solved because nobody had the time to look."""
    check = Check("queue/", lambda: [Finding("queue/x", "no", "It waits.")])
    assert health.run([check], sqlite_warehouse, settings.load()).open == 1
    changes = health.run([Check("queue/", list[Finding])], sqlite_warehouse, settings.load(), SPENT)
    assert (changes.open, changes.solved) == (1, [])
