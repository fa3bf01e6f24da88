"""Schedules: nightly yesterday, today and a short look-back; weekly a long one."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.windows import DayWindow, partition_key
from creator_pipeline.ledger.weekly import iso_name, last_whole
from creator_pipeline.orchestration.digest_mails import DigestConfig, digest_mails
from creator_pipeline.orchestration.jobs import gumroad_catalogue, gumroad_sync, whop_memberships_scan, whop_sync
from creator_pipeline.orchestration.retention import retention
from creator_pipeline.platforms.gumroad.jobs import drift_config, gumroad_drift
from creator_pipeline.platforms.whop.jobs import changes_config, whop_changes
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import LOAD_DAYS, PROFILE_TAG, RANGE_END, RANGE_START, run_tags
from creator_pipeline.store.profiles import connected, last_syncs

NIGHTLY_DAYS = 7
"""Days the nightly run reads, today included: most refunds come within a week, and each day costs a tenth of a request
per sale."""
LOOKBACK_DAYS = LOAD_DAYS
"""Days of the weekly look-back: refunds and disputes arrive for a month and more."""
SWEEP_DAYS = 180
"""Days of the monthly sweep: banks take disputes for four months and more, and Gumroad's totals don't show them."""

Requests = Iterator[dg.RunRequest | dg.SkipReason]


def range_tags(window: DayWindow, profile_id: str) -> dict[str, str]:
    """Run tags that ask for one run over all days of a profile's window."""
    last = window.end - timedelta(days=1)
    return {
        RANGE_START: partition_key(window.start, profile_id),
        RANGE_END: partition_key(last, profile_id),
        PROFILE_TAG: profile_id,
    }


def _tags(trigger: str, window: DayWindow, profile_id: str) -> dict[str, str]:
    return {**range_tags(window, profile_id), **run_tags(trigger, profile_id, days=window.days)}


def since_start(day: date, days: int) -> DayWindow:
    """The last ``days`` days up to ``day``, cut off at the first partition."""
    start = max(settings.load().pipeline_start_date, day - timedelta(days=days - 1))
    return DayWindow(start, day + timedelta(days=1))


def _requests(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource, days: int, trigger: str) -> Requests:
    if not settings.load().enable_gumroad:
        yield dg.SkipReason("ENABLE_GUMROAD is off.")
        return
    moment = context.scheduled_execution_time.astimezone(UTC)
    profiles = connected(warehouse.open(), "gumroad")
    if not profiles:
        yield dg.SkipReason("No profile is connected to Gumroad: creator-pipeline profiles add … --gumroad-token …")
    window = since_start(moment.date(), days)
    for profile_id in profiles:
        key = f"{trigger}:{moment:%Y-%m-%dT%H:%M}:{profile_id}"
        yield dg.RunRequest(run_key=key, tags=_tags(trigger, window, profile_id))


@dg.schedule(job=gumroad_sync, cron_schedule="10 2 * * *", execution_timezone="UTC")
def gumroad_nightly(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
    """Yesterday, today and the days just before of every connected profile, one run each."""
    yield from _requests(context, warehouse, NIGHTLY_DAYS, "nightly")


@dg.schedule(job=gumroad_sync, cron_schedule="40 3 * * 0", execution_timezone="UTC")
def gumroad_lookback(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
    """The last 35 days of every connected profile: refunds and disputes of older sales."""
    yield from _requests(context, warehouse, LOOKBACK_DAYS, "lookback")


@dg.schedule(job=gumroad_sync, cron_schedule="10 4 1 * *", execution_timezone="UTC")
def gumroad_sweep(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
    """The last 180 days of every connected profile: disputes whose webhook was lost."""
    yield from _requests(context, warehouse, SWEEP_DAYS, "lookback")


@dg.schedule(job=gumroad_catalogue, cron_schedule="5 2 * * *", execution_timezone="UTC")
def gumroad_products_nightly(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
    """The catalogue of every connected profile."""
    if not settings.load().enable_gumroad:
        yield dg.SkipReason("ENABLE_GUMROAD is off.")
        return
    moment: datetime = context.scheduled_execution_time.astimezone(UTC)
    for profile_id in connected(warehouse.open(), "gumroad"):
        yield dg.RunRequest(
            run_key=f"catalogue:{moment:%Y-%m-%dT%H:%M}:{profile_id}",
            partition_key=profile_id,
            tags=run_tags("nightly", profile_id),
        )


@dg.schedule(job=gumroad_drift, cron_schedule="40 2 * * *", execution_timezone="UTC")
def gumroad_drift_nightly(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
    """Gumroad's totals of the last year beside ours, for every connected profile."""
    if not settings.load().enable_gumroad:
        yield dg.SkipReason("ENABLE_GUMROAD is off.")
        return
    moment: datetime = context.scheduled_execution_time.astimezone(UTC)
    for profile_id in connected(warehouse.open(), "gumroad"):
        yield dg.RunRequest(
            run_key=f"drift:{moment:%Y-%m-%dT%H:%M}:{profile_id}",
            run_config=drift_config(profile_id),
            tags=run_tags("drift", profile_id),
        )


def _whop_profiles(warehouse: WarehouseResource) -> list[str] | dg.SkipReason:
    if not settings.load().enable_whop:
        return dg.SkipReason("ENABLE_WHOP is off.")
    found = connected(warehouse.open(), "whop")
    return found or dg.SkipReason(
        "No profile's account is connected to Whop: creator-pipeline profiles add … --whop-key …"
    )


@dg.schedule(job=whop_sync, cron_schedule="20 2 * * *", execution_timezone="UTC")
def whop_nightly(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
    """Payments of yesterday and today, and of the days since the last good sync where nights were missed."""
    profiles = _whop_profiles(warehouse)
    if isinstance(profiles, dg.SkipReason):
        yield profiles
        return
    moment = context.scheduled_execution_time.astimezone(UTC)
    all_synced, day = last_syncs(warehouse.open(), "whop"), moment.date()
    for profile_id in profiles:
        synced = all_synced.get(profile_id)
        # A webhook is dropped after a minute: what was bought while nothing ran here is found by nobody else.
        missed = (day - synced.date()).days if synced else (day - settings.load().pipeline_start_date).days
        window = since_start(day, max(2, missed + 2))
        yield dg.RunRequest(
            run_key=f"nightly:{moment:%Y-%m-%dT%H:%M}:{profile_id}",
            tags=_tags("nightly", window, profile_id),
        )


@dg.schedule(job=whop_changes, cron_schedule="35 2 * * *", execution_timezone="UTC")
def whop_changes_nightly(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
    """What changed since the last sync: refunds, disputes, open payments, memberships. One run for each profile."""
    profiles = _whop_profiles(warehouse)
    if isinstance(profiles, dg.SkipReason):
        yield profiles
        return
    moment = context.scheduled_execution_time.astimezone(UTC)
    for profile_id in profiles:
        yield dg.RunRequest(
            run_key=f"changes:{moment:%Y-%m-%dT%H:%M}:{profile_id}",
            run_config=changes_config(profile_id),
            tags=run_tags("nightly", profile_id),
        )


@dg.schedule(job=whop_memberships_scan, cron_schedule="50 3 * * 0", execution_timezone="UTC")
def whop_memberships_weekly(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> Requests:
    """All memberships: only a full scan finds what changed without leaving a trace."""
    profiles = _whop_profiles(warehouse)
    if isinstance(profiles, dg.SkipReason):
        yield profiles
        return
    moment = context.scheduled_execution_time.astimezone(UTC)
    for profile_id in profiles:
        yield dg.RunRequest(
            run_key=f"memberships:{moment:%Y-%m-%dT%H:%M}:{profile_id}",
            partition_key=profile_id,
            tags=run_tags("lookback", profile_id),
        )


@dg.schedule(job=digest_mails, cron_schedule="30 6 * * 1", execution_timezone="UTC")
def weekly_digest(context: dg.ScheduleEvaluationContext) -> Requests:
    """Last week's figures by mail, after the nightly runs have read its last day once more."""
    if not settings.load().enable_email:
        yield dg.SkipReason("ENABLE_EMAIL is off.")
        return
    week = iso_name(last_whole(context.scheduled_execution_time.astimezone(UTC).date()))
    config = dg.RunConfig(ops={"write_digests": DigestConfig(week=week)})
    yield dg.RunRequest(run_key=f"digest:{week}", run_config=config, tags=run_tags("digest"))


@dg.schedule(job=retention, cron_schedule="20 5 * * *", execution_timezone="UTC")
def retention_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Deletes what has outlived its use, after the night's runs."""
    moment = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=f"retention:{moment:%Y-%m-%dT%H:%M}", tags=run_tags("nightly"))


ALL = [
    gumroad_nightly,
    gumroad_lookback,
    gumroad_sweep,
    gumroad_products_nightly,
    gumroad_drift_nightly,
    whop_nightly,
    whop_changes_nightly,
    whop_memberships_weekly,
    weekly_digest,
    retention_nightly,
]
