"""All sales of a window of days, in one pass over the API, in chunks of whole days."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Generic

from creator_pipeline.core.windows import DayWindow, contiguous
from creator_pipeline.platforms.gumroad import window_reader
from creator_pipeline.platforms.gumroad.answers import Json, SlowQueryError
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.page_keys import PageKeys
from creator_pipeline.platforms.gumroad.parallel_reader import ParallelReader
from creator_pipeline.platforms.gumroad.window_reader import (
    Chunk,
    SalesPass,
    Strategy,
    T,
    WindowReader,
)

READERS = 5
MIN_SPLIT_DAYS = 3
"""Days of a window that can be split: the day that pages have reached stays, and so does the next one."""
MIN_CHUNK_ROWS = 300
"""Sales for which smaller chunks, such as the readers of a small account make, wait to be merged."""


class SequentialReader(Generic[T]):
    """Reads windows one after the other, in the caller's thread."""

    def read(self, windows: Iterable[WindowReader[T]]) -> Generator[Chunk[T]]:
        """Chunks, newest first within a window; see :class:`Strategy`."""
        waiting = list(windows)
        while waiting:
            with contextlib.closing(waiting.pop()) as window:
                while not window.complete:
                    try:
                        page = window.fetch_page()
                    except SlowQueryError as error:
                        waiting.append(window.halve(error))
                        continue
                    chunk = window.add_page(page)
                    if chunk is not None:
                        yield chunk


def fetch_sales(
    client: GumroadClient,
    window: DayWindow,
    *,
    make_row: Callable[[Json], T | None],
    readers: int = READERS,
    keys: PageKeys | None = None,
) -> Generator[Chunk[T]]:
    """Every sale of ``window`` once, in chunks of whole days whose windows tile ``window`` exactly.

    A sale that pages repeat counts once; sales that arrive meanwhile, and the order of sales within a page, change
    nothing. A chunk may come a second time for days whose pages came out of order: the later one is right.

    Args:
        client: of the account.
        window: half-open, UTC days; an empty one asks nothing.
        make_row: makes the row that is held of a sale until its chunk is whole, None of one that is left out. May be
            called by several threads at once; an error that it raises ends the fetch.
        readers: threads at most; 1 for none beside the caller's.
        keys: makes the keys of the pages; None for the server's own.

    Raises:
        DataError: a page key came twice, or an answer lacks what matters.
        TransientError: the query for a single day times out, or the client says so.
        PipelineError: as the client says.
    """
    if not window.days:
        return
    sales = SalesPass(client, make_row, keys=keys)
    yield from _read([window], sales, readers)
    if sales.late_days:
        whole = SalesPass(client, make_row, whole_windows=True, keys=keys)
        yield from _read(contiguous(sales.late_days), whole, readers)


def _read(windows: Sequence[DayWindow], sales: SalesPass[T], readers: int) -> Generator[Chunk[T]]:
    parallel = readers > 1 and sum(window.days for window in windows) >= MIN_SPLIT_DAYS
    strategy: Strategy[T] = ParallelReader(sales, readers) if parallel else SequentialReader()
    with contextlib.closing(strategy.read([WindowReader(sales, window) for window in windows])) as chunks:
        yield from _merged_while_small(chunks)


def _merged_while_small(chunks: Iterable[Chunk[T]]) -> Generator[Chunk[T]]:
    held: list[Chunk[T]] = []
    try:
        for chunk in chunks:
            held.append(chunk)
            if sum(len(held_chunk.sales) for held_chunk in held) >= MIN_CHUNK_ROWS:
                yield from merged(held, window_reader.CHUNK_ROWS)
                held = []
    except Exception:
        # Their days are complete: they needn't be read again by the next run.
        yield from merged(held, window_reader.CHUNK_ROWS)
        raise
    yield from merged(held, window_reader.CHUNK_ROWS)


def merged(chunks: Iterable[Chunk[Any]], max_rows: int) -> list[Chunk[Any]]:
    """The chunks, those that touch merged, newest first: each is a transaction, which costs as much as a hundred sales.

    Args:
        max_rows: rows of a chunk to which nothing is added any more.
    """
    found: list[Chunk[Any]] = []
    for chunk in sorted(chunks, key=lambda chunk: chunk.window):
        last = found[-1] if found else None
        if last is not None and last.window.end == chunk.window.start and len(last.sales) < max_rows:
            found[-1] = Chunk(DayWindow(last.window.start, chunk.window.end), [*last.sales, *chunk.sales])
        else:
            found.append(chunk)
    return found[::-1]
