"""Schedules: those of the platforms' tables, one run for each connected profile, and two of the installation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.ledger.weekly import iso_name, last_whole
from creator_pipeline.orchestration import books
from creator_pipeline.orchestration.digest_mails import DigestConfig, digest_mails
from creator_pipeline.orchestration.export import export_nightly
from creator_pipeline.orchestration.fx import fx_nightly
from creator_pipeline.orchestration.products import products_nightly
from creator_pipeline.orchestration.retention import retention
from creator_pipeline.orchestration.subscriptions import subscriptions_nightly
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.dagster_parts import Schedule
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import range_tags, run_tags
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected, last_syncs

Requests = Iterator[dg.RunRequest | dg.SkipReason]


def since_start(day: date, days: int) -> DayWindow:
    """The last ``days`` days up to ``day``, cut off at the first partition."""
    start = max(settings.load().pipeline_start_date, day - timedelta(days=days - 1))
    return DayWindow(start, day + timedelta(days=1))


def requests(platform: Platform, line: Schedule, warehouse: Warehouse, moment: datetime) -> Requests:
    """What a schedule asks for at a moment: a run for each connected profile.

    Args:
        platform: whose schedule it is.
        line: of its table.
        warehouse: tells who is connected, and when each was read last.
        moment: when the schedule was due, aware UTC.
    """
    if not settings.load().enabled(platform.name):
        yield dg.SkipReason(f"ENABLE_{platform.name.upper()} is off.")
        return
    profiles = connected(warehouse, platform.in_ledger)
    if not profiles:
        yield dg.SkipReason(
            f"No profile is connected to {platform.label}: "
            f"creator-pipeline profiles add ID --email ADDRESS {platform.connect_option} TOKEN"
        )
        return
    synced = last_syncs(warehouse, platform.in_ledger) if line.window else {}
    for profile_id in profiles:
        asked: dict[str, Any] = {}
        tags = run_tags(line.trigger, profile_id, source=platform.name)
        if line.config:
            asked["run_config"] = line.config(profile_id)
        elif line.days or line.window:
            window = _window(line, moment.date(), synced.get(profile_id))
            asked_for = run_tags(line.trigger, profile_id, source=platform.name, days=window.days)
            tags = {**range_tags(window, profile_id), **asked_for}
        else:
            asked["partition_key"] = profile_id
        key = f"{line.key or line.trigger}:{moment:%Y-%m-%dT%H:%M}:{profile_id}"
        yield dg.RunRequest(run_key=key, tags=tags, **asked)


def _window(line: Schedule, day: date, synced: datetime | None) -> DayWindow:
    if line.window:
        return line.window(day, synced, settings.load().pipeline_start_date)
    return since_start(day, line.days)


def _schedule(platform: Platform, line: Schedule) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=line.name,
        job_name=line.job,
        cron_schedule=line.cron,
        execution_timezone="UTC",
        description=line.why,
    )
    def schedule(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
        moment = context.scheduled_execution_time.astimezone(UTC)
        yield from requests(platform, line, warehouse.open(), moment)

    return schedule


@dg.schedule(
    job=digest_mails,
    cron_schedule="30 6 * * 1",
    execution_timezone="UTC",
    description="Last week's figures by mail.",
)
def weekly_digest(context: dg.ScheduleEvaluationContext) -> Requests:
    """Last week's figures by mail, after the nightly runs have read its last day once more."""
    if not settings.load().enable_email:
        yield dg.SkipReason("ENABLE_EMAIL is off.")
        return
    week = iso_name(last_whole(context.scheduled_execution_time.astimezone(UTC).date()))
    config = dg.RunConfig(ops={"write_digests": DigestConfig(week=week)})
    yield dg.RunRequest(run_key=f"digest:{week}", run_config=config, tags=run_tags("digest"))


@dg.schedule(
    job=retention,
    cron_schedule="20 5 * * *",
    execution_timezone="UTC",
    description="Deletes what has outlived its use.",
)
def retention_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Deletes what has outlived its use, after the night's runs."""
    moment = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=f"retention:{moment:%Y-%m-%dT%H:%M}", tags=run_tags("nightly"))


@dg.schedule(
    job_name="books",
    cron_schedule="30 5 * * *",
    execution_timezone="UTC",
    description="The books of every platform, after the night's sales and payouts.",
)
def books_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Checks the books of every platform, after the night's sales and payouts."""
    if not books.enabled():
        return dg.SkipReason("No platform with books is switched on.")
    moment = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=f"books:{moment:%Y-%m-%dT%H:%M}", tags=run_tags("nightly"))


def all_schedules(platforms: Sequence[Platform] = PLATFORMS) -> list[dg.ScheduleDefinition]:
    """Those of the platforms, then the installation's own.

    Args:
        platforms: all by default.
    """
    tables = [(platform, line) for platform in platforms for line in platform.dagster.get().schedules]
    own = [books_nightly] if books.with_books(platforms) else []
    return [
        *(_schedule(platform, line) for platform, line in tables),
        weekly_digest,
        retention_nightly,
        *own,
        export_nightly,
        fx_nightly,
        subscriptions_nightly,
        products_nightly,
    ]
