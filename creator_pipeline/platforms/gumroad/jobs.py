"""Jobs ``gumroad_refresh``, what webhooks and connections ask for, and ``gumroad_drift``, what changed in the past."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import DayWindow, contiguous, now, partition_key, today
from creator_pipeline.ledger.replace import own_partitions
from creator_pipeline.platforms.gumroad import drift
from creator_pipeline.platforms.gumroad.access import SOURCE
from creator_pipeline.platforms.gumroad.assets import SALES_STREAM, landed
from creator_pipeline.platforms.gumroad.checks import CHECKS, EVENTS, PAGES_COMPLETE, SALES, Tally
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.named_sales import Membership, Refreshed, newest_of, refresh_sales
from creator_pipeline.platforms.gumroad.payout_assets import STREAM as PAYOUTS_STREAM
from creator_pipeline.platforms.gumroad.sync import Loaded, load_sales, lookback
from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.profile_jobs import Work, profile_job, refresh_job
from creator_pipeline.runtime.streams import Request
from creator_pipeline.runtime.turns import Turn, in_turns
from creator_pipeline.runtime.unknown_fields import report_unknown
from creator_pipeline.store.profiles import mark_synced
from creator_pipeline.store.tables import gumroad_sales, sales_events

FALLBACK_DAYS = 7
"""Days a drift scan reads on servers without totals."""
_ASKED_DAYS = 2
"""Days that are read where a delivery names nothing that can be relied on: yesterday and today."""


class Named(NamedTuple):
    """What jobs of the queue ask for.

    Attributes:
        windows: whole days.
        sale_ids: sales by id.
        memberships: each by the id of its subscription, None where it isn't told, and by its sales.
        doubted: Gumroad's totals have more than its list of these windows.
        payouts_first: a long history: its payouts tell the money of most of it in a hundredth of the requests.
    """

    windows: list[DayWindow]
    sale_ids: list[str]
    memberships: tuple[Membership, ...] = ()
    payouts_first: bool = False
    doubted: bool = False


def _named(jobs: Sequence[Job]) -> Named | None:
    days, windows, sale_ids, memberships = set[date](), list[DayWindow](), dict[str, None](), set[Membership]()
    for job in jobs:
        payload = job.payload
        if "from" in payload:
            start = max(date.fromisoformat(payload["from"]), settings.load().pipeline_start_date)
            windows.append(DayWindow(start, min(date.fromisoformat(payload["to"]), today() + timedelta(days=1))))
        sale_ids |= dict.fromkeys(payload.get("sale_ids", ()))
        if payload.get("subscription_id") or payload.get("purchase_ids"):
            memberships.add(Membership(payload.get("subscription_id"), tuple(payload.get("purchase_ids", ()))))
        if payload.get("read_days"):
            days |= {today() - timedelta(days=back) for back in range(_ASKED_DAYS)}
    days |= {day for window in windows for day in window.each()}
    first = any(job.kind == "initial_sync" for job in jobs)
    named = Named(contiguous(days), list(sale_ids), tuple(sorted(memberships, key=str)), first)
    return named if days or sale_ids or memberships else None


def _read_named(work: Work, named: Named) -> int:
    if named.payouts_first:
        _read_payouts(work)
    with work.resource.client(work.warehouse, work.profile_id) as client:
        return _read(work, client, named).events


def _read_payouts(work: Work) -> None:
    try:
        read = PAYOUTS_STREAM.load(Request(work.warehouse, work.resource, work.profile_id))
    except PipelineError as error:
        # The nightly run reads them; the sales must not wait for that.
        work.context.log.warning("The payouts of %s were not read: %s", work.profile_id, error)
        return
    work.outcome.materialized(PAYOUTS_STREAM.key, work.profile_id, read.rows, read.metadata)


@dataclass(frozen=True, slots=True)
class _Read:
    events: int
    skipped: frozenset[str]


def _read(work: Work, client: GumroadClient, named: Named) -> _Read:
    ring, started, events, tally = work.resource.ring(), now(), 0, Tally()

    def load(windows: Sequence[DayWindow]) -> Iterator[Loaded]:
        for window in windows:
            yield from load_sales(work.warehouse, client, ring, work.profile_id, window, doubted=named.doubted)

    turn = Turn(work.context.instance, work.context.run)
    for part in in_turns(turn, named.windows, load, lambda part: part.window.each()):
        report_unknown(work.context, work.warehouse, SOURCE.name, "sale field", part.new_keys)
        SALES_STREAM.report(work.outcome, work.profile_id, landed(part, client.usage.metadata()), {SALES, EVENTS})
        events += len(part.events)
        tally.add(part)
    newest = newest_of(work.warehouse, work.profile_id, named.memberships)
    if sale_ids := list(dict.fromkeys([*named.sale_ids, *newest])):
        done = refresh_sales(work.warehouse, client, ring, work.profile_id, sale_ids)
        events += done.events
        _log(work, done, client)
        if done.not_found:
            work.context.log.info("%d named sales are not in the account's list.", len(done.not_found))
    if tally.skipped:
        step_checks.log(work.context, CHECKS, (one for one in tally.verdicts() if one.name == PAGES_COMPLETE))
    with work.warehouse.write() as connection:
        mark_synced(connection, SOURCE.provider, work.profile_id, started)
    return _Read(events, frozenset(tally.skipped))


def _log(work: Work, done: Refreshed, client: GumroadClient) -> None:
    sales, events = gumroad_sales.c, sales_events.c
    counts: dict[date, tuple[int, int]] = {}
    with work.warehouse.read() as connection:
        for day in done.days:
            mine = own_partitions(DayWindow(day, day + timedelta(days=1)))(events)
            counts[day] = (
                _count(connection, sales.profile_id == work.profile_id, sales.partition_day == day),
                _count(connection, events.profile_id == work.profile_id, events.platform == SOURCE.provider, mine),
            )
    metadata = {"read_again": "sales named by webhooks", **client.usage.metadata(), "rows_changed": done.changed}
    with work.outcome.together():
        for day in done.days:
            for key, count in zip((SALES, EVENTS), counts[day], strict=True):
                work.outcome.materialized(key, partition_key(day, work.profile_id), count, metadata)


def _count(connection: Connection, *scope: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).where(*scope)).scalar_one()


def _scan(work: Work) -> None:
    """Read again what changed in the last year; on a server without totals, the last week."""
    first = max(settings.load().pipeline_start_date, today() - timedelta(days=drift.SCAN_DAYS - 1))
    with work.resource.client(work.warehouse, work.profile_id) as client:
        found = drift.scan(work.warehouse, client, work.profile_id, first, today())
        windows = [lookback(today(), FALLBACK_DAYS)] if found is None else found[0]
        skipped, doubted = _read(work, client, Named(windows, [])).skipped, list[drift.Drift]()
        if found is not None:
            days = {day for window in windows for day in window.each()}
            doubted = [
                one
                for one in drift.doubted_days(work.warehouse, work.profile_id, first, today(), found[1])
                if one.day in days
            ]
            again = drift.utc_days(work.warehouse, work.profile_id, doubted, today())
            skipped |= _read(work, client, Named(again, [], doubted=True)).skipped
            drift.remember(work.warehouse, work.profile_id, first, today(), found[1])
        work.context.add_output_metadata(
            {
                "days_read_again": sum(window.days for window in windows),
                "days_read_with_other_page_keys": [one.day.isoformat() for one in doubted],
                "sales_on_no_page": sorted(skipped)[: step_checks.SHOWN],
                "has_totals_endpoint": found is not None,
                **client.usage.metadata(),
            }
        )


REFRESH = refresh_job(SOURCE, "gumroad_refresh_sales", _named, _read_named)
DRIFT = profile_job(
    SOURCE,
    "gumroad_drift",
    "gumroad_drift_scan",
    {
        "job": "Finds refunds of old sales by one request: Gumroad's totals per day beside ours.",
        "op": "Compares Gumroad's totals per day with ours.",
    },
    _scan,
)
