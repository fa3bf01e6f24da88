"""Which runs keep a profile fresh, and what is not told while Dagster tries again: by real runs on a real instance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.core.checks import Check
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.definitions import defs
from creator_pipeline.monitoring import failed_partitions, health
from creator_pipeline.runtime.tags import range_tags
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections
from creator_pipeline_tests.support.sandbox import SandboxServer

JOB = defs.resolve_job_def("gumroad_sync")


def sync(instance: dg.DagsterInstance, first: int, last: int) -> None:
    """A run over the days so many days ago."""
    window = DayWindow(today() - timedelta(days=first), today() - timedelta(days=last - 1))
    JOB.execute_in_process(instance=instance, tags=range_tags(window, "chen"), raise_on_error=False)


def fresh(warehouse: Warehouse) -> tuple[Any, Any, Any]:
    table = platform_connections.c
    asked = select(table.last_synced_at, table.fresh_at, table.expected_by).where(table.profile_id == "chen")
    with warehouse.read() as connection:
        return tuple(connection.execute(asked).one())


def test_a_night_keeps_a_profile_fresh_and_a_backfill_of_old_days_does_not(
    gumroad_warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    """Incident: an old year was read each morning, and that no night ran was seen by nobody for ten days."""
    sync(instance, 9, 3)
    synced, fresh_at, expected_by = fresh(gumroad_warehouse)
    assert (synced is not None, fresh_at, expected_by) == (True, None, None)
    sync(instance, 2, 0)
    synced, fresh_at, expected_by = fresh(gumroad_warehouse)
    assert fresh_at == synced
    assert timedelta(hours=4) < expected_by - fresh_at <= timedelta(hours=28)


def test_what_is_tried_again_is_neither_over_nor_new(
    gumroad_warehouse: Warehouse, gumroad_sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: 'mended' was mailed when the next try began, and 'failed' when it failed: two false mails a night."""
    repository = defs.get_repository_def()
    check = Check("partitions/", lambda: failed_partitions.failed_partitions(instance, repository, gumroad_warehouse))

    def names() -> list[str]:
        health.run([check], gumroad_warehouse, settings.load())
        return [row["id"] for row in health.open_problems(gumroad_warehouse)]

    gumroad_sandbox.world.gumroad.drop_scope("chen", "view_sales")
    sync(instance, 2, 0)
    assert names() == ["partitions/gumroad/chen"]
    window = DayWindow(today() - timedelta(days=2), today() + timedelta(days=1))
    again = instance.create_run_for_job(
        JOB, status=dg.DagsterRunStatus.STARTED, tags=range_tags(window, "chen"), asset_selection=None
    )
    assert names() == ["partitions/gumroad/chen"]
    instance.report_run_failed(again)
    assert names() == ["partitions/gumroad/chen"]
    gumroad_sandbox.world.gumroad["chen"].scopes.add("view_sales")
    sync(instance, 2, 0)
    assert names() == []
