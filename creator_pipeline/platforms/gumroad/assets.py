"""Assets ``gumroad/products``, ``gumroad/sales`` and ``sales_events/gumroad``."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.money import to_text
from creator_pipeline.core.windows import contiguous, now, partition_key
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.gumroad import checks
from creator_pipeline.platforms.gumroad.models import SaleRow
from creator_pipeline.platforms.gumroad.sync import PLATFORM, Loaded, load_products, load_sales, rebuild_ledger
from creator_pipeline.runtime.describe import (
    OWNERS,
    PREVIEW_ROWS,
    column_schema,
    ledger_preview,
    ledger_totals,
    preview,
)
from creator_pipeline.runtime.hooks import HOOKS
from creator_pipeline.runtime.outcome import RETRY, Outcome, allow_shrink
from creator_pipeline.runtime.partitions import PROFILE, days_by_profile, gumroad_days, gumroad_profiles
from creator_pipeline.runtime.refused_tokens import note_refused_token
from creator_pipeline.runtime.resources import GumroadResource, WarehouseResource
from creator_pipeline.runtime.unknown_fields import report_unknown
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import mark_synced
from creator_pipeline.store.tables import gumroad_products, gumroad_sales, sales_events

PRODUCTS = dg.AssetKey(["gumroad", "products"])
SALES = dg.AssetKey(["gumroad", "sales"])
EVENTS = dg.AssetKey(["sales_events", "gumroad"])
POOL = "gumroad_api"
NIGHTLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=26))


@dg.multi_asset(
    name="gumroad_products",
    specs=[
        dg.AssetSpec(
            PRODUCTS,
            description="Snapshot of a profile's Gumroad catalogue, drafts included. What leaves the catalogue keeps "
            "its row and gets `removed_at`. Gumroad tells no time of change, so it is always read whole.",
            group_name="gumroad",
            kinds={"gumroad", "python", "table"},
            owners=OWNERS,
            metadata=column_schema(gumroad_products),
            freshness_policy=NIGHTLY,
            skippable=True,
        )
    ],
    partitions_def=gumroad_profiles,
    hooks=HOOKS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY,
    pool=POOL,
)
def products(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, gumroad: GumroadResource
) -> Iterator[Any]:
    """Read the catalogue of each profile of the run and store it."""
    house, outcome = warehouse.open(), Outcome(context)
    done = outcome.done_before()
    for profile_id in context.partition_keys:
        if (PRODUCTS.to_user_string(), profile_id) in done:
            continue
        with outcome.isolate([profile_id], set()):
            try:
                gumroad.require_enabled()
                with gumroad.client(house, profile_id) as client:
                    rows, change = load_products(house, client, profile_id, allow_shrink=allow_shrink(context))
            except PipelineError as error:
                note_refused_token(house, PLATFORM, profile_id, error)
                raise
            shown = [
                (row.name, to_text(row.price_micros or 0, row.currency), row.currency, row.published, row.sales_count)
                for row in rows[:PREVIEW_ROWS]
            ]
            metadata = {
                **change.metadata(),
                **client.usage.metadata(),
                "preview": preview(("name", "price", "currency", "published", "sales"), shown),
            }
            outcome.materialized(PRODUCTS, profile_id, len(rows), metadata)
    outcome.raise_if_failed()
    yield from ()


@dg.multi_asset(
    name="gumroad_sales",
    specs=[
        dg.AssetSpec(
            SALES,
            deps=[dg.AssetDep(PRODUCTS, partition_mapping=dg.MultiToSingleDimensionPartitionMapping(PROFILE))],
            description="Every sale created on a UTC day, as Gumroad shows it now: refunds and disputes included. "
            "A run replaces exactly its days.",
            group_name="gumroad",
            kinds={"gumroad", "python", "table"},
            owners=OWNERS,
            metadata=column_schema(gumroad_sales),
            freshness_policy=NIGHTLY,
            skippable=True,
        ),
        dg.AssetSpec(
            EVENTS,
            deps=[SALES],
            description="The ledger's rows of Gumroad: each sale, and a negative row for each way its money went back.",
            group_name="ledger",
            kinds={"python", "table"},
            owners=OWNERS,
            metadata=column_schema(sales_events),
            freshness_policy=NIGHTLY,
            skippable=True,
        ),
    ],
    check_specs=checks.SPECS,
    can_subset=True,
    partitions_def=gumroad_days,
    hooks=HOOKS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY,
    pool=POOL,
)
def sales(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, gumroad: GumroadResource
) -> Iterator[dg.AssetCheckResult]:
    """Read each profile's days in one pass over the API; both assets land in one transaction."""
    house, outcome, tally = warehouse.open(), Outcome(context), checks.Tally()
    done = outcome.done_before()
    for profile_id, days in days_by_profile(context.partition_keys).items():
        todo = [
            day
            for day in days
            if not all(
                (key.to_user_string(), partition_key(day, profile_id)) in done for key in context.selected_asset_keys
            )
        ]
        landed: set[str] = set()
        with outcome.isolate([partition_key(day, profile_id) for day in todo], landed):
            try:
                _sync_profile(context, house, gumroad, profile_id, todo, outcome, tally, landed)
            except PipelineError as error:
                note_refused_token(house, PLATFORM, profile_id, error)
                raise
    yield from checks.results(tally, context.selected_asset_check_keys)
    outcome.raise_if_failed()


def _sync_profile(
    context: dg.AssetExecutionContext,
    house: Warehouse,
    gumroad: GumroadResource,
    profile_id: str,
    days: list[date],
    outcome: Outcome,
    tally: checks.Tally,
    landed: set[str],
) -> None:
    selected, shrink, started = context.selected_asset_keys, allow_shrink(context), now()
    if SALES not in selected:
        for window in contiguous(days):
            report(profile_id, rebuild_ledger(house, profile_id, window, allow_shrink=shrink), {}, {EVENTS}, outcome)
        return
    gumroad.require_enabled()
    with gumroad.client(house, profile_id) as client:
        for window in contiguous(days):
            for part in load_sales(
                house, client, gumroad.ring(), profile_id, window, with_ledger=EVENTS in selected, allow_shrink=shrink
            ):
                tally.add(part)
                report_unknown(context, house, PLATFORM, "sale field", part.new_keys)
                report(profile_id, part, client.usage.metadata(), set(selected), outcome)
                landed.update(partition_key(day, profile_id) for day in part.window.each())
    with house.write() as connection:
        mark_synced(connection, PLATFORM, profile_id, started)


def report(
    profile_id: str, part: Loaded, usage: dict[str, int | float], selected: set[dg.AssetKey], outcome: Outcome
) -> None:
    """Log every day of a committed part, for each of the two assets that was asked for."""
    rows_of, events_of = defaultdict[date, list[SaleRow]](list), defaultdict[date, list[LedgerEvent]](list)
    for row in part.sales:
        rows_of[row.partition_day].append(row)
    for event in part.events:
        events_of[event.occurred_on].append(event)
    with outcome.together():
        for day in part.window.each():
            key = partition_key(day, profile_id)
            if SALES in selected:
                outcome.materialized(SALES, key, len(rows_of[day]), {**usage, **_sales_metadata(rows_of[day])})
            if EVENTS in selected:
                events = events_of[day]
                metadata = {**ledger_totals(events), "preview": ledger_preview(events)} if events else {}
                outcome.materialized(EVENTS, key, len(events), metadata)


def _sales_metadata(rows: list[SaleRow]) -> dict[str, Any]:
    if not rows:
        return {}
    charged = [row for row in rows if row.kind == "sale"]
    shown = [
        (
            row.created_at.astimezone(UTC).strftime("%H:%M"),
            row.product_name,
            row.quantity,
            to_text(row.price_micros, "USD"),
            to_text(row.refunded_micros or 0, "USD"),
            row.country,
            row.kind,
        )
        for row in rows[:PREVIEW_ROWS]
    ]
    return {
        "gross_USD": to_text(sum(row.price_micros for row in charged), "USD"),
        "refunded_USD": to_text(sum(row.refunded_micros or 0 for row in charged), "USD"),
        "newest_sale": dg.MetadataValue.timestamp(max((row.created_at for row in rows), default=datetime.now(UTC))),
        "preview": preview(("time", "product", "quantity", "price", "refunded", "country", "kind"), shown),
    }
