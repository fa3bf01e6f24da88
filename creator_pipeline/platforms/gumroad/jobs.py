"""Job ``gumroad_refresh``: what webhooks and connections ask for, one run for all waiting jobs of a profile."""

from datetime import date, timedelta
from typing import Any

import dagster as dg
from sqlalchemy import func, select

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import DayWindow, contiguous, now, partition_key, today
from creator_pipeline.platforms.gumroad import drift
from creator_pipeline.platforms.gumroad.assets import EVENTS, SALES, report
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.named_sales import Refreshed, refresh_sales
from creator_pipeline.platforms.gumroad.sync import PLATFORM, load_sales, lookback
from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime.outcome import Outcome
from creator_pipeline.runtime.queue_jobs import ClaimedJobs, process_jobs
from creator_pipeline.runtime.refused_tokens import note_refused_token
from creator_pipeline.runtime.resources import GumroadResource, WarehouseResource
from creator_pipeline.runtime.unknown_fields import report_unknown
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import mark_synced
from creator_pipeline.store.tables import gumroad_sales, sales_events

FALLBACK_DAYS = 7
"""Days a drift scan reads on servers without totals."""
_ASKED_DAYS = 2
"""Days that are read where a delivery names no sale (an event of a subscription): yesterday and today."""


@dg.op(name="gumroad_refresh_sales", pool="gumroad_api", description="Re-reads what the jobs name; logs each day.")
def refresh(
    context: dg.OpExecutionContext, config: ClaimedJobs, warehouse: WarehouseResource, gumroad: GumroadResource
) -> None:
    """Work off the jobs of one profile."""
    house, profile_id = warehouse.open(), config.profile_id
    with process_jobs(house, config, context.run.run_id) as work:
        gumroad.require_enabled()
        windows, sale_ids = _asked(work.jobs)
        if not windows and not sale_ids:
            return
        try:
            with gumroad.client(house, profile_id) as client:
                work.events_count = _read(context, house, gumroad, client, profile_id, windows, sale_ids)
        except PipelineError as error:
            note_refused_token(house, PLATFORM, profile_id, error)
            raise


def _asked(jobs: Any) -> tuple[list[DayWindow], list[str]]:
    days, windows, sale_ids = set[date](), list[DayWindow](), dict[str, None]()
    job: Job
    for job in jobs:
        payload = job.payload
        if "from" in payload:
            start = max(date.fromisoformat(payload["from"]), settings.load().pipeline_start_date)
            windows.append(DayWindow(start, min(date.fromisoformat(payload["to"]), today() + timedelta(days=1))))
        sale_ids |= dict.fromkeys(payload.get("sale_ids", ()))
        if payload.get("read_days"):
            days |= {today() - timedelta(days=back) for back in range(_ASKED_DAYS)}
    days |= {day for window in windows for day in window.each()}
    return contiguous(days), list(sale_ids)


def _read(
    context: dg.OpExecutionContext,
    house: Warehouse,
    gumroad: GumroadResource,
    client: GumroadClient,
    profile_id: str,
    windows: list[DayWindow],
    sale_ids: list[str],
) -> int:
    outcome, started, events = Outcome(context), now(), 0
    for window in windows:
        for part in load_sales(house, client, gumroad.ring(), profile_id, window):
            report_unknown(context, house, PLATFORM, "sale field", part.new_keys)
            report(profile_id, part, client.usage.metadata(), {SALES, EVENTS}, outcome)
            events += len(part.events)
    if sale_ids:
        done = refresh_sales(house, client, gumroad.ring(), profile_id, sale_ids)
        events += done.events
        _log(outcome, house, profile_id, done, client)
        if done.not_found:
            context.log.info("%d named sales are not in the account's list.", len(done.not_found))
    with house.write() as connection:
        mark_synced(connection, PLATFORM, profile_id, started)
    return events


def _log(outcome: Outcome, house: Warehouse, profile_id: str, done: Refreshed, client: GumroadClient) -> None:
    sales, events = gumroad_sales.c, sales_events.c
    with house.read() as connection:
        counts = [
            dict(connection.execute(select(day, func.count()).where(*scope, day.in_(done.days)).group_by(day)).all())
            for day, scope in (
                (sales.partition_day, [sales.profile_id == profile_id]),
                (events.occurred_on, [events.profile_id == profile_id, events.platform == PLATFORM]),
            )
        ]
    metadata = {"read_again": "sales named by webhooks", **client.usage.metadata(), "rows_changed": done.changed}
    with outcome.together():
        for day in done.days:
            for key, count in zip((SALES, EVENTS), counts, strict=True):
                outcome.materialized(key, partition_key(day, profile_id), count.get(day, 0), metadata)


@dg.job(
    name="gumroad_refresh",
    description="Re-reads from the API what webhooks named: one run for all waiting deliveries of a profile.",
    executor_def=dg.in_process_executor,
)
def gumroad_refresh() -> None:
    """One op: see :func:`refresh`."""
    refresh()


class DriftConfig(dg.Config):
    """Whose past is compared."""

    profile_id: str


@dg.op(name="gumroad_drift_scan", pool="gumroad_api", description="Compares Gumroad's totals per day with ours.")
def drift_scan(
    context: dg.OpExecutionContext, config: DriftConfig, warehouse: WarehouseResource, gumroad: GumroadResource
) -> None:
    """Read again what changed in the last year; without the endpoint, the last week."""
    house, profile_id, outcome = warehouse.open(), config.profile_id, Outcome(context)
    with outcome.isolate([profile_id], set()):
        gumroad.require_enabled()
        first = max(settings.load().pipeline_start_date, today() - timedelta(days=drift.SCAN_DAYS - 1))
        try:
            with gumroad.client(house, profile_id) as client:
                found = drift.scan(house, client, profile_id, first, today())
                windows = [lookback(today(), FALLBACK_DAYS)] if found is None else found[0]
                _read(context, house, gumroad, client, profile_id, windows, [])
                if found is not None:
                    drift.remember(house, profile_id, first, today(), found[1])
                context.add_output_metadata(
                    {
                        "days_read_again": sum(window.days for window in windows),
                        "has_totals_endpoint": found is not None,
                        **client.usage.metadata(),
                    }
                )
        except PipelineError as error:
            note_refused_token(house, PLATFORM, profile_id, error)
            raise
    outcome.raise_if_failed()


@dg.job(
    name="gumroad_drift",
    description="Finds refunds of old sales by one request: Gumroad's totals per day beside ours.",
    executor_def=dg.in_process_executor,
)
def gumroad_drift() -> None:
    """One op: see :func:`drift_scan`."""
    drift_scan()


def drift_config(profile_id: str) -> dict[str, Any]:
    """Run config of :data:`gumroad_drift`."""
    return {"ops": {"gumroad_drift_scan": {"config": {"profile_id": profile_id}}}}


def run_config(profile_id: str, leases: list[str]) -> dict[str, Any]:
    """Run config of :data:`gumroad_refresh` for a batch of jobs."""
    return {"ops": {"gumroad_refresh_sales": {"config": {"profile_id": profile_id, "leases": leases}}}}
