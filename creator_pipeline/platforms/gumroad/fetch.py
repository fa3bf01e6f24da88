"""All sales of a window of days, in one pass over the API, by several readers at once.

Pages come ten at a time, newest first. One reader starts at the newest end. When what is left would take it long, an
idle reader takes over the days beyond the next stretch of pages: so a small account costs hardly a request more than
it must, and a large one is read in parallel without knowing its size, or its age, beforehand. Where the pace of the
token is what readers wait for, one is enough.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

from creator_pipeline.core.errors import TransientError
from creator_pipeline.core.windows import DayWindow, contiguous
from creator_pipeline.platforms.gumroad.catalog import PAGE_SIZE
from creator_pipeline.platforms.gumroad.client import BegunPage, GumroadClient, Json, SlowQueryError, repeated_key
from creator_pipeline.platforms.gumroad.window_reader import Chunk, Kept, T, Walk, joined

READERS = 5
SPLIT_PAGES = 25
"""Pages that must have been read for each split but those that set the readers to work: each costs up to one page
more, so at most 4 %. As many are believed to be left of a window that begins before the account did."""
SPLIT_SECONDS = 0.5
"""What reading the rest one page after the other must take: a split that saves less isn't worth its page."""
SLOW_PAGE_SECONDS = 0.005
"""A page that comes faster keeps one reader's processor busy: more readers would only stand in each other's way."""
FIRST_SPLITS_PAGES = 3
"""Pages between the splits that set the readers to work."""
STRETCH_PAGES = 11
"""Pages that a reader keeps, about, when its window is split early; later it keeps as many as were read so far."""
EVIDENCE_ROWS = PAGE_SIZE
"""Sales a window must have shown before it is split."""
PACED_SHARE = 0.2
"""Of the readers' time: when they wait so much for the token's pace, more of them would bring nothing."""
FLUSH_ROWS = 1_000
"""Sales of finished days that are handed on before the window is read to its end: bounds memory."""
TOGETHER_ROWS = 300
"""Sales for which what the readers of a small account hand on, little each, waits: it is one transaction together."""

_ONE_DAY = timedelta(days=1)


class _Fetch:
    def __init__(self, client: GumroadClient, readers: int, keep: Callable[[Json], Kept]) -> None:
        self._client = client
        self._readers = readers
        self._keep = keep
        self._todo: deque[Walk] = deque()
        self._active: list[Walk] = []
        self._late: set[date] = set()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._pages = self._splits = 0
        self._seconds = 0.0
        self._waited_before = client.usage.waited_seconds
        # None ends the stream. Bounded, so that a slow database slows the readers instead of filling memory.
        self._out: queue.Queue[Chunk[Any] | None] = queue.Queue(maxsize=readers)

    def run(self, walks: list[Walk]) -> Generator[Chunk[Any]]:
        self._todo.extend(walks)
        with ThreadPoolExecutor(self._readers, thread_name_prefix="gumroad-sales") as pool:
            running = self._readers
            for _ in range(self._readers):
                pool.submit(self._reader)
            try:
                held, rows = list[Chunk[Any]](), 0
                while running:
                    chunk = self._out.get()
                    if chunk is None:
                        running -= 1
                    else:
                        held.append(chunk)
                        rows += len(chunk.sales)
                    if rows >= TOGETHER_ROWS or not running:
                        yield from joined(held, FLUSH_ROWS)
                        held, rows = [], 0
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

    def _next_walk(self) -> Walk | None:
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

    def _split_largest(self) -> Walk | None:
        cut = self._cut()
        if cut is None:
            return None
        self._splits += 1
        return self._give_up_older(*cut)

    def _cut(self) -> tuple[Walk, int] | None:
        """The walk whose older part another reader should take, and the days it keeps; None where none should."""
        # An account of two pages pays for one split at most.
        first = min(self._readers - 1, 1 + self._pages // FIRST_SPLITS_PAGES)
        # Until the first stretches are read, the account may well end with them: a split would hand on nothing.
        later = self._pages // SPLIT_PAGES if self._pages > self._readers * STRETCH_PAGES else 0
        if not self._pages or self._splits >= first + later:
            return None
        waited = self._waited()
        if waited > PACED_SHARE * self._seconds:
            return None
        page_seconds = max(0.0, self._seconds - waited) / self._pages
        if page_seconds < SLOW_PAGE_SECONDS:
            return None
        # One that has shown nothing yet may be empty, or be the longest of all: its first page tells.
        if any(walk.read < EVIDENCE_ROWS for walk in self._active):
            return None
        candidates = [walk for walk in self._active if (walk.oldest - walk.start).days >= 2]
        victim = max(candidates, key=Walk.left, default=None)
        if victim is None:
            return None
        left = min(victim.left(), max(SPLIT_PAGES, self._pages))
        if left < STRETCH_PAGES / 2 or left * page_seconds < SPLIT_SECONDS:
            return None
        # Who begins a page later keeps a page less: all come to the end of their first stretches at once.
        early = STRETCH_PAGES + self._readers // 2 - self._splits
        stretch = min(victim.left() / 2, max(early, self._pages))
        return victim, round(stretch * PAGE_SIZE / victim.per_day())

    def _waited(self) -> float:
        """Seconds that the token's pace, or a retry, has cost."""
        return self._client.usage.waited_seconds - self._waited_before

    @staticmethod
    def _give_up_older(walk: Walk, kept_days: int) -> Walk:
        """A walk over what lies beyond the next ``kept_days`` days, and at least one day."""
        most = (walk.oldest - walk.start).days - 1
        middle = walk.oldest - timedelta(days=min(max(1, kept_days), most))
        older = Walk(walk.start, middle, whole=walk.whole)
        walk.start = middle
        return older

    def _read(self, walk: Walk) -> None:
        begun: BegunPage | None = None
        try:
            while not self._error:
                began = time.monotonic()
                if begun is None:
                    begun = self._client.begin_sales_page(walk.window(), walk.key)
                asked, begun = begun, None
                try:
                    page = asked.answer()
                except SlowQueryError as error:
                    self._halve(walk, error)
                    continue
                seconds = time.monotonic() - began
                # The server is at work on the next page while this one is made into rows. Where a token's pace is what
                # is waited for, nothing is gained.
                if page.next_key and not self._waited() and not walk.passed(page.sales):
                    begun = self._client.begin_sales_page(walk.window(), page.next_key)
                sales = [self._keep(sale) for sale in page.sales]
                with self._changed:
                    self._pages += 1
                    self._seconds += seconds
                    last, chunk = self._digest(walk, sales, page.next_key)
                    # Another reader may be waiting for this one to show how much is left. Woken for nothing, idle
                    # readers would cost a page a fifth more.
                    if self._todo or self._cut() is not None:
                        self._changed.notify()
                if chunk is not None:
                    self._out.put(chunk)
                if last:
                    return
        finally:
            if begun is not None:
                begun.drop()

    def _digest(self, walk: Walk, sales: list[Kept], next_key: str | None) -> tuple[bool, Chunk[Any] | None]:
        mine = [sale for sale in sales if walk.start <= sale.partition_day < walk.end]
        passed = any(sale.partition_day < walk.start for sale in sales)
        self._late.update(sale.partition_day for sale in mine if not walk.take(sale))
        days = [sale.partition_day for sale in mine]
        newest = max(days, default=None)
        if newest is not None:
            walk.seen = min(days), walk.seen[1] if walk.seen else newest
        walk.read += len(sales)
        if next_key is None or passed:
            return True, walk.flush(walk.start)
        if next_key in walk.keys:
            raise repeated_key("/v2/sales", next_key)
        walk.keys.add(next_key)
        walk.key = next_key
        if newest is not None:
            # The newest day of this page, not the oldest: rows within a page may stand in any order.
            walk.oldest = min(walk.oldest, newest)
        return False, walk.flush(walk.oldest + _ONE_DAY) if walk.ripe(FLUSH_ROWS) else None

    def _halve(self, walk: Walk, error: SlowQueryError) -> None:
        with self._changed:
            # The day the reader stands in stays with it.
            if (walk.oldest - walk.start).days < (2 if walk.oldest == walk.end else 1):
                raise TransientError(f"{error.message} This happened for {walk.start} alone.") from error
            self._todo.append(self._give_up_older(walk, (walk.oldest - walk.start).days // 2))
            self._changed.notify_all()


def fetch_sales(
    client: GumroadClient,
    window: DayWindow,
    *,
    readers: int = READERS,
    keep: Callable[[Json], T],
) -> Iterator[Chunk[T]]:
    """Every sale of ``window`` once, in chunks of whole days whose windows tile ``window`` exactly.

    Rows that pages repeat count once; rows that arrive meanwhile, and the order of rows within a page, change
    nothing. A chunk may come a second time for days whose pages came out of order: the later one is right.

    Args:
        keep: what is held of each sale until its chunk is whole; called by several threads at once. What it raises
            ends the fetch.

    Raises:
        DataError: a page key came twice, or an answer lacks what matters.
        TransientError, AuthError, RejectedError: as the client says.
    """
    if not window.days:
        return
    fetch = _Fetch(client, readers, keep)
    with contextlib.closing(fetch.run([Walk(window.start, window.end)])) as chunks:
        yield from chunks
    if again := fetch.late():
        second = _Fetch(client, readers, keep)
        with contextlib.closing(second.run([Walk(*days, whole=True) for days in again])) as chunks:
            yield from chunks
