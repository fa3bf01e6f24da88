"""Reads the sales of one window page by page, newest first, and tells which days are complete."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from datetime import date, timedelta
from typing import Generic, NamedTuple, Protocol, TypeVar

from creator_pipeline.core.errors import TransientError
from creator_pipeline.core.pending_request import PendingRequest
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.gumroad.answers import Json, SlowQueryError, repeated_key
from creator_pipeline.platforms.gumroad.catalog import PAGE_SIZE
from creator_pipeline.platforms.gumroad.client import GumroadClient, SalesPage
from creator_pipeline.platforms.gumroad.page_keys import PageKeys

CHUNK_ROWS = 2_000
"""Rows of complete days that make a chunk before the window is read to its end: bounds memory."""
RECENT_IDS = 2_000
"""Ids remembered, to recognize a sale that a later page repeats."""

_ONE_DAY = timedelta(days=1)


class Row(Protocol):
    """A row made of a sale."""

    @property
    def id(self) -> str:
        """Gumroad's id of the sale."""
        ...

    @property
    def partition_day(self) -> date:
        """The UTC day of the sale."""
        ...


T = TypeVar("T", bound=Row)


class Chunk(NamedTuple, Generic[T]):
    """Every sale of the days of ``window``."""

    window: DayWindow
    sales: list[T]


class Page(NamedTuple, Generic[T]):
    """The rows of one page, the key of the next one (None on the last), and the seconds waited for it."""

    rows: list[T]
    next_key: str | None
    seconds: float


class SalesPass(Generic[T]):
    """One pass over an account's sales: what the readers of its windows share.

    Args:
        client: of the account.
        make_row: makes a row of a sale, None of one that doesn't count; may be called by several threads at once.
        whole_windows: a window is one chunk, because its days may come out of order.
        keys: makes the key of the next page; None for the server's own.

    Attributes:
        late_days: days of which a sale came after the day had been handed on: the order of the pages was broken.
    """

    def __init__(
        self,
        client: GumroadClient,
        make_row: Callable[[Json], T | None],
        *,
        whole_windows: bool = False,
        keys: PageKeys | None = None,
    ) -> None:
        self.client = client
        self.make_row = make_row
        self.keys = keys or PageKeys()
        self.whole_windows = whole_windows
        self.late_days: set[date] = set()
        self._waited_before = client.usage.waited_seconds

    def waited_seconds(self) -> float:
        """Seconds that the token's pace, or a retry, has cost."""
        return self.client.usage.waited_seconds - self._waited_before


class Strategy(Protocol[T]):
    """A way to read windows: one after the other, or several at once."""

    def read(self, windows: Iterable[WindowReader[T]]) -> Generator[Chunk[T]]:
        """Chunks of whole days that tile the windows.

        Raises:
            TransientError: the query for a single day times out, or the client says so.
            PipelineError: as the client says.
        """
        ...


class WindowReader(Generic[T]):
    """Reads one window. Only :meth:`fetch_page` may be called while another thread calls :meth:`split_off`.

    Args:
        sales: the pass that this is a part of.
        window: of at least one day.

    Attributes:
        complete: the last page of the window has been added.
        rows_read: of all pages so far.
    """

    def __init__(self, sales: SalesPass[T], window: DayWindow) -> None:
        self.complete = False
        self.rows_read = 0
        self._pass = sales
        self._start, self._end = window
        # Days from here on have been handed on, or belong to nobody.
        self._handed_on = self._end
        # Pages so far have reached this day; it may go on in the next one.
        self._oldest = self._end
        self._days_seen: tuple[date, date] | None = None
        self._rows: dict[date, list[T]] = {}
        self._rows_held = 0
        self._recent_ids: deque[str] = deque(maxlen=RECENT_IDS)
        self._known_ids: set[str] = set()
        self._key: str | None = None
        self._keys: set[str] = set()
        self._ahead: PendingRequest[SalesPage] | None = None

    def close(self) -> None:
        """Cancel the request that is under way."""
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead = None

    def fetch_page(self) -> Page[T]:
        """Wait for the next page and make its rows; the page after it is asked for before the rows are made.

        Raises:
            SlowQueryError: the window is too long for the server; :meth:`halve` it.
            PipelineError: as the client says.
        """
        client, began = self._pass.client, time.monotonic()
        request = self._ahead or client.start_sales_page(self._window(), self._key)
        self._ahead = None
        page = request.result()
        next_key = self._pass.keys.following(self._key, page.next_key)
        seconds = time.monotonic() - began
        # The server works on the next page while this one is made into rows. Where readers wait for the token's pace,
        # that would gain nothing.
        if next_key and not self._pass.waited_seconds() and not self._reaches_before(page.sales):
            self._ahead = client.start_sales_page(self._window(), next_key)
        made = (self._pass.make_row(sale) for sale in page.sales)
        return Page([row for row in made if row is not None], next_key, seconds)

    def add_page(self, page: Page[T]) -> Chunk[T] | None:
        """Add a page's rows; returns a chunk if complete days have enough rows, or if the window is complete.

        Raises:
            DataError: a page key came twice.
        """
        own = [row for row in page.rows if self._start <= row.partition_day < self._end]
        self._pass.late_days.update(row.partition_day for row in own if not self._add(row))
        days = [row.partition_day for row in own]
        newest = max(days, default=None)
        if newest is not None:
            self._days_seen = min(days), self._days_seen[1] if self._days_seen else newest
        self.rows_read += len(page.rows)
        if page.next_key is None or any(row.partition_day < self._start for row in page.rows):
            self.complete = True
            return self._take_days(self._start)
        if page.next_key in self._keys:
            raise repeated_key("/v2/sales", page.next_key)
        self._keys.add(page.next_key)
        self._key = page.next_key
        if newest is not None:
            # The newest day of this page, not the oldest: rows within a page may stand in any order.
            self._oldest = min(self._oldest, newest)
        return self._take_days(self._oldest + _ONE_DAY) if self._has_chunk() else None

    def days_left(self) -> int:
        """Days older than those that pages have reached."""
        return (self._oldest - self._start).days

    def rows_per_day(self) -> float:
        """Sales a day of the part read so far."""
        first, last = self._days_seen or (self._oldest, self._end)
        return self.rows_read / max(1, (last - first).days)

    def pages_left(self) -> float:
        """Pages left if the rest of the window has as many sales a day as the part read so far."""
        return self.rows_per_day() * self.days_left() / PAGE_SIZE

    def split_off(self, days_kept: int) -> WindowReader[T]:
        """Give up the days older than the next ``days_kept``, at least one day; returns a reader of those."""
        kept = min(max(1, days_kept), self.days_left() - 1)
        middle = self._oldest - timedelta(days=kept)
        older = WindowReader(self._pass, DayWindow(self._start, middle))
        self._start = middle
        return older

    def halve(self, error: SlowQueryError) -> WindowReader[T]:
        """Give up the older half of what is left, as the server found it too long; returns a reader of that half.

        Raises:
            TransientError: only one day is left.
        """
        # The day that pages have reached stays with this reader.
        if self.days_left() < (2 if self._oldest == self._end else 1):
            raise TransientError(f"{error.message} This happened for {self._start} alone.") from error
        return self.split_off(self.days_left() // 2)

    def _window(self) -> DayWindow:
        return DayWindow(self._start, self._end)

    def _reaches_before(self, sales: Iterable[Json]) -> bool:
        """Whether a sale of before the window is among these, as far as their text tells."""
        start = self._start.isoformat()
        return any(str(sale.get("created_at", ""))[:10] < start for sale in sales)

    def _add(self, row: T) -> bool:
        """Add the row, once; returns False where its day has been handed on."""
        if row.id in self._known_ids:
            return True
        if len(self._recent_ids) == RECENT_IDS:
            self._known_ids.discard(self._recent_ids[0])
        self._recent_ids.append(row.id)
        self._known_ids.add(row.id)
        if row.partition_day >= self._handed_on:
            return False
        self._rows.setdefault(row.partition_day, []).append(row)
        self._rows_held += 1
        return True

    def _has_chunk(self) -> bool:
        """Whether the days that no later page adds to have enough rows."""
        if self._pass.whole_windows or self._rows_held < CHUNK_ROWS:
            return False
        return sum(len(rows) for day, rows in self._rows.items() if day > self._oldest) >= CHUNK_ROWS

    def _take_days(self, first: date) -> Chunk[T]:
        """The days from ``first`` to those handed on before."""
        window = DayWindow(first, self._handed_on)
        days = sorted(day for day in self._rows if day >= first)
        rows = [row for day in days for row in self._rows.pop(day)]
        self._rows_held -= len(rows)
        self._handed_on = first
        return Chunk(window, rows)
