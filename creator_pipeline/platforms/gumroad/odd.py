"""Objects of Gumroad that can't be read: they are kept as such, and their neighbours go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.core.odd_objects import has_id, kept_text, key_of
from creator_pipeline.core.windows import DayWindow, aware_utc, now
from creator_pipeline.platforms.gumroad import PLATFORM, catalog
from creator_pipeline.platforms.gumroad.answers import without_processor
from creator_pipeline.platforms.gumroad.models import SaleRow
from creator_pipeline.store import unreadable as store
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import gumroad_sales
from creator_pipeline.store.unreadable import Unreadable

T = TypeVar("T")
SALES = "sales"
HINT = (
    "Look at it in Gumroad's dashboard. It counts as soon as it can be read: its day is read again by the weekly "
    "look-back, or now by creator-pipeline backfill gumroad --from DAY --to DAY."
)


def unreadable(part: str, item: Json, error: DataError, window: DayWindow | None = None) -> Unreadable:
    """An object with what is missing.

    Args:
        part: its list, as ``sales``.
        item: as the API tells it.
        error: what reading it raised.
        window: of the list; None where it was read whole.
    """
    created = f"; its created_at is {item['created_at'][:40]}" if isinstance(item.get("created_at"), str) else ""
    detail = f"no usable {error.column}; expected {error.expected}{created}" if error.column else error.message
    raw = kept_text(without_processor(item, catalog.SALE_KEYS), catalog.PERSONAL)
    asked = "" if has_id(item) else json.dumps([day.isoformat() for day in window or ()])
    return Unreadable(part, key_of(item), detail, HINT, raw=raw, asked=asked)


class OddSales:
    """The sales of one load that can't be read.

    Args:
        window: that is loaded; None where sales are read by their ids.
    """

    def __init__(self, window: DayWindow | None = None) -> None:
        self._window = window
        self._found: dict[str, Unreadable] = {}

    def row(self, sale: Json, make: Callable[[Json], T]) -> T | None:
        """The row of a sale; None where it can't be read. Several threads may call it at once.

        Args:
            sale: as it was told.
            make: makes the row; what it refuses with DataError is kept as odd, and nothing is raised.
        """
        if not has_id(sale):
            return self._keep(sale, DataError("", column="id", expected="text"))
        try:
            return make(sale)
        except DataError as error:
            return self._keep(sale, error)

    def _keep(self, sale: Json, error: DataError) -> None:
        one = unreadable(SALES, sale, error, self._window)
        self._found[one.object_id] = one

    def within(self, window: DayWindow) -> list[Unreadable]:
        """Those of these days, and those of which the day isn't known."""
        days = [(one, _day(one)) for one in self._found.values()]
        return [one for one, day in days if day is None or window.start <= day < window.end]

    def all(self) -> list[Unreadable]:
        """All of them."""
        return list(self._found.values())

    def stored(self, warehouse: Warehouse, profile_id: str, window: DayWindow, read: Iterable[str]) -> list[SaleRow]:
        """What was read before of the sales of a window that can't be read now: it stands.

        A sale without an id may be any of those of its day that the list doesn't show any more.

        Args:
            warehouse: where the tables are.
            profile_id: whose sales.
            window: half-open UTC days.
            read: ids of the sales that can be read.
        """
        odd, columns = self.within(window), gumroad_sales.c
        if not odd:
            return []
        may_be: list[ColumnElement[bool]] = [columns.id.in_([one.object_id for one in odd])]
        for one in odd:
            if one.asked:
                day = _day(one)
                may_be.append(columns.partition_day == day if day else columns.partition_day >= window.start)
        mine = and_(
            columns.profile_id == profile_id,
            columns.partition_day >= window.start,
            columns.partition_day < window.end,
            or_(*may_be),
        )
        known = set(read)
        with warehouse.read() as connection:
            rows = [SaleRow(*row) for row in connection.execute(select(gumroad_sales).where(mine))]
        return [row for row in rows if row.id not in known]


def keep_odd(
    connection: Connection, profile_id: str, odd: Sequence[Unreadable], read: Iterable[str], window: DayWindow | None
) -> None:
    """Keep sales that can't be read, and drop those that can again, or that their list doesn't show any more.

    Args:
        connection: of the transaction.
        profile_id: whose sales.
        odd: what can't be read.
        read: ids of the sales that can, or that are none.
        window: half-open UTC days whose sales are all here; None where they were read by their ids.
    """
    provider, keys = PLATFORM.in_ledger, {(one.part, one.object_id) for one in odd}
    # Of nearly every account nothing is kept: one question instead of two for each part of a load.
    if store.unreadable_of(connection, provider, profile_id):
        store.forget(connection, provider, profile_id, {(SALES, sale_id) for sale_id in read} - keys)
        if window is not None:
            store.forget_unseen(connection, provider, profile_id, keys, lambda one: _covered(one, window))
    store.remember(connection, provider, profile_id, odd, now())


def keep_products(connection: Connection, profile_id: str, odd: Sequence[Unreadable], read: Iterable[str]) -> None:
    """Keep products that can't be read, and drop those that can again.

    Args:
        connection: of the transaction.
        profile_id: whose products.
        odd: what can't be read.
        read: ids of the products that can.
    """
    provider, keys = PLATFORM.in_ledger, {(one.part, one.object_id) for one in odd}
    store.forget(connection, provider, profile_id, {("products", each) for each in read} - keys)
    store.forget_unseen(connection, provider, profile_id, keys, lambda one: one.part == "products")
    store.remember(connection, provider, profile_id, odd, now())


def _covered(one: Unreadable, window: DayWindow) -> bool:
    """Whether the list of these days would have shown a sale without an id."""
    if one.part != SALES:
        return False
    day = _day(one)
    if day is not None:
        return window.start <= day < window.end
    bounds = [date.fromisoformat(text) for text in json.loads(one.asked or "[]")]
    return len(bounds) == len(window) and window.start <= bounds[0] and bounds[1] <= window.end


def _day(one: Unreadable) -> date | None:
    try:
        return aware_utc(str(json.loads(one.raw)["created_at"])).date()
    except (KeyError, TypeError, ValueError):
        return None
