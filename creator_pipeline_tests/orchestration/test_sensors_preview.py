"""The UI's preview of a sensor changes nothing."""

from __future__ import annotations

import time
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.mail import alerts
from creator_pipeline.monitoring.health_sensor import pipeline_health
from creator_pipeline.orchestration import sensors
from creator_pipeline.orchestration.notifications import alert_outbox_sensor, email_outbox_sensor
from creator_pipeline.orchestration.sensors import profiles_sensor, stored_deliveries_sensor, webhook_jobs_sensor
from creator_pipeline.platforms.kdp.sensor import kdp_inbox
from creator_pipeline.runtime.dagster_internals import is_preview
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import alert_messages, email_messages, health_reports, ingestion_jobs
from creator_pipeline_tests.support.tables import rows


def context(instance: dg.DagsterInstance, *, preview: bool) -> Any:
    """As the UI makes it, or the daemon in its tick 7."""
    made = dg.SensorEvaluationContext(
        instance_ref=None,
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=None,
        log_key=None if preview else ["__repository__", "it", "7"],
        repository_name="__repository__",
        sensor_name="it",
        instance=instance,
    )
    assert is_preview(made) is preview
    return made


@pytest.mark.parametrize(
    "sensor",
    [
        webhook_jobs_sensor(),
        email_outbox_sensor,
        alert_outbox_sensor,
        pipeline_health,
        profiles_sensor,
        stored_deliveries_sensor,
        kdp_inbox,
    ],
    ids=lambda one: one.name,
)
def test_a_preview_changes_nothing(sensor: Any, sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a look at webhook_jobs took a job that no run worked on, and one at email_outbox sent a mail."""
    monkeypatch.setenv("ALERT_URLS", "json://127.0.0.1:9/x")
    with sqlite_warehouse.write() as connection:
        alerts.add(connection, settings.load(), alerts.Notice("a", "failure", "A title"))
    job_queue(sqlite_warehouse).enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]})
    with dg.DagsterInstance.ephemeral() as instance:
        before = [
            rows(sqlite_warehouse, table) for table in (ingestion_jobs, email_messages, alert_messages, health_reports)
        ]
        told = sensor(context(instance, preview=True), warehouse=WarehouseResource())
        reason = told if isinstance(told, dg.SkipReason) else told.skip_reason
        assert "A preview" in reason.skip_message
        assert not getattr(told, "run_requests", None)
    assert before == [
        rows(sqlite_warehouse, table) for table in (ingestion_jobs, email_messages, alert_messages, health_reports)
    ]


@pytest.mark.parametrize("threads", [True, False], ids=["with threads", "without threads"])
def test_a_tick_waits_for_a_job_where_no_other_sensor_waits_with_it(
    sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, threads: bool
) -> None:
    """Incident: a sale lay in the queue until the daemon's next look. Guards: every sensor behind one that waits."""
    queue, looks = job_queue(sqlite_warehouse), list[float]()

    def goes_on() -> bool:
        looks.append(time.monotonic())
        if len(looks) == 2:
            queue.enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]})
        return True

    monkeypatch.setattr(sensors, "call_is_waited_for", goes_on)
    overrides = {"sensors": {"use_threads": threads}, "telemetry": {"enabled": False}}
    with dg.DagsterInstance.ephemeral(settings=overrides) as instance:
        told: Any = webhook_jobs_sensor()(context(instance, preview=False), warehouse=WarehouseResource())
    assert len(told.run_requests or []) == threads
    assert bool(looks) == threads


def test_a_tick_takes_the_job(sqlite_warehouse: Warehouse) -> None:
    """Guards: a daemon's tick that is taken for a preview, and a queue that nobody empties."""
    job_queue(sqlite_warehouse).enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]})
    with dg.DagsterInstance.ephemeral() as instance:
        told: Any = webhook_jobs_sensor()(context(instance, preview=False), warehouse=WarehouseResource())
    assert len(told.run_requests) == 1
    with sqlite_warehouse.read() as connection:
        assert connection.execute(select(ingestion_jobs.c.status)).scalars().all() == ["running"]
