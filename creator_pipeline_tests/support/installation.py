"""A small installation to run assets in: a sandbox of three sellers, their connections, a Dagster instance."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import dagster as dg
from sqlalchemy import select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, partition_key, today
from creator_pipeline.definitions import defs
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import RANGE_END, RANGE_START
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs
from creator_pipeline_tests.support.code_location import sensor_named
from creator_pipeline_tests.support.sandbox import WHOP_SIZES, SandboxServer, World

SIZES = {"alice": 60, "bea": 40, "chen": 12}
DAYS = 12
WINDOW = DayWindow(today() - timedelta(days=DAYS - 1), today() + timedelta(days=1))
SALES, EVENTS = dg.AssetKey(["gumroad", "sales"]), dg.AssetKey(["sales_events", "gumroad"])
PRODUCTS = dg.AssetKey(["gumroad", "products"])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@contextmanager
def small_sandbox() -> Iterator[SandboxServer]:
    """Three sellers with few sales on twelve days."""
    with SandboxServer(World.invented(7, today=today(), sizes=SIZES, whop_sizes=WHOP_SIZES, days=DAYS)) as server:
        yield server


def connect_all(warehouse: Warehouse, ring: KeyRing, server: SandboxServer) -> None:
    """A profile and a connection for each seller."""
    with warehouse.write() as connection:
        for profile_id, seller in server.world.gumroad.items():
            profiles.add_profile(connection, profile_id, seller.email, timezone=seller.timezone)
            profiles.connect(connection, ring, "gumroad", profile_id, seller.token)


@contextmanager
def new_instance() -> Iterator[dg.DagsterInstance]:
    """In memory, with the profiles' partitions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("gumroad_profiles", list(SIZES))
            yield instance


def range_of(first: str = "alice", last: str = "alice", window: DayWindow = WINDOW) -> dict[str, str]:
    """Tags of one run over a range of days and of profiles."""
    end = window.end - timedelta(days=1)
    return {RANGE_START: partition_key(window.start, first), RANGE_END: partition_key(end, last)}


def run(instance: dg.DagsterInstance, tags: dict[str, str], job: str = "gumroad_sync", **over: Any) -> Any:
    """One run of a job in this process."""
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance, tags=tags, raise_on_error=False, run_config=QUIET, **over
    )


def landed(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, int]:
    """Rows of the last materialization of each partition."""
    counts: dict[str, int] = {}
    for record in reversed(instance.fetch_materializations(key, limit=10_000).records):
        counts[record.partition_key] = record.asset_materialization.metadata["dagster/partition_row_count"].value
    return counts


def wrong_days(warehouse: Warehouse, server: SandboxServer, *names: str) -> list[object]:
    """Days on which the ledger isn't what the platform says."""
    return [
        (name, *off)
        for name in names or SIZES
        for off in differences(warehouse, name, server.world.gumroad.totals(name))
    ]


def failure_text(result: Any) -> str:
    """What a failed run tells."""
    events = [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_FAILURE]
    assert all(e.step_failure_data.user_failure_data for e in events), [e.step_failure_data.error for e in events]
    return "\n".join(e.step_failure_data.user_failure_data.description for e in events)


def run_waiting(instance: dg.DagsterInstance) -> list[Any]:
    """Do what the sensor of jobs asks for, as the daemon does."""
    context = dg.build_sensor_context(instance=instance, definitions=defs)
    made = sensor_named("webhook_jobs")(context, warehouse=WarehouseResource())
    return [
        defs.resolve_job_def(request.job_name).execute_in_process(
            instance=instance,
            tags=dict(request.tags),
            raise_on_error=False,
            run_config={**QUIET, **request.run_config},
        )
        for request in made.run_requests or []
    ]


def job_statuses(warehouse: Warehouse) -> list[str]:
    """Status of every job of the queue."""
    with warehouse.read() as connection:
        return sorted(connection.execute(select(ingestion_jobs.c.status)).scalars())


def totals_of_chen(sandbox: SandboxServer) -> dict[date, tuple[int, ...]]:
    """What chen sold by the platform's own figures, by day."""
    return {day: tuple(total) for day, total in sandbox.world.gumroad.totals("chen").items()}
