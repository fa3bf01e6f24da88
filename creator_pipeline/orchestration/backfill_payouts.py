"""Payouts that are read again, here and now."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import dagster as dg
from sqlalchemy import func, select

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import today
from creator_pipeline.orchestration.books import with_books
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.runtime.run_here import run_here
from creator_pipeline.runtime.tags import SINCE_TAG, TRIGGER_TAG, account_tags
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected, get_profile
from creator_pipeline.store.tables import payouts


def check(warehouse: Warehouse, profile_id: str, first: date, last: date) -> list[tuple[Platform, str]]:
    """The platforms to read from, each with its job.

    Args:
        warehouse: tells whether the profile exists and is connected.
        profile_id: whose payouts.
        first, last: UTC days, both inclusive.

    Raises:
        ConfigError: says which argument is wrong and what would be right.
    """
    if first > last:
        raise ConfigError(f"--from {first} is after --to {last}.", hint="Both dates are inclusive.")
    if last > today():
        raise ConfigError(f"--to {last} is in the future.", hint=f"The last day there is: {today()} (UTC).")
    get_profile(warehouse, profile_id)
    config = settings.load()
    read = [(platform, books.job) for platform, books in with_books() if books.job and config.enabled(platform.name)]
    found = [(platform, job) for platform, job in read if profile_id in connected(warehouse, platform.in_ledger)]
    if not found:
        names = " or ".join(platform.label for platform, _ in read) or "any platform with payouts"
        raise ConfigError(f"{profile_id} is not connected to {names}.", hint="creator-pipeline profiles list")
    return found


def execute(
    defs: dg.Definitions, instance: dg.DagsterInstance, platform: Platform, job: str, profile_id: str, first: date
) -> list[str]:
    """Read the payouts made since a day, those that are final too; returns a line for each failure.

    Args:
        defs: where the job is.
        instance: where the run is recorded.
        platform: whose payouts.
        job: reads them.
        profile_id: whose account.
        first: UTC day.
    """
    instance.add_dynamic_partitions(platform.partitions_name, [profile_id])
    tags = {**account_tags(platform.name, profile_id), TRIGGER_TAG: "backfill", SINCE_TAG: first.isoformat()}
    return run_here(defs, instance, job, tags, partition_key=profile_id)


def stored_since(warehouse: Warehouse, platform: Platform, profile_id: str, first: date) -> int:
    """How many payouts made since a day are stored.

    Args:
        warehouse: where they are.
        platform: whose payouts.
        profile_id: whose account.
        first: UTC day.
    """
    table = payouts.c
    with warehouse.read() as connection:
        return connection.execute(
            select(func.count()).where(
                table.provider == platform.in_ledger,
                table.profile_id == profile_id,
                table.created_at >= datetime.combine(first, time(), UTC),
                table.state != "planned",
            )
        ).scalar_one()
