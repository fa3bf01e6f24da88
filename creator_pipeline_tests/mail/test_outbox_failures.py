"""The outbox where a mail can't be sent: tried again, held up, given up, and each by one sender at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.core.windows import now
from creator_pipeline.mail import mailer, messages, outbox
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages
from creator_pipeline_tests.support.outbox import notice
from creator_pipeline_tests.support.sandbox import SandboxServer

Read = Callable[[str], dict[str, Any]]


def move(warehouse: Warehouse, key: str, **values: Any) -> None:
    with warehouse.write() as connection:
        connection.execute(update(email_messages).where(email_messages.c.id == key).values(**values))


def due_now(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        connection.execute(update(email_messages).values(next_attempt_at=now() - timedelta(seconds=1)))


def wait_of(row: dict[str, Any]) -> float:
    moment: datetime = row["next_attempt_at"]
    return (moment - now()).total_seconds()


def test_a_mail_that_waited_a_day_is_given_up_with_the_reason(
    warehouse: Warehouse, settings: Settings, unset: Settings, resend: ResendApi, message: Read
) -> None:
    """Last week's failures mailed when the key is set."""
    outbox.write(warehouse, unset, notice("old"), notice("young"))
    move(warehouse, "old", created_at=now() - timedelta(hours=24, minutes=1))
    move(warehouse, "young", created_at=now() - timedelta(hours=23, minutes=59))
    report = outbox.flush(warehouse, settings)
    assert (report.sent, report.failed) == (1, 1)
    assert message("old")["error"] == "Not sent within a day: RESEND_API_KEY and FROM_EMAIL are not set."
    assert [mail.idempotency_key for mail in resend.inbox] == ["young"]


def test_nothing_is_tried_again_after_23_hours(
    warehouse: Warehouse, settings: Settings, resend: ResendApi, message: Read
) -> None:
    """Resend has forgotten the key: the retry is a second mail."""
    outbox.write(warehouse, settings, notice("e/1"), notice("e/2"))
    for key, hours in (("e/1", 23.1), ("e/2", 22.9)):
        move(warehouse, key, attempts=1, error="HTTP 500", created_at=now() - timedelta(hours=hours))
    report = outbox.flush(warehouse, settings)
    assert (report.sent, report.failed) == (1, 1)
    assert message("e/1")["error"] == "Not accepted within 23 hours: HTTP 500"


def test_a_failure_is_retried_with_the_same_payload_after_what_resend_asks(
    warehouse: Warehouse, settings: Settings, server: SandboxServer, message: Read
) -> None:
    """A retry at once, or with another payload, which is refused for good."""
    outbox.write(warehouse, settings, notice("e/1"))
    server.faults.every(1, "rate_limit_exceeded", path="/emails", times=1)
    server.faults.retry_after = 40
    assert outbox.flush(warehouse, settings).retried == 1
    assert 38 < wait_of(message("e/1")) <= 40
    assert (message("e/1")["status"], message("e/1")["attempts"]) == ("queued", 1)
    assert outbox.flush(warehouse, settings) == outbox.FlushReport()
    due_now(warehouse)
    assert outbox.flush(warehouse, settings).sent == 1
    assert (message("e/1")["attempts"], message("e/1")["error"]) == (2, None)


@pytest.mark.parametrize("fault", ["truncated", "reset", "500", "garbage"])
def test_an_answer_that_is_lost_leads_to_one_mail(
    warehouse: Warehouse, settings: Settings, server: SandboxServer, resend: ResendApi, fault: str
) -> None:
    """The mail was taken and the answer cut off: asking again must not send again."""
    outbox.write(warehouse, settings, notice("e/1"))
    server.faults.every(1, fault, path="/emails", times=1)
    assert outbox.flush(warehouse, settings).retried == 1
    due_now(warehouse)
    assert outbox.flush(warehouse, settings).sent == 1
    assert len(resend.inbox) == 1


@pytest.mark.parametrize(
    ("fault", "problem", "wait"),
    [
        ("invalid_api_key", ConfigError, mailer.CONFIG_SECONDS),
        ("unverified_domain", ConfigError, mailer.CONFIG_SECONDS),
        ("daily_quota_exceeded", TransientError, mailer.QUOTA_SECONDS),
        ("monthly_quota_exceeded", TransientError, mailer.QUOTA_SECONDS),
    ],
)
def test_what_concerns_all_mail_stops_all_mail(
    warehouse: Warehouse,
    settings: Settings,
    server: SandboxServer,
    message: Read,
    fault: str,
    problem: type[Exception],
    wait: float,
) -> None:
    """A hundred requests with a refused key, or a quota asked for again every second."""
    outbox.write(warehouse, settings, notice("e/1"), notice("e/2"), notice("e/3"))
    server.faults.every(1, fault, path="/emails")
    report = outbox.flush(warehouse, settings)
    assert isinstance(report.problem, problem)
    assert server.faults.requests["/emails"] == 1
    for key in ("e/1", "e/2", "e/3"):
        assert wait - 5 < wait_of(message(key)) <= wait
        assert message(key)["status"] == "queued"
    server.faults.clear()
    due_now(warehouse)
    assert outbox.flush(warehouse, settings).sent == 3


def test_a_new_from_address_counts_for_what_its_former_one_stopped(
    warehouse: Warehouse, settings: Settings, server: SandboxServer, resend: ResendApi
) -> None:
    """A domain that is not verified is corrected, and the old mails go on stopping everything."""
    outbox.write(warehouse, settings, notice("e/1"), notice("e/2"))
    server.faults.every(1, "unverified_domain", path="/emails", times=1)
    assert isinstance(outbox.flush(warehouse, settings).problem, ConfigError)
    due_now(warehouse)
    solved = settings.model_copy(update={"from_email": "b@example.org"})
    assert outbox.flush(warehouse, solved).sent == 2
    assert {mail.payload["from"] for mail in resend.inbox} == {"b@example.org"}


def test_a_mail_that_is_refused_is_failed_and_the_others_go(
    warehouse: Warehouse, settings: Settings, server: SandboxServer, message: Read
) -> None:
    """One bad address blocks everybody's mail."""
    outbox.write(warehouse, settings, notice("e/1"), notice("e/2"))
    server.faults.every(1, "validation_error", path="/emails", times=1)
    report = outbox.flush(warehouse, settings)
    assert (report.sent, report.failed, report.problem) == (1, 1, None)
    failed = [key for key in ("e/1", "e/2") if message(key)["status"] == "failed"]
    assert "422 validation_error" in message(failed[0])["error"]
    due_now(warehouse)
    assert outbox.flush(warehouse, settings) == outbox.FlushReport()


def test_a_mail_in_one_senders_hands_is_not_handed_to_another(warehouse: Warehouse, settings: Settings) -> None:
    """Every sender works on the first mail, and the lease of none counts."""
    outbox.write(warehouse, settings, notice("e/1"), notice("e/2"))
    taken: list[str | None] = []
    for _ in range(3):
        with warehouse.write() as connection:
            claimed, _ = messages.claim(connection, "a@example.com", 60.0)
        taken.append(claimed.id if claimed else None)
    assert taken == ["e/1", "e/2", None]
    assert outbox.flush(warehouse, settings) == outbox.FlushReport()


def test_what_a_sender_finds_out_after_its_lease_undoes_nothing(
    warehouse: Warehouse, settings: Settings, message: Read
) -> None:
    """A slow sender marks as failed what another has sent."""
    outbox.write(warehouse, settings, notice("e/1"))
    with warehouse.write() as connection:
        slow, _ = messages.claim(connection, "a@example.com", -1.0)
    with warehouse.write() as connection:
        quick, _ = messages.claim(connection, "a@example.com", 60.0)
    assert slow is not None
    assert quick is not None
    with warehouse.write() as connection:
        messages.record(connection, slow, mailer.Verdict("failed", "late"))
    assert message("e/1")["status"] == "queued"
    with warehouse.write() as connection:
        messages.record(connection, slow, mailer.Verdict("sent", provider_id="p"))
        messages.record(connection, quick, mailer.Verdict("failed", "refused"))
    assert (message("e/1")["status"], message("e/1")["provider_id"]) == ("sent", "p")
