"""Queue, mail, connections, inbox, pings and new names: each is named with its hint and told once, and once solved."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from creator_pipeline.core.windows import now
from creator_pipeline.platforms.gumroad import PLATFORM as GUMROAD
from creator_pipeline.platforms.gumroad import subscriptions
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.store import health_reports, profiles
from creator_pipeline.store.tables import email_messages, email_suppressions, ingestion_jobs
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.health import PUBLIC, Case, Watched, told_once_and_solved_once

SECRET = "ping-secret-of-the-tests"


def alter_jobs(w: Watched, **values: object) -> None:
    with w.warehouse.write() as connection:
        connection.execute(update(ingestion_jobs).values(**values))


def stuck(w: Watched) -> None:
    job_queue(w.warehouse).enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]})
    alter_jobs(w, visible_at=now() - timedelta(minutes=30))


def died(w: Watched) -> None:
    queue = job_queue(w.warehouse)
    queue.enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]}, job_id="job-of-alice")
    [lease] = queue.dequeue(1, 60)
    queue.fail(lease.id, lease.attempt, "Gumroad refuses the request.", None)


def backfill_failed(w: Watched) -> None:
    with w.warehouse.write() as connection:
        connection.execute(
            insert(ingestion_jobs).values(
                id="b", profile_id="alice", source="gumroad", kind="backfill", status="failed", attempts=1,
                payload='{"from": "2026-01-01", "to": "2026-02-01"}', visible_at=now(), created_at=now(),
                finished_at=now(), error="refused",
            )
        )  # fmt: skip


def bounced(w: Watched) -> None:
    with w.warehouse.write() as connection:
        for number, status in enumerate(["bounced"] * 2 + ["delivered"] * 8):
            add_mail(connection, f"m{number}", status)


def add_mail(connection: Any, key: str, status: str, minutes_ago: int = 0) -> None:
    at = now() - timedelta(minutes=minutes_ago)
    connection.execute(
        insert(email_messages).values(
            id=key, kind="ingestion_failed", to="a@example.com", subject="s", payload="{}", status=status, attempts=0,
            created_at=at, next_attempt_at=at,
        )
    )  # fmt: skip


def unbounced(w: Watched) -> None:
    with w.warehouse.write() as connection:
        connection.execute(update(email_messages).where(email_messages.c.kind != "ops_failure").values(status="sent"))


def waiting_mail(w: Watched) -> None:
    os.environ["RESEND_API_KEY"], os.environ["FROM_EMAIL"] = "re_x", "Pipeline <no-reply@example.com>"
    with w.warehouse.write() as connection:
        add_mail(connection, "late", "queued", minutes_ago=45)


def suppressed(w: Watched) -> None:
    address = w.server.world.gumroad["alice"].email
    with w.warehouse.write() as connection:
        row = {"email": address.lower(), "category": "*", "reason": "complained", "created_at": now()}
        connection.execute(insert(email_suppressions).values(row))


def other_address(w: Watched) -> None:
    with w.warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice.new@example.com")


def revoked(w: Watched, provider: str = "gumroad") -> None:
    with w.warehouse.write() as connection:
        profiles.connect(connection, w.ring, provider, "alice", "a-token")
        profiles.mark_revoked(connection, provider, "alice", "It refuses the token.")


def reconnected(w: Watched, provider: str = "gumroad") -> None:
    with w.warehouse.write() as connection:
        profiles.connect(connection, w.ring, provider, "alice", "another-token")


def report(w: Watched, folder: str) -> Path:
    (w.inbox / folder).mkdir(exist_ok=True)
    path = w.inbox / folder / "report.csv"
    path.write_text("a,b\n", encoding="utf-8")
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    return path


def new_name(w: Watched) -> None:
    with w.warehouse.write() as connection:
        health_reports.opened(
            connection, "schema/gumroad/sale field/tip_jar", "gumroad has a new sale field.", "Update it."
        )


def known_name(w: Watched) -> None:
    """Another release."""
    w.monkeypatch.setitem(GUMROAD.known_names, "sale field", {"tip_jar"})


CASES: dict[str, Case] = {
    "queue/gumroad": (stuck, lambda w: alter_jobs(w, status="completed"), "webhook_jobs on"),
    "dead/gumroad/alice/job": (died, lambda w: alter_jobs(w, status="queued", visible_at=now()), "replay job-of-alice"),
    "dead/gumroad/alice/backfill": (
        backfill_failed,
        lambda w: alter_jobs(w, status="completed"),
        "backfill gumroad --profile alice --from 2026-01-01 --to 2026-01-31",
    ),
    "mail/rates": (bounced, unbounced, "profiles list"),
    "mail/outbox": (waiting_mail, unbounced, "email_outbox"),
    "mail/address/alice": (suppressed, other_address, "profiles add alice --email"),
    "connection/gumroad/alice": (revoked, reconnected, "profiles connect alice"),
    "inbox/stray/nobody": (
        lambda w: report(w, "nobody"),
        lambda w: (w.inbox / "nobody" / "report.csv").unlink(),
        "profiles add nobody",
    ),
    "inbox/late/alice": (
        lambda w: report(w, "alice"),
        lambda w: (w.inbox / "alice" / "report.csv").unlink(),
        "kdp_inbox on",
    ),
    "connection/whop/alice": (
        lambda w: revoked(w, "whop"),
        lambda w: reconnected(w, "whop"),
        "profiles add alice --whop-key",
    ),
    "schema/gumroad/sale field/tip_jar": (new_name, known_name, "Update it."),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_thing_that_breaks_is_named_with_its_hint_and_told_once(
    watched: Watched, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a queue that had stood still for a day; nobody looks at a page that is always green."""
    for variable in ("RESEND_API_KEY", "FROM_EMAIL"):
        monkeypatch.setenv(variable, "")
    told_once_and_solved_once(watched, name, CASES[name])


def test_a_problem_that_comes_back_is_told_again(watched: Watched) -> None:
    """Incident: the second failure of a sensor was taken for the first, which somebody had solved."""
    for _ in range(2):
        revoked(watched)
        watched.tick()
        reconnected(watched)
        watched.tick()
    assert len(watched.mails()) == 4


def test_a_source_that_is_switched_off_waits_on_purpose(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a platform switched off for its maintenance made an alarm each minute."""
    monkeypatch.setenv("ENABLE_GUMROAD", "false")
    stuck(watched)
    assert watched.tick() == "All is well."


def test_jobs_of_a_run_that_waits_for_its_turn_are_not_stuck(watched: Watched) -> None:
    """Incident: every initial sync of an hour made an alarm, and nobody read the next one."""
    stuck(watched)
    alter_jobs(watched, status="running", visible_at=now() + timedelta(minutes=2))
    assert watched.tick() == "All is well."


def test_missing_pings_are_found_by_looking_at_one_profile_a_tick(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a seller withdrew the app and allowed it again; the pings were gone, and sales came a day late."""
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", SECRET)
    for name in small.SIZES:
        register(watched, name)
    watched.server.world.gumroad["bea"].subscriptions.pop()
    said = [watched.tick() for _ in range(4)]
    assert said[0] == "All is well."
    assert set(watched.open()) == {"pings/bea"}
    assert "subscription_restarted" in watched.open()["pings/bea"]["text"]
    asked = watched.server.faults.requests.total()
    watched.tick()
    assert watched.server.faults.requests.total() == asked
    register(watched, "bea")
    watched.cursor = None
    for _ in range(3):
        watched.tick()
    assert watched.open() == {}
    assert len(watched.mails()) == 2


def register(w: Watched, name: str) -> None:
    with GumroadClient(w.server.gumroad_url, w.server.world.gumroad[name].token, LocalPace(1e9)) as client:
        subscriptions.register(client, PUBLIC, SECRET, name)


def test_an_outage_of_the_platform_says_nothing_about_pings(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a bad gateway at Gumroad was told as pings that nobody had ever removed."""
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", SECRET)
    watched.server.faults.every(1, "502", path="/v2/resource_subscriptions")
    for _ in small.SIZES:
        assert watched.tick() == "All is well."


def test_pings_of_a_profile_that_is_gone_are_no_problem(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: an alarm about a seller who had left a month before."""
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", SECRET)
    watched.tick()
    assert set(watched.open()) == {"pings/alice"}
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", "")
    assert watched.tick() == "All is well."
