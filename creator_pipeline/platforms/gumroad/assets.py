"""Assets ``gumroad/products``, ``gumroad/sales`` and ``sales_events/gumroad``."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from creator_pipeline.core.money import to_text
from creator_pipeline.ledger.replace import Place
from creator_pipeline.platforms.gumroad import checks
from creator_pipeline.platforms.gumroad.access import SOURCE, GumroadResource
from creator_pipeline.platforms.gumroad.ledger import partition_day
from creator_pipeline.platforms.gumroad.lineage import LINEAGE
from creator_pipeline.platforms.gumroad.models import SaleRow
from creator_pipeline.platforms.gumroad.product_sync import load_products
from creator_pipeline.platforms.gumroad.sync import Loaded, load_sales, rebuild_ledger, stored_days
from creator_pipeline.runtime.describe import PREVIEW_ROWS, preview
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.partitions import profile_partitions
from creator_pipeline.runtime.stream_assets import daily_asset, snapshot_asset
from creator_pipeline.runtime.streams import (
    DailyStream,
    Landed,
    Request,
    Snapshot,
    SnapshotStream,
    Usage,
    by_day,
    partition_of,
    some_days,
)
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change
from creator_pipeline.store.tables import gumroad_products, gumroad_sales

PRODUCTS = asset_key("gumroad", "products")
PROFILES = profile_partitions(SOURCE)


def _load_products(request: Request[GumroadResource]) -> Snapshot:
    with request.resource.client(request.warehouse, request.profile_id) as client:
        rows, change = load_products(request.warehouse, client, request.profile_id, allow_shrink=request.allow_shrink)
    shown = [
        (row.name, to_text(row.price_micros or 0, row.currency), row.currency, row.published, row.sales_count)
        for row in rows[:PREVIEW_ROWS]
    ]
    return Snapshot(
        len(rows),
        {
            **change.metadata(),
            **client.usage.metadata(),
            "preview": preview(("name", "price", "currency", "published", "sales"), shown),
        },
    )


def _load_sales(request: Request[GumroadResource]) -> Iterator[Landed]:
    with request.resource.client(request.warehouse, request.profile_id) as client:
        for window in request.windows:
            for part in load_sales(
                request.warehouse,
                client,
                request.resource.ring(),
                request.profile_id,
                window,
                allow_shrink=request.allow_shrink,
            ):
                yield landed(part, client.usage.metadata())


def _rebuild(request: Request[GumroadResource]) -> Iterator[Landed]:
    for window in request.windows:
        done = rebuild_ledger(request.warehouse, request.profile_id, window, allow_shrink=request.allow_shrink)
        for days in some_days(window.each()):
            for part in stored(request.warehouse, request.profile_id, days):
                yield replace(part, ledger_change=done.ledger_change if days[0] == window.start else Change())


def stored(warehouse: Warehouse, profile_id: str, days: Sequence[date]) -> Iterator[Landed]:
    """These days as they are stored, without the sales' raw JSON.

    Args:
        warehouse: where the tables are.
        profile_id: whose sales.
        days: UTC days.
    """
    part = stored_days(warehouse, profile_id, days)
    yield replace(landed(part, {}), days=list(days))


def landed(part: Loaded, usage: Usage) -> Landed:
    """A committed part, as the factory logs it."""
    return Landed(
        list(part.window.each()),
        by_day(part.sales, lambda row: row.partition_day),
        by_day(part.events, partition_day),
        part,
        usage,
        {"sale field": part.new_keys},
        part.sales_change,
        part.ledger_change,
    )


def _partition_of(place: Place) -> date | None:
    """A sale that only a payout tells of lies on its own day."""
    return place.day if place.event_type == "sale" else partition_of(place)


def _shown(rows: Sequence[SaleRow]) -> dict[str, Any]:
    charged = [row for row in rows if row.kind == "sale"]
    table = [
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
        "preview": preview(("time", "product", "quantity", "price", "refunded", "country", "kind"), table),
    }


PRODUCTS_STREAM = SnapshotStream(
    source=SOURCE,
    name="gumroad_products",
    key=PRODUCTS,
    table=gumroad_products,
    description="Snapshot of a profile's Gumroad catalogue, drafts included. What leaves the catalogue keeps "
    "its row and gets `removed_at`. Gumroad tells no time of change, so it is always read whole.",
    profiles=PROFILES,
    load=_load_products,
)
SALES_STREAM = DailyStream(
    source=SOURCE,
    name="gumroad_sales",
    key=checks.SALES,
    table=gumroad_sales,
    description="Every sale created on a UTC day, as Gumroad shows it now: refunds and disputes included. "
    "A run replaces exactly its days.",
    ledger_description="The ledger's rows of Gumroad: each sale, and a negative row for each way its money went back.",
    profiles=PROFILES,
    load=_load_sales,
    rebuild=_rebuild,
    stored=stored,
    partition_of=_partition_of,
    shown=_shown,
    tally=checks.Tally,
    checks=checks.CHECKS,
    lineage=LINEAGE,
    follows=PRODUCTS,
    ends_sync=True,
)
products = snapshot_asset(PRODUCTS_STREAM)
sales = daily_asset(SALES_STREAM)
