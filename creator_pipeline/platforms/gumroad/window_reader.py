"""One window of sales being read, newest first: what is held of it, how much is left, what can be handed on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.gumroad.catalog import PAGE_SIZE
from creator_pipeline.platforms.gumroad.client import Json

REMEMBERED = 2_000
"""Ids kept to recognize a row that a later page repeats."""


class Kept(Protocol):
    """What is kept of a sale, and tells its place."""

    @property
    def id(self) -> str:
        """Gumroad's."""
        ...

    @property
    def partition_day(self) -> date:
        """The UTC day it was made."""
        ...


T = TypeVar("T", bound=Kept)


class Chunk(NamedTuple, Generic[T]):
    """Every sale of the days of ``window``, complete."""

    window: DayWindow
    sales: list[T]


def joined(chunks: Iterable[Chunk[T]], most: int) -> list[Chunk[T]]:
    """The chunks with those that touch made one, newest first: each is a transaction, which costs as much as a
    hundred sales.

    Args:
        most: sales of a chunk that nothing is added to any more.
    """
    found: list[Chunk[T]] = []
    for chunk in sorted(chunks, key=lambda chunk: chunk.window):
        last = found[-1] if found else None
        if last is not None and last.window.end == chunk.window.start and len(last.sales) < most:
            found[-1] = Chunk(DayWindow(last.window.start, chunk.window.end), [*last.sales, *chunk.sales])
        else:
            found.append(chunk)
    return found[::-1]


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

    def window(self) -> DayWindow:
        """What it covers now."""
        return DayWindow(self.start, self.end)

    def passed(self, sales: Iterable[Json]) -> bool:
        """Whether a sale of before the window is among them, as far as their text tells."""
        start = self.start.isoformat()
        return any(str(sale.get("created_at", ""))[:10] < start for sale in sales)

    def per_day(self) -> float:
        """Sales a day of the part already read."""
        first, last = self.seen or (self.oldest, self.end)
        return self.read / max(1, (last - first).days)

    def left(self) -> float:
        """Pages left, were all of the window as dense as the part already read."""
        return self.per_day() * (self.oldest - self.start).days / PAGE_SIZE

    def take(self, sale: Kept) -> bool:
        """Keep the sale; False where its day was already handed on."""
        if sale.id in self.known:
            return True
        if len(self.recent) == REMEMBERED:
            self.known.discard(self.recent[0])
        self.recent.append(sale.id)
        self.known.add(sale.id)
        if sale.partition_day >= self.open_end:
            return False
        self.days.setdefault(sale.partition_day, []).append(sale)
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
