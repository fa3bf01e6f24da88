"""All sales of a window of days, in one pass over the API, by several readers at once.

Pages come ten at a time, newest first. One reader starts at the newest end. When its density shows that much is
left, an idle reader takes over the older half of what it hasn't reached: so a small account costs not one
request more than it must, and a large one is read in parallel without knowing its size beforehand.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from creator_pipeline.core.errors import DataError, TransientError
from creator_pipeline.core.windows import DayWindow, contiguous
from creator_pipeline.gumroad.catalog import PAGE_SIZE
from creator_pipeline.gumroad.client import GumroadClient, Json, SalesPage, SlowQueryError, repeated_key
from creator_pipeline.gumroad.models import parse_time

READERS = 4
SPLIT_PAGES = 40
"""Pages that must be left before a window is split: each split costs up to one page more, so at most 2.5 %."""
EVIDENCE_ROWS = 4 * PAGE_SIZE
"""Sales a window must have shown before it is split: a launch today says nothing about the year before it."""
FLUSH_ROWS = 2_000
"""Sales of finished days that are handed on before the window is read to its end: bounds memory."""
REMEMBERED = 2_000
"""Ids kept to recognize a row that a later page repeats."""

_ONE_DAY = timedelta(days=1)


class Chunk(NamedTuple):
    """Every sale of the days of ``window``, complete."""

    window: DayWindow
    sales: list[Json]


@dataclass
class _Walk:
    """One window being read, newest first. ``start`` rises when another reader takes the older part."""

    start: date
    end: date
    whole: bool = False
    key: str | None = None
    read: int = 0
    open_end: date = field(init=False)
    oldest: date = field(init=False)
    keys: set[str] = field(default_factory=set[str])
    days: dict[date, list[Json]] = field(default_factory=dict[date, list[Json]])
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    known: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.open_end = self.oldest = self.end

    def left(self) -> float:
        """Pages left, guessed from how dense the part already read is."""
        covered = max(1, (self.end - self.oldest).days)
        return self.read / covered * (self.oldest - self.start).days / PAGE_SIZE

    def take(self, sale: Json, day: date) -> bool:
        """Keep the sale; False where its day was already handed on."""
        sale_id = _sale_id(sale)
        if sale_id in self.known:
            return True
        if len(self.recent) == REMEMBERED:
            self.known.discard(self.recent[0])
        self.recent.append(sale_id)
        self.known.add(sale_id)
        if day >= self.open_end:
            return False
        self.days.setdefault(day, []).append(sale)
        return True

    def flush(self, start: date) -> Chunk:
        """Hand on the days from ``start`` to what was handed on before."""
        window = DayWindow(start, self.open_end)
        sales = [sale for day in window.each() for sale in self.days.pop(day, [])]
        self.open_end = start
        return Chunk(window, sales)

    def finished(self) -> int:
        """Sales held of days that no later page can add to."""
        return sum(len(sales) for day, sales in self.days.items() if day > self.oldest)


def _sale_id(sale: Json) -> str:
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
        return parse_time(sale["created_at"]).date()
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"A Gumroad sale ({sale.get('id')}) has no usable created_at.",
            hint="The API may have changed; nothing was written for this window.",
            column="created_at",
            found=repr(sale.get("created_at"))[:60],
            expected="a time such as 2026-11-22T10:00:00Z",
        ) from None


class _Fetch:
    def __init__(self, client: GumroadClient, readers: int) -> None:
        self._client = client
        self._readers = readers
        self._todo: deque[_Walk] = deque()
        self._active: list[_Walk] = []
        self._late: set[date] = set()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        # None ends the stream. Bounded, so that a slow database slows the readers instead of filling memory.
        self._out: queue.Queue[Chunk | None] = queue.Queue(maxsize=readers)

    def run(self, walks: list[_Walk]) -> Generator[Chunk]:
        self._todo.extend(walks)
        with ThreadPoolExecutor(self._readers, thread_name_prefix="gumroad-sales") as pool:
            running = self._readers
            for _ in range(self._readers):
                pool.submit(self._reader)
            try:
                while running:
                    chunk = self._out.get()
                    if chunk is None:
                        running -= 1
                    else:
                        yield chunk
                if self._error:
                    raise self._error
            finally:
                self._stop(GeneratorExit())
                while running:
                    running -= self._out.get() is None

    def late(self) -> list[DayWindow]:
        """Days a page brought a sale of after they were handed on: the order of the pages was broken."""
        return contiguous(self._late)

    def _stop(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _reader(self) -> None:
        try:
            while (walk := self._next_walk()) is not None:
                self._read(walk)
                with self._changed:
                    self._active.remove(walk)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - carried to the consumer's thread
            self._stop(error)
        finally:
            self._out.put(None)

    def _next_walk(self) -> _Walk | None:
        with self._changed:
            while True:
                if self._error:
                    return None
                walk = self._todo.popleft() if self._todo else self._split_largest()
                if walk is not None:
                    self._active.append(walk)
                    return walk
                if not self._active:
                    return None
                self._changed.wait()

    def _split_largest(self) -> _Walk | None:
        candidates = [
            walk for walk in self._active if walk.read >= EVIDENCE_ROWS and (walk.oldest - walk.start).days >= 2
        ]
        victim = max(candidates, key=_Walk.left, default=None)
        if victim is None or victim.left() < SPLIT_PAGES:
            return None
        return self._give_up_older_half(victim)

    @staticmethod
    def _give_up_older_half(walk: _Walk) -> _Walk:
        middle = walk.start + timedelta(days=max(1, (walk.oldest - walk.start).days // 2))
        older = _Walk(walk.start, middle, whole=walk.whole)
        walk.start = middle
        return older

    def _read(self, walk: _Walk) -> None:
        while not self._error:
            with self._changed:
                window, key = DayWindow(walk.start, walk.end), walk.key
            try:
                page = self._client.sales_page(window, key)
            except SlowQueryError as error:
                self._halve(walk, error)
                continue
            with self._changed:
                last, chunk = self._digest(walk, page)
                # Another reader may be waiting for this one to show how much is left.
                self._changed.notify_all()
            if chunk is not None:
                self._out.put(chunk)
            if last:
                return

    def _digest(self, walk: _Walk, page: SalesPage) -> tuple[bool, Chunk | None]:
        newest: date | None = None
        passed = False
        for sale in page.sales:
            day = sale_day(sale)
            if day < walk.start:
                passed = True
            elif day < walk.end:
                newest = day if newest is None else max(newest, day)
                if not walk.take(sale, day):
                    self._late.add(day)
        walk.read += len(page.sales)
        if page.next_key is None or passed:
            return True, walk.flush(walk.start)
        if page.next_key in walk.keys:
            raise repeated_key("/v2/sales", page.next_key)
        walk.keys.add(page.next_key)
        walk.key = page.next_key
        if newest is not None:
            # The newest day of this page, not the oldest: rows within a page may stand in any order.
            walk.oldest = min(walk.oldest, newest)
        if not walk.whole and walk.finished() >= FLUSH_ROWS:
            return False, walk.flush(walk.oldest + _ONE_DAY)
        return False, None

    def _halve(self, walk: _Walk, error: SlowQueryError) -> None:
        with self._changed:
            # The day the reader stands in stays with it.
            if (walk.oldest - walk.start).days < (2 if walk.oldest == walk.end else 1):
                raise TransientError(f"{error.message} This happened for {walk.start} alone.") from error
            self._todo.append(self._give_up_older_half(walk))
            self._changed.notify_all()


def fetch_sales(client: GumroadClient, window: DayWindow, *, readers: int = READERS) -> Iterator[Chunk]:
    """Every sale of ``window`` once, in chunks of whole days whose windows tile ``window`` exactly.

    Rows that pages repeat count once; rows that arrive meanwhile, and the order of rows within a page, change
    nothing. A chunk may come a second time for days whose pages came out of order: the later one is right.

    Raises:
        DataError: a page key came twice, or an answer lacks what matters.
        TransientError, AuthError, RejectedError: as the client says.
    """
    if not window.days:
        return
    fetch = _Fetch(client, readers)
    with contextlib.closing(fetch.run([_Walk(window.start, window.end)])) as chunks:
        yield from chunks
    if again := fetch.late():
        second = _Fetch(client, readers)
        with contextlib.closing(second.run([_Walk(*days, whole=True) for days in again])) as chunks:
            yield from chunks
