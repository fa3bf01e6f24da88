"""Several readers at once: an idle one takes over older days of the window that would take longest.

A small account costs hardly a request more than it must, and a large one is read in parallel, though neither its size
nor its age is known beforehand.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic

from creator_pipeline.platforms.gumroad.answers import SlowQueryError
from creator_pipeline.platforms.gumroad.catalog import PAGE_SIZE
from creator_pipeline.platforms.gumroad.window_reader import Chunk, SalesPass, T, WindowReader

SPLIT_PAGES = 25
"""Pages read for each split but the first ones: a split costs up to one page more, so at most 4 %. As many pages are
assumed to be left of a window that begins before the account did."""
SPLIT_SECONDS = 0.5
"""What reading the rest page after page must take: a split that saves less isn't worth its page."""
MIN_PAGE_SECONDS = 0.005
"""A page that comes faster keeps one reader's processor busy: more readers would only slow each other down."""
FIRST_SPLITS_PAGES = 3
"""Pages between the first splits, one for each reader."""
KEPT_PAGES = 11
"""Pages that a reader keeps, about, when its window is split early; later it keeps as many as were read so far."""
MIN_ROWS_TO_SPLIT = PAGE_SIZE
"""Sales that each window must have shown before one is split."""
MAX_WAITED_SHARE = 0.2
"""Of the readers' time: when more of it is spent on waiting for the token's pace, more readers would bring nothing."""


class ParallelReader(Generic[T]):
    """Reads windows by several threads. Nothing is split while the token's pace is what the threads wait for.

    Args:
        sales: the pass that the windows belong to.
        readers: threads.
    """

    def __init__(self, sales: SalesPass[T], readers: int) -> None:
        self._pass = sales
        self._readers = readers
        self._waiting: deque[WindowReader[T]] = deque()
        self._active: list[WindowReader[T]] = []
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._pages = self._splits = 0
        self._seconds = 0.0
        # None: a thread has ended. Bounded, so that a slow database slows the readers instead of filling memory.
        self._chunks: queue.Queue[Chunk[T] | None] = queue.Queue(maxsize=readers)

    def read(self, windows: Iterable[WindowReader[T]]) -> Generator[Chunk[T]]:
        """Chunks in the order in which they are complete; see :class:`Strategy`.

        Raises:
            BaseException: the first error of a thread, once all threads have ended; see :class:`Strategy`.
        """
        self._waiting.extend(windows)
        with ThreadPoolExecutor(self._readers, thread_name_prefix="gumroad-sales") as pool:
            running = self._readers
            for _ in range(self._readers):
                pool.submit(self._run)
            try:
                while running:
                    chunk = self._chunks.get()
                    if chunk is None:
                        running -= 1
                    else:
                        yield chunk
                if self._error:
                    raise self._error
            finally:
                self._stop(GeneratorExit())
                while running:
                    running -= self._chunks.get() is None

    def _stop(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while (window := self._next_window()) is not None:
                with contextlib.closing(window):
                    self._read_window(window)
                with self._changed:
                    self._active.remove(window)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - the consumer raises it
            self._stop(error)
        finally:
            self._chunks.put(None)

    def _next_window(self) -> WindowReader[T] | None:
        """The next window to read, once there is one; None when nothing is left."""
        with self._changed:
            while not self._error:
                window = self._waiting.popleft() if self._waiting else self._split()
                if window is not None:
                    self._active.append(window)
                    return window
                if not self._active:
                    return None
                self._changed.wait()
            return None

    def _read_window(self, window: WindowReader[T]) -> None:
        while not self._error and not window.complete:
            try:
                page = window.fetch_page()
            except SlowQueryError as error:
                with self._changed:
                    self._waiting.append(window.halve(error))
                    self._changed.notify_all()
                continue
            with self._changed:
                self._pages += 1
                self._seconds += page.seconds
                chunk = window.add_page(page)
                # An idle reader may wait for this page to show how much is left. To wake it for nothing would cost
                # each page a fifth more.
                if self._waiting or self._best_split() is not None:
                    self._changed.notify()
            if chunk is not None:
                self._chunks.put(chunk)

    def _split(self) -> WindowReader[T] | None:
        best = self._best_split()
        if best is None:
            return None
        window, days_kept = best
        self._splits += 1
        return window.split_off(days_kept)

    def _best_split(self) -> tuple[WindowReader[T], int] | None:
        """The window to split and the days that it keeps; None where no split is worth its page."""
        # An account of two pages pays for one split at most.
        first = min(self._readers - 1, 1 + self._pages // FIRST_SPLITS_PAGES)
        # Until each reader has read the pages it kept, the account may well end with them: nothing would be split off.
        later = self._pages // SPLIT_PAGES if self._pages > self._readers * KEPT_PAGES else 0
        if not self._pages or self._splits >= first + later:
            return None
        waited = self._pass.waited_seconds()
        if waited > MAX_WAITED_SHARE * self._seconds:
            return None
        page_seconds = max(0.0, self._seconds - waited) / self._pages
        if page_seconds < MIN_PAGE_SECONDS:
            return None
        # A window that has shown nothing yet may be empty, or be the longest of all: its first page tells.
        if any(window.rows_read < MIN_ROWS_TO_SPLIT for window in self._active):
            return None
        splittable = [window for window in self._active if window.days_left() >= 2]
        longest = max(splittable, key=WindowReader.pages_left, default=None)
        if longest is None:
            return None
        left = min(longest.pages_left(), max(SPLIT_PAGES, self._pages))
        if left < KEPT_PAGES / 2 or left * page_seconds < SPLIT_SECONDS:
            return None
        # A window that is split later keeps a page less: all readers end their first pages at the same time.
        early = KEPT_PAGES + self._readers // 2 - self._splits
        pages_kept = min(longest.pages_left() / 2, max(early, self._pages))
        return longest, round(pages_kept * PAGE_SIZE / longest.rows_per_day())
