"""From the API to the tables: window, fetch, store."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from sqlalchemy import Connection, and_, literal, or_, select

from creator_pipeline.core.json_fields import unknown_keys
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, contiguous, now
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import own_partitions, replace_events
from creator_pipeline.platforms.gumroad.answers import Json
from creator_pipeline.platforms.gumroad.catalog import SALE_KEYS
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.fetch import fetch_sales
from creator_pipeline.platforms.gumroad.ledger_store import (
    StoredPayout,
    known_by_lines,
    ledgers_of,
    note_moved,
    rewrite_sales,
    settle_lines,
    stored_payouts,
)
from creator_pipeline.platforms.gumroad.models import SaleRow, ledger_sale, sale_row, without_buyers
from creator_pipeline.platforms.gumroad.odd import OddSales, keep_odd
from creator_pipeline.platforms.gumroad.payout_store import matters_to_payouts, rewrite_payouts
from creator_pipeline.platforms.gumroad.refunds import RefundSettler
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale
from creator_pipeline.platforms.gumroad.skipped_sales import SkippedSales
from creator_pipeline.platforms.gumroad.window_reader import Chunk
from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import gumroad_products, gumroad_sales, sales_events
from creator_pipeline.store.unreadable import Unreadable

PLATFORM = "gumroad"


@dataclass(frozen=True)
class Loaded:
    """A part of a sync that is committed.

    Attributes:
        sales, events: the rows of the window, as they stand now.
        sales_change, ledger_change: what writing them did.
        new_keys: keys of the API's objects this code doesn't know.
        settled: sales of earlier parts whose refund is exact now.
        skipped: sales that no page of the list showed, found by reading the day again with other page keys.
        odd: sales that can't be read; what was stored of them before stays.
    """

    window: DayWindow
    sales: Sequence[SaleRow]
    events: Sequence[LedgerEvent]
    sales_change: Change
    ledger_change: Change
    new_keys: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    odd: Sequence[Unreadable] = ()


def _in_window(profile_id: str, window: DayWindow):
    return and_(
        gumroad_sales.c.profile_id == profile_id,
        gumroad_sales.c.partition_day >= window.start,
        gumroad_sales.c.partition_day < window.end,
    )


def currencies(warehouse: Warehouse, profile_id: str) -> dict[str, str]:
    """Listed currency of each product of the stored catalogue."""
    with warehouse.read() as connection:
        rows = connection.execute(
            select(gumroad_products.c.id, gumroad_products.c.currency).where(
                gumroad_products.c.profile_id == profile_id
            )
        )
        return {product_id: currency for product_id, currency in rows}  # noqa: C416 - a Row is no tuple to the checker


def load_sales(
    warehouse: Warehouse,
    client: GumroadClient,
    ring: KeyRing,
    profile_id: str,
    window: DayWindow,
    *,
    allow_shrink: bool = False,
    doubted: bool = False,
) -> Generator[Loaded]:
    """Make the stored sales of ``window`` and their ledger rows equal to the API's, chunk by chunk.

    Each chunk of whole days is one transaction over both tables. One pass over the API; stopping anywhere and
    running again is safe.

    Args:
        warehouse: where the tables are.
        client: of the profile's account.
        ring: hashes the buyers' addresses.
        profile_id: whose sales.
        window: half-open UTC days.
        allow_shrink: accept that most rows go away.
        doubted: Gumroad's totals have more than its list of these days; see :class:`SkippedSales`.
    """
    refunds, new_keys, moment = RefundSettler(warehouse, client, profile_id, window), set[str](), now()

    @cache
    def listed_in() -> dict[str, str]:
        return currencies(warehouse, profile_id)

    odd = OddSales(window)

    def make_row(sale: Json) -> SaleRow | None:
        if not SALE_KEYS.issuperset(sale):
            new_keys.update(unknown_keys([sale], SALE_KEYS))
        # Asked for here, the database answers while the second page is on its way, and not before the first one.
        return odd.row(sale, lambda item: sale_row(profile_id, item, listed_in(), ring, moment))

    complete = SkippedSales(warehouse, client, profile_id, make_row, doubted=doubted)
    for chunk in fetch_sales(client, window, make_row=make_row):
        kept = odd.stored(warehouse, profile_id, chunk.window, (row.id for row in chunk.sales))
        sales, skipped = complete.completed(Chunk(chunk.window, [*chunk.sales, *kept]))
        rows = refunds.settled(chunk.window, sales)
        found = odd.within(chunk.window)
        part = _store(warehouse, profile_id, chunk.window, rows, frozenset(new_keys), found, allow_shrink=allow_shrink)
        yield dataclasses.replace(part, skipped=skipped)
        moment = now()
    with warehouse.write() as connection:
        keep_odd(connection, profile_id, odd.all(), (), window)
    # A seller's day can lie across two chunks: what the first one lacked is there now.
    settled, change = refunds.settle_stored()
    if settled:
        yield Loaded(DayWindow(window.end, window.end), [], [], Change(), change, settled=settled)


def _store(
    warehouse: Warehouse,
    profile_id: str,
    window: DayWindow,
    rows: Sequence[SaleRow],
    new_keys: frozenset[str],
    odd: Sequence[Unreadable],
    *,
    allow_shrink: bool,
) -> Loaded:
    moment = now()
    what = f"gumroad/sales {window.start} to {window.end} of {profile_id}"
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        before = _ids(connection, profile_id, window)
        kept = without_buyers(rows, erasure.forgotten(connection))
        sales_change = replace(
            connection,
            gumroad_sales,
            kept,
            _in_window(profile_id, window),
            what=what,
            allow_shrink=allow_shrink,
            before=len(before),
        )
        sales = {row.id: ledger_sale(row) for row in kept}
        gone = before - sales.keys()
        heads = stored_payouts(connection, profile_id)
        events, ledger_change = write_window(
            connection, profile_id, window, sales.keys(), moment, heads, allow_shrink=allow_shrink, written=sales
        )
        if gone:
            # Lines of payouts may tell of them still, on another day.
            ledger_change += rewrite_sales(connection, profile_id, gone, moment, heads=heads)[0]
        if sales_change.any and (ledger_change.deleted or matters_to_payouts(rows)):
            ledger_change += rewrite_payouts(connection, profile_id, moment, heads=heads)
        keep_odd(connection, profile_id, odd, (row.id for row in rows), window)
    return Loaded(window, rows, events, sales_change, ledger_change, new_keys, odd=odd)


def _ids(connection: Connection, profile_id: str, window: DayWindow) -> set[str]:
    return set(connection.execute(select(gumroad_sales.c.id).where(_in_window(profile_id, window))).scalars())


def write_window(
    connection: Connection,
    profile_id: str,
    window: DayWindow,
    sale_ids: AbstractSet[str],
    moment: datetime,
    heads: Mapping[str, StoredPayout],
    *,
    allow_shrink: bool = False,
    written: Mapping[str, GumroadSale] | None = None,
) -> tuple[list[LedgerEvent], Change]:
    """Make the ledger rows of the sales of a window what everything that is stored says.

    Args:
        connection: of the transaction.
        profile_id: whose sales.
        window: half-open UTC days of the sales.
        sale_ids: the stored sales of these days.
        moment: when the rows are made.
        heads: of :func:`stored_payouts`.
        allow_shrink: accept that most rows go away.
        written: those sales that this transaction has just stored, as they are stored.

    Returns:
        the rows, and what became of the ledger.
    """
    ids = set(sale_ids)
    if heads:
        ids |= known_by_lines(connection, profile_id, window)
    found = ledgers_of(connection, profile_id, ids, moment, heads=heads, written=written)
    ledgers = [ledger for _, ledger in found.values() if window.start <= ledger.day < window.end]
    events = [event for ledger in ledgers for event in ledger.events]
    what = f"sales_events/gumroad {window.start} to {window.end} of {profile_id}"
    change = replace_events(
        connection, PLATFORM, profile_id, own_partitions(window), events, what=what, allow_shrink=allow_shrink
    )
    if heads:
        settle_lines(connection, profile_id, ledgers)
        if change.any:
            note_moved(connection, profile_id, ledgers)
    return events, change


def rebuild_ledger(warehouse: Warehouse, profile_id: str, window: DayWindow, *, allow_shrink: bool = False) -> Loaded:
    """Make the ledger of ``window`` equal to what is stored, rows of payouts among it; the API isn't asked.

    Args:
        warehouse: where the tables are.
        profile_id: whose ledger.
        window: half-open UTC days of the sales.
        allow_shrink: accept that most rows go away.
    """
    moment = now()
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        ids = _ids(connection, profile_id, window)
        heads = stored_payouts(connection, profile_id)
        events, change = write_window(connection, profile_id, window, ids, moment, heads, allow_shrink=allow_shrink)
        change += rewrite_payouts(connection, profile_id, moment, heads=heads)
    return Loaded(window, [], events, Change(), change)


def stored_days(warehouse: Warehouse, profile_id: str, days: Sequence[date]) -> Loaded:
    """The sales of these days and the ledger's rows of their partitions as they are stored, without the raw JSON.

    Args:
        warehouse: where the tables are.
        profile_id: whose sales.
        days: UTC days.
    """
    columns, events = [literal("") if one.name == "raw" else one for one in gumroad_sales.c], sales_events.c
    mine = or_(*(own_partitions(window)(events) for window in contiguous(days)))
    with warehouse.read() as connection:
        sales = connection.execute(
            select(*columns)
            .where(gumroad_sales.c.profile_id == profile_id, gumroad_sales.c.partition_day.in_(days))
            .order_by(gumroad_sales.c.created_at, gumroad_sales.c.id)
        )
        rows = [SaleRow(*row) for row in sales]
        ledger = connection.execute(
            select(sales_events)
            .where(events.platform == PLATFORM, events.profile_id == profile_id, mine)
            .order_by(events.occurred_at, events.id)
        )
        found = [LedgerEvent(*row) for row in ledger]
    return Loaded(DayWindow(min(days), max(days) + timedelta(days=1)), rows, found, Change(), Change())


def lookback(day: date, days: int) -> DayWindow:
    """The window of ``days`` whole days that ends with ``day``."""
    return DayWindow(day - timedelta(days=days - 1), day + timedelta(days=1))
