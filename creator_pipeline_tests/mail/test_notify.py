"""Who is told what of the pipeline's events, and how often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from creator_pipeline.core.windows import now
from creator_pipeline.mail import notify as notices
from creator_pipeline.mail.owner_words import Trigger, wants_success
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages
from creator_pipeline_tests.support.sources import GUMROAD, KDP, WHOP

Told = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def _configured(settings: Settings) -> None:
    """Every test here has settings that could send."""


@pytest.fixture
def succeed(warehouse: Warehouse, settings: Settings) -> Told:
    """A run of alice's that came to its end."""

    def tell(event_id: str, **more: Any) -> list[str]:
        given: dict[str, Any] = {"source": GUMROAD, "trigger": "schedule", "events_count": 3, **more}
        return notices.notify_success(warehouse, settings, profile_id="alice", event_id=event_id, **given)

    return tell


@pytest.fixture
def fail(warehouse: Warehouse, settings: Settings) -> Told:
    """A run of alice's that failed."""

    def tell(event_id: str, **more: Any) -> list[str]:
        given: dict[str, Any] = {"source": GUMROAD, "trigger": "request", "error_message": "HTTP 500", **more}
        return notices.notify_failure(warehouse, settings, profile_id="alice", event_id=event_id, **given)

    return tell


def wish(warehouse: Warehouse, notify: str) -> None:
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.net", notify=notify)


def mails(warehouse: Warehouse) -> list[tuple[str, str]]:
    """Kind and reader of everything in the outbox, in order."""
    table = email_messages
    with warehouse.read() as connection:
        rows = connection.execute(select(table.c.kind, table.c.to).order_by(table.c.created_at)).all()
    return [(row.kind, row.to.split("@")[0]) for row in rows]


def age(warehouse: Warehouse, **span: float) -> None:
    """Let all mails be older."""
    table = email_messages
    with warehouse.write() as connection:
        for row in connection.execute(select(table.c.id, table.c.created_at)).all():
            moved = row.created_at - timedelta(**span)
            connection.execute(update(table).where(table.c.id == row.id).values(created_at=moved))


POLICY: list[tuple[str, Trigger, bool, bool]] = [
    ("every", "request", True, True),
    ("every", "schedule", True, False),
    ("every", "operator", True, False),
    ("every", "webhook", False, False),
    ("every", "backfill", False, False),
    ("failures", "request", True, True),
    ("failures", "schedule", False, False),
    ("failures", "operator", False, False),
    ("failures", "webhook", False, False),
    ("failures", "backfill", False, False),
    ("none", "request", False, False),
    ("none", "schedule", False, False),
    ("none", "backfill", False, False),
]


@pytest.mark.parametrize(("notify", "trigger", "success", "failure"), POLICY)
def test_the_owner_is_told_what_was_asked_for(
    warehouse: Warehouse, succeed: Told, fail: Told, notify: str, trigger: Trigger, success: bool, failure: bool
) -> None:
    """Incident: 86 mails to twelve sellers in a week, about processes of ours that were tried again."""
    wish(warehouse, notify)
    assert wants_success(notify, trigger) == success
    assert len(succeed("run-1", trigger=trigger)) == success
    assert len(fail("run-2", trigger=trigger, error_code="transient")) == failure
    expected = [("ingestion_completed", "alice")] * success + [("ingestion_failed", "alice")] * failure
    assert mails(warehouse) == expected


OURS: list[tuple[Trigger, dict[str, Any], bool]] = [
    ("schedule", {"error_code": "auth"}, True),
    ("webhook", {"error_code": "other_account"}, True),
    ("request", {"unit": "upload-1", "error_code": "data"}, True),
    ("schedule", {"unit": "upload-1"}, True),
    ("request", {}, True),
    ("request", {"error_code": "config"}, False),
    ("request", {"killed": True}, False),
    ("request", {"will_retry": True}, False),
    ("schedule", {"error_code": "data"}, False),
    ("backfill", {"error_code": "auth"}, False),
]


@pytest.mark.parametrize(("trigger", "more", "told"), OURS)
def test_the_owner_is_told_of_what_they_can_mend_or_wait_for(
    warehouse: Warehouse, fail: Told, trigger: Trigger, more: dict[str, Any], told: bool
) -> None:
    """Incident: a seller read of a killed process, and of a variable that somebody else has to set."""
    assert len(fail("run-1", trigger=trigger, **more)) == told


def test_one_event_is_one_mail_whoever_tells_and_in_whatever_words(
    warehouse: Warehouse, succeed: Told, fail: Told
) -> None:
    """The hook's words and the net's differ: two mails."""
    assert succeed("run-1") == succeed("run-1", events_count=9, partitions=["x"])
    first = fail("run-2", error_message="HTTP 500", error_code="transient")
    assert fail("run-2", error_message="Steps failed: gumroad__sales", partitions=["y"]) == first
    age(warehouse, days=2)
    assert fail("run-2") == first
    assert mails(warehouse) == [("ingestion_completed", "alice"), ("ingestion_failed", "alice")]


def test_tellers_at_the_same_instant_are_one_mail(warehouse: Warehouse, fail: Told) -> None:
    """Fifty partitions fail at once: fifty mails."""
    barrier = threading.Barrier(6)

    def tell(n: int) -> None:
        barrier.wait()
        fail(f"run-{n % 3}", error_code="transient")

    threads = [threading.Thread(target=tell, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mails(warehouse) == [("ingestion_failed", "alice")]


def test_a_failure_that_will_be_retried_says_nothing(warehouse: Warehouse, fail: Told) -> None:
    """Three mails for a failure that solved itself."""
    assert fail("run-1", will_retry=True) == []
    assert mails(warehouse) == []


def test_the_same_failure_is_told_daily_and_another_at_once(warehouse: Warehouse, fail: Told) -> None:
    """A broken token mails every ten minutes; or hides another fault for a day."""
    assert len(fail("run-1", error_code="transient")) == 1
    assert fail("run-2", error_code="transient") == []
    assert len(fail("run-3", error_code="data")) == 1
    assert len(fail("run-4", source=KDP, error_code="transient")) == 1
    assert len(fail("run-5", source=KDP, unit="upload-2", error_code="transient")) == 1
    age(warehouse, hours=23.9)
    assert len(fail("run-6", error_code="transient")) == 1


def test_the_second_failure_of_a_day_is_told_when_the_first_one_is_over(
    warehouse: Warehouse, succeed: Told, fail: Told
) -> None:
    """Incident: it failed, was mended and failed again within twenty hours, and nobody heard of the second time."""
    for _ in range(2):
        assert len(fail(f"run-{len(mails(warehouse))}", error_code="auth")) == 1
        assert fail("again", error_code="auth") == []
        assert len(succeed(f"run-{len(mails(warehouse))}")) == 1
    kinds = [kind for kind, _ in mails(warehouse)]
    assert kinds == ["ingestion_failed", "ingestion_recovered"] * 2


def test_a_recovery_is_told_once_and_only_of_a_failure_that_was_told(
    warehouse: Warehouse, succeed: Told, fail: Told
) -> None:
    """'It works again' every night; or to who never heard that it didn't."""
    wish(warehouse, "failures")
    assert succeed("run-0") == []
    fail("run-1")
    age(warehouse, days=1)
    fail("run-2")
    assert succeed("run-3", source=WHOP) == []
    assert succeed("run-3", unit="other") == []
    told = succeed("run-4")
    assert len(told) == 1
    assert succeed("run-4") == told
    assert succeed("run-5") == []
    fail("run-6", error_code="data")
    assert len(succeed("run-7", trigger="webhook")) == 1
    kinds = [kind for kind, to in mails(warehouse) if to == "alice"]
    assert kinds == [
        "ingestion_failed",
        "ingestion_failed",
        "ingestion_recovered",
        "ingestion_failed",
        "ingestion_recovered",
    ]


def test_who_wants_every_success_gets_the_recovery_in_its_place(
    warehouse: Warehouse, settings: Settings, succeed: Told, fail: Told
) -> None:
    """Two mails for one good run."""
    fail("run-1")
    told = succeed("run-2")
    assert succeed("run-2") == told
    succeed("run-3")
    kinds = [kind for kind, to in mails(warehouse) if to == "alice"]
    assert kinds == ["ingestion_failed", "ingestion_recovered", "ingestion_completed"]


def test_the_failed_mail_says_what_and_what_next_in_the_owner_s_words(
    warehouse: Warehouse, fail: Told, message: Callable[[str], dict[str, Any]]
) -> None:
    """Incident: 'the ingestion failed', of 2026-11-05|alice, and a hint for somebody with a shell."""
    keys = [f"2026-11-{day:02}|alice" for day in range(1, 9)]
    [days] = fail("run-1", partitions=keys)
    assert message(days)["subject"] == "Gumroad: your sales of 2026-11-01 to 2026-11-08 could not be read"
    [span] = fail("run-2", partitions=["2026-11-01|alice to 2026-11-03|alice"], error_code="auth")
    assert message(span)["subject"] == "Gumroad: your sales of 2026-11-01 to 2026-11-03 could not be read"
    assert "press Connect again beside Gumroad" in message(span)["payload"]["text"]
    assert "Open your page</a>" in message(span)["payload"]["html"]
    [file] = fail("run-3", source=KDP, unit="upload-1", partitions=["may.xlsx"])
    assert message(file)["subject"] == "Amazon KDP: may.xlsx could not be read"
    [own] = fail("run-4", source=KDP, unit="upload-2", partitions=["june.xlsx"], next_step="Upload it again.")
    assert "Next step: Upload it again." in message(own)["payload"]["text"]


def test_a_refused_token_is_one_mail_and_not_the_run_s_failure_too(
    warehouse: Warehouse, settings: Settings, ring: Any, fail: Told
) -> None:
    """Incident: 'please connect it again', and a minute later 'the ingestion failed', for one token."""
    with warehouse.write() as connection:
        profiles.connect(connection, ring, "gumroad", "alice", "token")
        profiles.mark_revoked(connection, "gumroad", "alice", "HTTP 401")
    assert fail("run-1", error_code="auth") == []


@pytest.mark.parametrize(
    ("notify", "failed", "kinds"),
    [
        ("every", 0, ["backfill_finished"]),
        ("every", 2, ["backfill_failed"]),
        ("failures", 0, []),
        ("failures", 2, ["backfill_failed"]),
        ("none", 2, []),
    ],
)
def test_a_backfill_is_one_digest(
    warehouse: Warehouse, settings: Settings, notify: str, failed: int, kinds: list[str]
) -> None:
    """A thousand partitions, a thousand mails."""
    wish(warehouse, notify)
    for _ in range(2):
        told = notices.notify_backfill(
            warehouse, settings, profile_id="alice", backfill_id="b1", source=GUMROAD, partitions=90, failed=failed
        )
    assert len(told) == len(kinds)
    assert [kind for kind, _ in mails(warehouse)] == kinds


def test_a_revoked_connection_is_told_once_until_it_worked_again(
    warehouse: Warehouse, settings: Settings, ring: Any, message: Callable[[str], dict[str, Any]]
) -> None:
    """A mail each night for one revoked token; or silence at the second time."""
    with warehouse.write() as connection:
        profiles.connect(connection, ring, "gumroad", "alice", "token")

    def tell() -> list[str]:
        url = "https://pipeline.example.com/oauth/gumroad/start?profile_id=alice"
        return notices.notify_revoked(
            warehouse, settings, profile_id="alice", source=GUMROAD, reason="HTTP 401", reconnect_url=url
        )

    first = tell()
    assert tell() == first
    assert "Connect Gumroad again" in message(first[0])["payload"]["html"]
    with warehouse.write() as connection:
        profiles.mark_synced(connection, "gumroad", "alice", now())
    assert tell() != first
    assert len(mails(warehouse)) == 2


def test_an_unknown_profile_is_no_error(warehouse: Warehouse, settings: Settings) -> None:
    """A hook that fails a run because its profile was removed meanwhile."""
    settings = settings.model_copy(update={"ops_email": None})
    told = notices.notify_failure(
        warehouse,
        settings,
        profile_id="gone",
        event_id="run-1",
        source=GUMROAD,
        trigger="schedule",
        error_message="x",
    )
    assert told == []
    assert mails(warehouse) == []
