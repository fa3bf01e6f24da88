"""Sales that no page of the list showed: read again with page keys that leave nothing out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import and_, select

from creator_pipeline.core.errors import RejectedError
from creator_pipeline.core.windows import DayWindow, contiguous, now, today
from creator_pipeline.platforms.gumroad.answers import Json, SlowQueryError
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.fetch import fetch_sales
from creator_pipeline.platforms.gumroad.models import SaleRow
from creator_pipeline.platforms.gumroad.page_keys import OverlappingKeys
from creator_pipeline.platforms.gumroad.window_reader import Chunk
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import gumroad_sales

_ONE_DAY = timedelta(days=1)


class Completed(NamedTuple):
    """The sales of a chunk, and the ids of those among them that its pages had left out."""

    sales: list[SaleRow]
    skipped: frozenset[str]


class SkippedSales:
    """Completes the chunks of one load.

    Args:
        warehouse: where the tables are.
        client: of the profile's account.
        profile_id: whose sales.
        make_row: makes the row of a sale.
        doubted: the totals have more than the list of every day; else only days are read again of which a stored sale
            isn't in the list any more.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        client: GumroadClient,
        profile_id: str,
        make_row: Callable[[Json], SaleRow | None],
        *,
        doubted: bool = False,
    ) -> None:
        self._warehouse = warehouse
        self._client = client
        self._profile_id = profile_id
        self._make_row = make_row
        self._doubted = doubted
        self._began = now()
        self._keys: OverlappingKeys | None = None

    def completed(self, chunk: Chunk[SaleRow]) -> Completed:
        """The sales of the chunk, and what its pages left out. Asks nothing where no day is in doubt."""
        found = {row.id: row for row in chunk.sales}
        days = set(chunk.window.each()) if self._doubted else self._days_of_missing(chunk.window, found)
        skipped = dict[str, SaleRow]()
        for window in contiguous(days):
            skipped |= {row.id: row for row in self._read(window) if row.id not in found}
        # What was sold since the load began isn't on its pages either, and that is in order.
        named = frozenset(row.id for row in skipped.values() if row.created_at < self._began)
        return Completed([*chunk.sales, *skipped.values()], named)

    def _days_of_missing(self, window: DayWindow, found: dict[str, SaleRow]) -> set[date]:
        """Days of which a sale is stored and not in the list: the list leaves out no sale that it had once."""
        sales = gumroad_sales.c
        with self._warehouse.read() as connection:
            stored = connection.execute(
                select(sales.id, sales.partition_day).where(
                    and_(
                        sales.profile_id == self._profile_id,
                        sales.partition_day >= window.start,
                        sales.partition_day < window.end,
                    )
                )
            )
            return {day for sale_id, day in stored if sale_id not in found}

    def _read(self, window: DayWindow) -> list[SaleRow]:
        try:
            keys = self._keys = self._keys or self._newest(window)
            if keys is None:
                return []
            chunks = fetch_sales(self._client, window, make_row=self._make_row, readers=1, keys=keys)
            # A later chunk of the same days is the right one.
            by_day = {
                day: [row for row in chunk.sales if row.partition_day == day]
                for chunk in chunks
                for day in chunk.window.each()
            }
        except RejectedError:
            # The list counts as it is, then; what it lacks stays a difference to the totals.
            return []
        return [row for rows in by_day.values() for row in rows]

    def _newest(self, window: DayWindow) -> OverlappingKeys | None:
        """Keys of the account's newest sale; None where there is none, or it has no number."""
        end = max(window.end, today() + _ONE_DAY)
        try:
            page = self._client.sales_page(DayWindow(window.start, end))
        except SlowQueryError:
            page = self._client.sales_page(DayWindow(end - _ONE_DAY, end))
            page = page if page.sales else self._client.sales_page(window)
        number = str(page.sales[0].get("order_id")) if page.sales else ""
        return OverlappingKeys(int(number)) if number.isdecimal() else None
