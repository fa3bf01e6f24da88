"""Orders from the API to the tables: window, fetch, store; and the ledger's rows that follow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, aware_utc, now, partition_key
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import replace_sales, replace_window
from creator_pipeline.store import erasure, locks
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace, upsert
from creator_pipeline_tests.platforms.bazaar import PLATFORM
from creator_pipeline_tests.platforms.bazaar.client import BazaarClient
from creator_pipeline_tests.platforms.bazaar.tables import ORDER_KEYS, bazaar_orders


class OrderRow(NamedTuple):
    """A row of ``bazaar_orders``, in the order of its columns."""

    profile_id: str
    id: str
    partition_day: date
    created_at: datetime
    item: str
    paid_micros: int
    refunded_micros: int
    currency: str
    buyer_hash: str | None
    ingested_at: datetime


class Loaded(NamedTuple):
    """A part of a load that is committed."""

    orders: list[OrderRow]
    events: list[LedgerEvent]
    new_keys: frozenset[str] = frozenset()
    change: Change = Change()


def order_row(profile_id: str, order: dict[str, Any], ring: KeyRing) -> OrderRow:
    """A row of an order; amounts come in cents."""
    created_at = aware_utc(order["created_at"])
    return OrderRow(
        profile_id,
        order["id"],
        created_at.date(),
        created_at,
        order["item"],
        order["paid"] * 10_000,
        order["refunded"] * 10_000,
        order["currency"],
        ring.hash_address(order["buyer_email"]),
        now(),
    )


def order_events(order: OrderRow) -> list[LedgerEvent]:
    """The sale, and a negative row for what went back."""

    def event(event_type: str, quantity: int, gross: int) -> LedgerEvent:
        return LedgerEvent(
            id=f"bazaar:{order.profile_id}:{order.id}:{event_type}",
            profile_id=order.profile_id,
            platform=PLATFORM.in_ledger,
            event_type=event_type,
            external_id=order.id,
            product_id=None,
            product_name=order.item,
            occurred_at=order.created_at,
            occurred_on=order.partition_day,
            quantity=quantity,
            gross_micros=gross,
            fee_micros=0,
            net_micros=gross,
            currency=order.currency,
            source=partition_key(order.partition_day, order.profile_id),
            first_seen_at=order.ingested_at,
            ingested_at=order.ingested_at,
        )

    back = [event("refund", -1, -order.refunded_micros)] if order.refunded_micros else []
    return [event("sale", 1, order.paid_micros), *back]


def load_window(
    warehouse: Warehouse, client: BazaarClient, ring: KeyRing, profile_id: str, window: DayWindow, *, allow_shrink: bool
) -> Loaded:
    """Make the stored orders of a window, and their ledger rows, equal to the API's."""
    told = list(client.orders(window))
    rows = [order_row(profile_id, order, ring) for order in told]
    events = [event for row in rows for event in order_events(row)]
    with warehouse.write() as connection:
        locks.lock_profile(connection, profile_id)
        what = f"bazaar/orders {window.start} to {window.end} of {profile_id}"
        known = _without_forgotten(rows, erasure.forgotten(connection))
        replace(connection, bazaar_orders, known, _in_window(profile_id, window), what=what, allow_shrink=allow_shrink)
        replace_window(connection, PLATFORM.in_ledger, profile_id, window, events, allow_shrink=allow_shrink)
    return Loaded(rows, events, frozenset(key for order in told for key in order) - ORDER_KEYS)


def load_named(
    warehouse: Warehouse, client: BazaarClient, ring: KeyRing, profile_id: str, ids: Iterable[str]
) -> Loaded:
    """Make the named orders, and their ledger rows, equal to the API's."""
    rows = [order_row(profile_id, client.order(order_id), ring) for order_id in ids]
    events = [event for row in rows for event in order_events(row)]
    with warehouse.write() as connection:
        locks.lock_profile(connection, profile_id)
        upsert(connection, bazaar_orders, _without_forgotten(rows, erasure.forgotten(connection)))
        change = replace_sales(connection, PLATFORM.in_ledger, profile_id, [row.id for row in rows], events)
    return Loaded(rows, events, change=change)


def rebuild(warehouse: Warehouse, profile_id: str, window: DayWindow, *, allow_shrink: bool) -> list[LedgerEvent]:
    """Make the ledger of a window equal to what the stored orders say."""
    with warehouse.write() as connection:
        found = connection.execute(select(bazaar_orders).where(_in_window(profile_id, window)))
        events = [event for row in found for event in order_events(OrderRow(*row))]
        replace_window(connection, PLATFORM.in_ledger, profile_id, window, events, allow_shrink=allow_shrink)
    return events


def stored_day(warehouse: Warehouse, profile_id: str, day: date) -> Loaded:
    """The orders of a day as stored."""
    with warehouse.read() as connection:
        scope = _in_window(profile_id, DayWindow(day, day + timedelta(days=1)))
        rows = [OrderRow(*row) for row in connection.execute(select(bazaar_orders).where(scope))]
    return Loaded(rows, [event for row in rows for event in order_events(row)])


def _in_window(profile_id: str, window: DayWindow) -> Any:
    columns = bazaar_orders.c
    return and_(
        columns.profile_id == profile_id, columns.partition_day >= window.start, columns.partition_day < window.end
    )


def _without_forgotten(rows: list[OrderRow], hashes: frozenset[str]) -> list[OrderRow]:
    return [row._replace(buyer_hash=None) if row.buyer_hash in hashes else row for row in rows]
