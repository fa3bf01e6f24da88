"""Finds the tables in the sheets of a workbook, and what is said of those that aren't read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Protocol

from creator_pipeline.platforms.kdp.cells import Cell, number, text
from creator_pipeline.platforms.kdp.columns import CURRENCIES, SALES_PERIOD, column, normal
from creator_pipeline.platforms.kdp.evidence import id_kind, is_shop
from creator_pipeline.platforms.kdp.formats import DECLARATIONS, ORDERS, ORDERS_PLACED
from creator_pipeline.platforms.kdp.header import (
    HEAD_ROWS,
    Layout,
    Source,
    find_layout,
    is_certain,
    recognized_layout,
)
from creator_pipeline.platforms.kdp.problems import NO_ROWS, TEACH, BadCell, Problem, ReportError, printable
from creator_pipeline.platforms.kdp.table import Table

_KNOWN_HEADERS = 5
_FEWEST_CURRENCIES = 3
_SALES_PERIOD_CELLS = 2


@dataclass(frozen=True, slots=True)
class Tab:
    """A table of a workbook.

    Attributes:
        name: of its tab.
        table, layout: None where it isn't read.
        problem: why it isn't read; None where it is.
    """

    name: str
    table: Table | None = None
    layout: Layout | None = None
    problem: Problem | None = None


class Sheets(Protocol):
    """The sheets of a workbook in its order."""

    names: list[str]

    def rows(self, name: str) -> Iterator[Sequence[Cell]]:
        """The rows of a sheet, from its first one."""
        ...


def tabs_of(sheets: Sheets, file: str, taught: Mapping[str, str]) -> Iterator[Tab]:
    """The tables of a workbook. Each must be read to its end before the next one is asked for.

    Raises:
        ReportError: a table that would be counted can't be read with certainty.
    """
    taken: set[str] = set()
    totals: dict[str, float] | None = None
    for name in sheets.names:
        rows = _Rows(sheets.rows(name))
        if not rows.more():
            yield Tab(name, problem=_unread(name, [], None))
        while rows.more():
            head = rows.head()
            by_header = _by_header(head, file, name, taught)
            if isinstance(by_header, Layout) and is_certain(by_header):
                layout: Layout | ReportError | None = by_header
            else:
                totals = _totals(sheets) if totals is None else totals
                source = Source(rows.all(), file, name, "xlsx", taught, totals, frozenset(taken))
                layout = _recognized(source, by_header)
            if not isinstance(layout, Layout):
                yield Tab(name, problem=_unread(name, rows.all(), layout))
                rows.skip()
                continue
            if layout.sheet is ORDERS and layout.sheet.name in taken:
                layout = replace(layout, sheet=ORDERS_PLACED)
            taken.add(layout.sheet.name)
            yield Tab(name, rows.below(layout, name), layout)
            rows.skip()


class _Rows:
    """The rows of a sheet, table by table: a blank row and another known header begin the next table."""

    def __init__(self, rows: Iterator[Sequence[Cell]]) -> None:
        self._rows = rows
        self._waiting: list[Sequence[Cell]] = []
        self._passed = 0
        self._ended = False

    def more(self) -> bool:
        """Whether there is another table."""
        self._ended = False
        return bool(self._look(1))

    def head(self) -> list[Sequence[Cell]]:
        """The first rows of the table."""
        return self._until_next(self._look(HEAD_ROWS))

    def all(self) -> list[Sequence[Cell]]:
        """All rows of the table."""
        return self._until_next(self._look(None))

    def below(self, layout: Layout, name: str) -> Table:
        """The rows below the header."""
        first = self._passed + layout.header_row + 1
        return Table(name, islice(self._take(), layout.header_row + 1, None), first)

    def skip(self) -> None:
        """Leave out what is left of the table."""
        for _ in self._take():
            pass

    def _look(self, count: int | None) -> list[Sequence[Cell]]:
        wanted = None if count is None else max(0, count - len(self._waiting))
        self._waiting += islice(self._rows, wanted)
        return self._waiting if count is None else self._waiting[:count]

    def _take(self) -> Iterator[Sequence[Cell]]:
        blank, first = False, True
        while not self._ended and self._look(1):
            if blank and not first and _begins_table(self._look(3)):
                self._ended = True
                return
            cells = self._waiting.pop(0) if len(self._waiting) < HEAD_ROWS else self._pop()
            self._passed += 1
            blank = not any(cells) and not any(map(text, cells))
            first = first and blank
            yield cells
        self._ended = True

    def _pop(self) -> Sequence[Cell]:
        # What was looked at as a whole goes back into one iterator: taking from a list's front is slow.
        self._rows, self._waiting = chain(self._waiting, self._rows), []
        return next(self._rows)

    @staticmethod
    def _until_next(rows: list[Sequence[Cell]]) -> list[Sequence[Cell]]:
        filled = False
        for index, cells in enumerate(rows):
            if filled and not any(map(text, cells)) and _begins_table(rows[index + 1 : index + 4]):
                return rows[: index + 1]
            filled = filled or any(map(text, cells))
        return rows


def _begins_table(rows: Sequence[Sequence[Cell]]) -> bool:
    """Whether a header stands here, or below the name of a table and its Sales Period."""
    filled = [[text(cell) for cell in cells if text(cell)] for cells in rows[:3]]
    if filled and len(filled[0]) == 1:
        filled = filled[1:]
    if filled and filled[0] and normal(filled[0][0]).rstrip(":") in SALES_PERIOD:
        filled = filled[1:]
    return (
        bool(filled) and sum(column(name) is not None for name in filled[0]) >= min(_KNOWN_HEADERS, len(filled[0])) > 1
    )


def _by_header(
    head: Sequence[Sequence[Cell]], file: str, name: str, taught: Mapping[str, str]
) -> Layout | ReportError | None:
    try:
        return find_layout(head, file=file, tab=name, kind="xlsx", taught=taught)
    except ReportError as error:
        return error


def _recognized(source: Source, by_header: Layout | ReportError | None) -> Layout | ReportError | None:
    """The layout, or why it isn't read where its rows don't count."""
    if not isinstance(by_header, Layout) and _is_summary(source.rows):
        return None
    try:
        return recognized_layout(source, by_header)
    except ReportError as error:
        if error.counted and not _is_empty(source.rows):
            raise
        return error


def _is_empty(rows: Sequence[Sequence[Cell]]) -> bool:
    """Whether a tab has nothing below its header; a Sales Period above it has two cells."""
    return sum(sum(map(bool, map(text, cells))) > _SALES_PERIOD_CELLS for cells in rows) <= 1


def _totals(sheets: Sheets) -> dict[str, float]:
    """The money by currency that the Summary states, in any language: its headers end with ``(USD)``, ``(GBP)``, …"""
    for name in sheets.names:
        rows = list(sheets.rows(name))
        for index, cells in enumerate(rows[:HEAD_ROWS]):
            money = _money_columns(cells)
            if len(money) >= _FEWEST_CURRENCIES:
                sums: defaultdict[str, float] = defaultdict(float)
                for below in rows[index + 1 :]:
                    for place, code in money.items():
                        sums[code] += _amount(below[place]) if place < len(below) else 0.0
                return dict(sums)
    return {}


def _is_summary(rows: Sequence[Sequence[Cell]]) -> bool:
    return any(len(_money_columns(cells)) >= _FEWEST_CURRENCIES for cells in rows[:HEAD_ROWS])


def _money_columns(cells: Sequence[Cell]) -> dict[int, str]:
    names = {place: column(text(cell)) or "" for place, cell in enumerate(cells)}
    codes = {f"royalty_{code.lower()}": code for code in CURRENCIES}
    return {place: codes[name] for place, name in names.items() if name in codes}


def _amount(cell: Cell) -> float:
    try:
        return float(number(cell, "."))
    except BadCell:
        return 0.0


def _unread(name: str, rows: Sequence[Sequence[Cell]], error: ReportError | None) -> Problem:
    """What is said of a tab that isn't read. One that holds rows of books is never passed over in silence."""
    filled = [[text(cell) for cell in cells if text(cell)] for cells in rows]
    body = [names for names in filled if len(names) >= _KNOWN_HEADERS][1:]
    header = ", ".join(max(filled[:HEAD_ROWS], key=len, default=[]))
    books = any(any(is_shop(cell) or id_kind(cell) for cell in cells) for cells in rows)
    ours = any(sheet.named(name) and sheet.kind not in {"text", "summary"} for _, sheet in DECLARATIONS)
    if error is not None and _is_empty(rows):
        return Problem("note", name, None, None, printable(header), None, NO_ROWS)
    if error is not None:
        hint = f"This tab was not read; its rows count nothing. {error}"
        return Problem("note", name, None, str(error.where().get("column") or ""), printable(header), None, hint)
    if _is_summary(rows):
        hint = "This is the Summary in words that we don't know: it was not compared with the rows."
        return Problem("note", name, None, None, printable(header), None, hint)
    if books or (ours and body):
        hint = f"This tab holds rows, and its header isn't known: nothing of the file counts. {TEACH}"
        return Problem("quarantine", name, 1, None, printable(header), "a header of one of KDP's reports", hint)
    if ours:
        return Problem("note", name, 1, None, printable(header), None, "This tab of KDP's holds no rows.")
    if header and _is_empty(rows):
        return Problem("note", name, None, None, printable(header), None, NO_ROWS)
    return Problem("note", name, None, None, name, None, "This tab is none of KDP's: it was not read.")
