"""What Bazaar brings to Dagster."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.dagster_parts import Backfill, DagsterParts, Refresh, Schedule
from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime.partitions import profile_partitions
from creator_pipeline.runtime.profile_jobs import Work, refresh_job
from creator_pipeline.runtime.step_checks import StepCheck, Verdict, known_fields
from creator_pipeline.runtime.stream_assets import daily_asset
from creator_pipeline.runtime.streams import DailyStream, Landed, Request, by_day
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.platforms.bazaar import PLATFORM
from creator_pipeline_tests.platforms.bazaar.client import BazaarResource
from creator_pipeline_tests.platforms.bazaar.sync import Loaded, load_named, load_window, rebuild, stored_day
from creator_pipeline_tests.platforms.bazaar.tables import bazaar_orders

ORDERS = dg.AssetKey(["bazaar", "orders"])
EVENTS = dg.AssetKey(["sales_events", "bazaar"])


class Tally:
    """What the checks need of the parts of a run."""

    def __init__(self) -> None:
        self.new_keys, self.over = set[str](), list[str]()

    def add(self, part: Loaded) -> None:
        """Count a part."""
        self.new_keys |= part.new_keys
        self.over += [row.id for row in part.orders if row.refunded_micros > row.paid_micros]

    def verdicts(self) -> Iterator[Verdict]:
        """What came out."""
        yield Verdict("known_fields", not self.new_keys, {"new_fields": sorted(self.new_keys)})
        yield Verdict("refunds_within_orders", not self.over, {"orders": self.over})


def _load(request: Request[BazaarResource]) -> Iterator[Landed]:
    with request.resource.client(request.warehouse, request.profile_id) as client:
        for window in request.windows:
            part = load_window(
                request.warehouse,
                client,
                request.resource.ring(),
                request.profile_id,
                window,
                allow_shrink=request.allow_shrink,
            )
            yield Landed(
                list(window.each()),
                by_day(part.orders, lambda row: row.partition_day),
                by_day(part.events, lambda event: event.occurred_on),
                part,
                client.usage.metadata(),
                {"order field": part.new_keys},
            )


def _rebuild(request: Request[BazaarResource]) -> Iterator[Landed]:
    for window in request.windows:
        events = rebuild(request.warehouse, request.profile_id, window, allow_shrink=request.allow_shrink)
        yield Landed(list(window.each()), {}, by_day(events, lambda event: event.occurred_on))


def _stored(warehouse: Warehouse, profile_id: str, days: Sequence[date]) -> Iterator[Landed]:
    for day in days:
        part = stored_day(warehouse, profile_id, day)
        yield Landed([day], {day: part.orders}, {day: part.events}, part)


def _shown(rows: Sequence[Any]) -> dict[str, Any]:
    return {"paid_USD": to_text(sum(row.paid_micros for row in rows), "USD")}


STREAM = DailyStream(
    source=PLATFORM.source,
    name="bazaar_orders",
    key=ORDERS,
    table=bazaar_orders,
    description="Every order made on a UTC day, as Bazaar shows it now.",
    ledger_description="The ledger's rows of Bazaar: each order, and what went back.",
    profiles=profile_partitions(PLATFORM.source),
    load=_load,
    rebuild=_rebuild,
    stored=_stored,
    shown=_shown,
    tally=Tally,
    checks=(
        known_fields(ORDERS),
        StepCheck(ORDERS, "refunds_within_orders", "No order gave back more than it brought.", warns=False),
    ),
    ends_sync=True,
)


def _named(jobs: Sequence[Job]) -> list[str]:
    return list(dict.fromkeys(order_id for job in jobs for order_id in job.payload.get("ids", ())))


def _read_named(work: Work, ids: list[str]) -> int:
    with work.resource.client(work.warehouse, work.profile_id) as client:
        part = load_named(work.warehouse, client, work.resource.ring(), work.profile_id, ids)
    with work.landing(STREAM) as land:
        land.stored({row.partition_day for row in part.orders}, part.change, client.usage.metadata(), {})
    return len(part.events)


REFRESH = refresh_job(PLATFORM.source, "bazaar_refresh_named", _named, _read_named)
_SYNC = dg.define_asset_job(
    "bazaar_sync", selection=dg.AssetSelection.assets(ORDERS, EVENTS), description="Orders of days, and their ledger."
)

PARTS = DagsterParts(
    assets=(daily_asset(STREAM),),
    jobs=(_SYNC, REFRESH.job),
    resource=BazaarResource(),
    schedules=(
        Schedule("bazaar_nightly", "15 2 * * *", "bazaar_sync", "nightly", "The last days of every shop.", days=3),
    ),
    backfill=Backfill("bazaar_sync", (ORDERS, EVENTS), ""),
    refresh=Refresh(REFRESH.job, REFRESH.refresh_config),
)
