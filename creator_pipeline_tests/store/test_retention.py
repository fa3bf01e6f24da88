"""What is over goes, what is due stays, and running again changes nothing."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import orjson
import pytest
from sqlalchemy import Table, func, insert, select

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import now
from creator_pipeline.definitions import defs
from creator_pipeline.mail import history
from creator_pipeline.mail.outbox import Mail
from creator_pipeline.mail.outbox import write as write_mail
from creator_pipeline.orchestration.retention import kept
from creator_pipeline.platforms import personal
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.settings import Settings
from creator_pipeline.store import retention
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.retention import Keep
from creator_pipeline.store.tables import (
    email_messages,
    gumroad_sales,
    health_reports,
    ingestion_jobs,
    metadata,
    sales_events,
    webhook_events,
)
from creator_pipeline_tests.support.filling import NOBODYS, fill

OLD = timedelta(days=1000)
KEEP = Keep(sign_in=("password_reset",))


def keys(warehouse: Warehouse, table: Table, column: str = "id") -> set[str]:
    """What is left of a table."""
    with warehouse.read() as connection:
        return set(connection.execute(select(table.c[column])).scalars())


def deliveries(warehouse: Warehouse, *rows: tuple[str, str, str, timedelta], **more: Any) -> None:
    """Deliveries: id, provider, status, age."""
    base = {"verified": True, "payload": "{}", "repeats": 0, **more}
    with warehouse.write() as connection:
        for name, provider, status, age in rows:
            told = {"delivery_id": name, "provider": provider, "status": status, "received_at": now() - age}
            connection.execute(insert(webhook_events).values(base | told))


def jobs(warehouse: Warehouse, *rows: tuple[str, str, str, timedelta]) -> None:
    """Jobs: id, kind, status, age."""
    base = {"profile_id": "alice", "source": "gumroad", "payload": "{}", "attempts": 1}
    with warehouse.write() as connection:
        for name, kind, status, age in rows:
            at = now() - age
            told = {"id": name, "kind": kind, "status": status, "visible_at": at, "created_at": at, "finished_at": at}
            connection.execute(insert(ingestion_jobs).values(base | told))


def age_all(warehouse: Warehouse, table: Table, column: str, moment: datetime) -> None:
    """Make every row as old."""
    with warehouse.write() as connection:
        connection.execute(table.update().values({column: moment}))


def test_deliveries_that_are_done_go_and_those_that_are_due_stay(warehouse: Warehouse) -> None:
    """Incident: a clean-up deleted what had been stored while a source was switched off."""
    jobs(warehouse, ("ended", "webhook", "completed", OLD), ("dead", "webhook", "dead", OLD))
    deliveries(
        warehouse,
        ("done", "whop", "done", OLD),
        ("ignored", "gumroad", "ignored", OLD),
        ("late", "resend", "stored", OLD),
        ("state", "oauth_state", "done", timedelta(days=2)),
        ("waits", "gumroad", "stored", OLD),
        ("failed", "whop", "failed", OLD),
        # A replay of Whop comes for thirty days, with the id of the first.
        ("can be repeated", "whop", "done", timedelta(days=31)),
        ("used just now", "oauth_state", "done", timedelta(minutes=9)),
    )
    deliveries(warehouse, ("its run is over", "whop", "queued", OLD), job_id="ended")
    deliveries(warehouse, ("given up, to be replayed", "whop", "queued", OLD), job_id="dead")
    done = retention.delete_old(warehouse, KEEP, now(), personal())
    assert keys(warehouse, webhook_events, "delivery_id") == {
        "waits",
        "failed",
        "can be repeated",
        "used just now",
        "given up, to be replayed",
    }
    assert done["webhook_events"] == 5
    assert not any(retention.delete_old(warehouse, KEEP, now(), personal()).values())


def test_jobs_that_are_completed_go_and_no_other(warehouse: Warehouse) -> None:
    """Incident: dead letters cleaned up before anybody had read them; an upload sent again that waited for ever."""
    jobs(
        warehouse,
        ("done", "webhook", "completed", OLD),
        ("backfilled", "backfill", "completed", OLD),
        ("upload", "file", "completed", OLD),
        ("new", "webhook", "completed", timedelta(days=89)),
        *((status, "webhook", status, OLD) for status in ("queued", "running", "failed", "dead")),
    )
    assert retention.delete_old(warehouse, KEEP, now(), personal())["ingestion_jobs"] == 2
    assert keys(warehouse, ingestion_jobs) == {"upload", "new", "queued", "running", "failed", "dead"}
    assert JobQueue(warehouse, None).replay(["dead"]) == ["dead"]


def test_of_a_mail_the_text_goes_first_and_what_it_is_known_by_last(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a reset link in a backup of last year; and a failure told twice because its first mail was gone."""
    config = settings.load()
    told = {"source": "gumroad", "unit": "all"}
    values = {"url": "https://example.com/reset?token=secret-of-the-link", "code": None, "ip_address": None}
    write_mail(warehouse, config, Mail("link", "password_reset", "a@example.com", values | {"requested_at": None}))
    write_mail(warehouse, config, Mail("waits", "password_reset", "a@example.com", values | {"requested_at": None}))
    with warehouse.write() as connection:
        payload = orjson.dumps(
            {"to": ["a@example.com"], "text": "long", "tags": [{"name": k, "value": v} for k, v in told.items()]}
        ).decode()
        row = {"kind": "ingestion_failed", "to": "a@example.com", "subject": "s", "payload": payload, "attempts": 1}
        at = {"created_at": now(), "next_attempt_at": now(), "status": "sent"}
        connection.execute(insert(email_messages).values(row | at | {"id": "told"}))
        connection.execute(email_messages.update().where(email_messages.c.id == "link").values(status="delivered"))
    age_all(warehouse, email_messages, "created_at", now() - timedelta(days=3))
    assert retention.delete_old(warehouse, KEEP, now(), personal())["email_messages: text"] == 1
    with warehouse.read() as connection:
        texts = dict(connection.execute(select(email_messages.c.id, email_messages.c.payload)).all())
    assert "secret-of-the-link" not in texts["link"]
    assert "secret-of-the-link" in texts["waits"]
    age_all(warehouse, email_messages, "created_at", now() - timedelta(days=31))
    assert retention.delete_old(warehouse, KEEP, now(), personal())["email_messages: text"] == 1
    with warehouse.read() as connection:
        owner = history.Owner("alice", "a@example.com", "every")
        known = history.told_to(connection, owner.email, ["ingestion_failed"])
    assert [(each.id, each.tags) for each in known] == [("told", told)]
    age_all(warehouse, email_messages, "created_at", now() - OLD)
    assert retention.delete_old(warehouse, KEEP, now(), personal())["email_messages"] == 2
    assert keys(warehouse, email_messages) == {"waits"}
    assert not any(retention.delete_old(warehouse, KEEP, now(), personal()).values())


def test_money_stays_whatever_is_set(warehouse: Warehouse) -> None:
    """Incident: a retention that took last year's sales."""
    with warehouse.write() as connection:
        fill(connection, "alice")
    strict = Keep(1, 1, 1, 1, 1, 1, 1)
    done = retention.delete_old(warehouse, strict, now() + OLD, personal())
    assert done["gumroad_sales: buyers"] == 1
    with warehouse.read() as connection:
        sale = connection.execute(select(gumroad_sales)).mappings().one()
        assert (sale["buyer_hash"], sale["country"], sale["raw"], sale["price_micros"]) == (None, None, "{}", 7)
        assert connection.execute(select(sales_events)).one()
        left = {
            t.name for t in metadata.sorted_tables if connection.execute(select(func.count()).select_from(t)).scalar()
        }
    assert set(metadata.tables) - left == {"health_reports", "email_messages", "alert_messages"} | NOBODYS
    assert not any(retention.delete_old(warehouse, strict, now() + OLD, personal()).values())


def test_nothing_goes_that_is_to_be_kept(warehouse: Warehouse) -> None:
    """Incident: 0 read as zero days."""
    deliveries(warehouse, ("done", "whop", "done", OLD))
    jobs(warehouse, ("done", "webhook", "completed", OLD))
    with warehouse.write() as connection:
        fill(connection, "alice")
    assert not any(retention.delete_old(warehouse, Keep(0, 0, 0, 0, 0, 0, 0), now() + OLD, personal()).values())


def test_sweeps_beside_each_other_and_beside_work_delete_each_row_once(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a nightly DELETE of a year's rows that held its locks for minutes while deliveries came in."""
    monkeypatch.setattr(retention, "BATCH", 20)
    jobs(warehouse, *((f"old-{number}", "webhook", "completed", OLD) for number in range(300)))
    queue, counts = JobQueue(warehouse, None), list[int]()
    workers = [
        threading.Thread(
            target=lambda: counts.append(retention.delete_old(warehouse, KEEP, now(), personal())["ingestion_jobs"])
        )
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for number in range(20):
        queue.enqueue("alice", "gumroad", "webhook", {}, job_id=f"new-{number}")
    done = queue.dequeue(10, 60)
    assert queue.ack_all(done)
    for worker in workers:
        worker.join()
    assert sum(counts) == 300
    assert keys(warehouse, ingestion_jobs) == {f"new-{number}" for number in range(20)}


def test_the_job_reads_the_settings_and_tells_its_rows(
    sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a clean-up that had deleted nothing for a year, and nobody saw."""
    monkeypatch.setenv("KEEP_HEALTH_DAYS", "10")
    with sqlite_warehouse.write() as connection:
        fill(connection, "alice")
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def("retention").execute_in_process(instance=instance)
        outputs = [e.step_output_data for e in done.all_events if e.event_type == dg.DagsterEventType.STEP_OUTPUT]
    assert outputs[0].metadata["health_reports"].value == 1
    assert keys(sqlite_warehouse, health_reports) == set()


def test_a_time_too_short_for_a_repeated_delivery_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a delivery replayed by Whop after three weeks that counted as new."""
    monkeypatch.setenv("KEEP_WEBHOOKS_DAYS", "14")
    with pytest.raises(ConfigError, match="KEEP_WEBHOOKS_DAYS"):
        settings.load()
    monkeypatch.setenv("KEEP_WEBHOOKS_DAYS", "0")
    assert kept(settings.load()).webhooks == 0


def test_less_than_a_week_of_runs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: yesterday's failed run was gone before anybody came to look at it."""
    monkeypatch.setenv("KEEP_RUNS_DAYS", "2")
    with pytest.raises(ConfigError, match="KEEP_RUNS_DAYS"):
        settings.load()
    monkeypatch.setenv("KEEP_RUNS_DAYS", "0")
    assert settings.load().keep_runs_days == 0


def test_the_defaults_are_one() -> None:
    """Incident: docs of ninety days and a job of thirty."""
    assert replace(kept(Settings()), sign_in=()) == Keep()
