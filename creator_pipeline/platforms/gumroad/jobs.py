"""Jobs ``gumroad_refresh``, what webhooks and connections ask for, and ``gumroad_drift``, what changed in the past."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import DayWindow, contiguous, now, today
from creator_pipeline.platforms.gumroad import drift
from creator_pipeline.platforms.gumroad.access import SOURCE
from creator_pipeline.platforms.gumroad.assets import SALES_STREAM, landed
from creator_pipeline.platforms.gumroad.checks import agreement
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.named_sales import Membership, newest_of, own_subscriptions, refresh_sales
from creator_pipeline.platforms.gumroad.payout_assets import STREAM as PAYOUTS_STREAM
from creator_pipeline.platforms.gumroad.sync import Loaded, load_sales, lookback
from creator_pipeline.platforms.gumroad.table_assets import account
from creator_pipeline.platforms.gumroad.tables import SUBSCRIBERS
from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.profile_jobs import Landing, Work, profile_job, refresh_job
from creator_pipeline.runtime.streams import Request
from creator_pipeline.runtime.table_assets import refresh_table
from creator_pipeline.runtime.turns import Turn, in_turns
from creator_pipeline.store.freshness import mark_fresh, reads_the_present
from creator_pipeline.store.profiles import mark_synced

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
        events = _read(work, client, named).events
        members = own_subscriptions(work.warehouse, work.profile_id, named.memberships)
        own = account(work.resource, work.warehouse, work.profile_id, client)
        refresh_table(work, SUBSCRIBERS, own, members)
        return events


def _read_payouts(work: Work) -> None:
    try:
        read = PAYOUTS_STREAM.load(Request(work.warehouse, work.resource, work.profile_id))
    except PipelineError as error:
        # The nightly run reads them; the sales must not wait for that.
        work.context.log.warning("The payouts of %s were not read: %s", work.profile_id, error)
        return
    work.land_snapshot(PAYOUTS_STREAM, read)


@dataclass(frozen=True, slots=True)
class _Read:
    events: int
    skipped: frozenset[str]


def _read(work: Work, client: GumroadClient, named: Named) -> _Read:
    ring, started, events, skipped = work.resource.ring(), now(), 0, set[str]()

    def load(windows: Sequence[DayWindow]) -> Iterator[Loaded]:
        for window in windows:
            yield from load_sales(work.warehouse, client, ring, work.profile_id, window, doubted=named.doubted)

    turn = Turn(work.context.instance, work.context.run)
    with work.landing(SALES_STREAM) as land:
        for part in in_turns(turn, named.windows, load, lambda part: part.window.each()):
            land.part(landed(part, client.usage.metadata()))
            events += len(part.events)
            skipped |= part.skipped
        events += _read_by_id(work, client, named, land)
    with work.warehouse.write() as connection:
        mark_synced(connection, SOURCE.provider, work.profile_id, started)
        if reads_the_present(named.windows, started, settings.load().pipeline_start_date):
            mark_fresh(connection, SOURCE, work.profile_id, started)
    return _Read(events, frozenset(skipped))


def _read_by_id(work: Work, client: GumroadClient, named: Named, land: Landing) -> int:
    """Read the named sales, and log the days that hold them or changed with them."""
    newest = newest_of(work.warehouse, work.profile_id, named.memberships)
    sale_ids = list(dict.fromkeys([*named.sale_ids, *newest]))
    if not sale_ids:
        return 0
    done = refresh_sales(work.warehouse, client, work.resource.ring(), work.profile_id, sale_ids)
    land.stored(done.days, done.ledger, client.usage.metadata(), {"sale field": done.new_keys})
    if done.not_found:
        work.context.log.info("%d named sales are not in the account's list.", len(done.not_found))
    return done.events


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
            # Else the check says "not compared yet" until the next roll-up, which a night without a change doesn't ask.
            step_checks.log_result(work.context, agreement(work.warehouse))
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
