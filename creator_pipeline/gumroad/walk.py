"""One window of sales being read, newest first: what is held of it, how much is left, what can be handed on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, NamedTuple, TypeVar

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.windows import DayWindow, aware_utc
from creator_pipeline.gumroad.catalog import PAGE_SIZE
from creator_pipeline.gumroad.client import Json

REMEMBERED = 2_000
"""Ids kept to recognize a row that a later page repeats."""

T = TypeVar("T")
"""What is kept of a sale."""


class Chunk(NamedTuple, Generic[T]):
    """Every sale of the days of ``window``, complete."""

    window: DayWindow
    sales: list[T]


class Item(NamedTuple):
    """A sale of a page: enough to place it, and what is kept of it."""

    sale_id: str
    day: date
    kept: Any


@dataclass
class Walk:
    """One window being read, newest first. ``start`` rises when another reader takes the older part."""

    start: date
    end: date
    whole: bool = False
    key: str | None = None
    read: int = 0
    held: int = 0
    seen: tuple[date, date] | None = None
    open_end: date = field(init=False)
    oldest: date = field(init=False)
    keys: set[str] = field(default_factory=set[str])
    days: dict[date, list[Any]] = field(default_factory=dict[date, list[Any]])
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    known: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.open_end = self.oldest = self.end

    def per_day(self) -> float:
        """Sales a day of the part already read."""
        first, last = self.seen or (self.oldest, self.end)
        return self.read / max(1, (last - first).days)

    def left(self) -> float:
        """Pages left, were all of the window as dense as the part already read."""
        return self.per_day() * (self.oldest - self.start).days / PAGE_SIZE

    def take(self, item: Item) -> bool:
        """Keep the sale; False where its day was already handed on."""
        if item.sale_id in self.known:
            return True
        if len(self.recent) == REMEMBERED:
            self.known.discard(self.recent[0])
        self.recent.append(item.sale_id)
        self.known.add(item.sale_id)
        if item.day >= self.open_end:
            return False
        self.days.setdefault(item.day, []).append(item.kept)
        self.held += 1
        return True

    def flush(self, start: date) -> Chunk[Any]:
        """Hand on the days from ``start`` to what was handed on before."""
        window = DayWindow(start, self.open_end)
        days = sorted(day for day in self.days if day >= start)
        sales = [kept for day in days for kept in self.days.pop(day)]
        self.held -= len(sales)
        self.open_end = start
        return Chunk(window, sales)

    def ripe(self, enough: int) -> bool:
        """Whether so many sales are held of days that no later page can add to."""
        if self.whole or self.held < enough:
            return False
        return sum(len(sales) for day, sales in self.days.items() if day > self.oldest) >= enough


def sale_id(sale: Json) -> str:
    value = sale.get("id")
    if not isinstance(value, str) or not value:
        raise DataError(
            "A Gumroad sale has no usable id.",
            hint="The API may have changed; nothing was written for this window.",
            column="id",
            found=type(value).__name__,
            expected="text",
        )
    return value


def sale_day(sale: Json) -> date:
    """UTC day of a sale.

    Raises:
        DataError: ``created_at`` is missing or no time.
    """
    try:
        return aware_utc(sale["created_at"]).date()
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"A Gumroad sale ({sale.get('id')}) has no usable created_at.",
            hint="The API may have changed; nothing was written for this window.",
            column="created_at",
            found=repr(sale.get("created_at"))[:60],
            expected="a time such as 2026-11-22T10:00:00Z",
        ) from None
