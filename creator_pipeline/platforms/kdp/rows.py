"""Reads the rows of one tab. Its loop runs for every row, so what repeats from row to row is remembered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from operator import itemgetter

from creator_pipeline.platforms.kdp.cells import (
    ABSENT,
    Cell,
    Mark,
    decimal_mark,
    sign_currencies,
    text,
)
from creator_pipeline.platforms.kdp.columns import normal, spelling
from creator_pipeline.platforms.kdp.dates import Order, date_order
from creator_pipeline.platforms.kdp.dimensions import DimensionsReader
from creator_pipeline.platforms.kdp.measures import CACHED, measure_reader
from creator_pipeline.platforms.kdp.models import Dimensions, Measures, Row
from creator_pipeline.platforms.kdp.problems import OWN_FILE, BadCell, ReportError
from creator_pipeline.platforms.kdp.royalty_formula import check_royalty

_SNIFFED = 5000  # rows that decide the decimal mark
_NUMBERS = (
    "royalty",
    "accrued",
    "list_price",
    "offer_price",
    "delivery_cost",
    "any_cost",
    "manufacturing_cost",
    "file_size",
)
_MEASURES = (
    "units_sold",
    "units_refunded",
    "net_units",
    "net_units_or_kenp",
    "offer_price",
    "royalty",
    "kenp",
    "paid_units",
    "free_units",
)
_REMARK = re.compile(r"\D*\s\D*\s\D*")
"""What somebody wrote below rows that begin with a date: three words or more. A date that was cut off is shorter."""
_MODES = ("paid", "free", "kenp", "unknown")
_TEXTS = ("title", "author", "marketplace", "royalty_type", "transaction", "currency")


@dataclass(slots=True)
class SheetReader(DimensionsReader):
    """Reads all rows of one table."""

    def read(self) -> list[Row]:
        """Read all rows. A row that can't be read with certainty is left out and becomes a problem.

        Raises:
            ReportError: rows are cut off, or longer than the header.
        """
        for name in self.layout.unknown:
            self._note(f"The column {name!r} is unknown: it was not read.", column=name, found=name)
        if self.layout.recognized:
            said = ", ".join(f"{header!r} as {spelling(role)}" for header, role in self.layout.recognized)
            self._note(f"Columns recognized by what they hold: {said}.", row=self.table.row)
        rows = self._of_months(list(self._rows()))
        if len(self.grains) > 1:
            self.problems.add(
                "quarantine",
                "One tab mixes months and days, so its rows can't be assigned. " + OWN_FILE,
                sheet=self._tab,
                column=self._header(self.layout.sheet.date or "date"),
                found="2026-03 beside 2026-03-15",
                expected="dates of one kind",
            )
        return rows

    def _rows(self) -> Iterator[Row]:
        at, sheet = self.layout.at, self.layout.sheet
        if self.layout.words:
            self.table.rows = _with_plain_absence(self.table.rows, self.layout.words)
        head = list(islice(self.table.rows, _SNIFFED))
        mark = self._decimal_mark(head)
        self.date_order = self._date_order(head)
        check_royalty(self.layout, head, mark, self.problems, tab=self._tab)
        money = at.get("royalty")
        signed = money is not None and any(sign_currencies(cells[money]) for cells in head if money < len(cells))
        dimension_places = [at[name] for name in self._dimension_columns()]
        # Two places at least: itemgetter of one gives no tuple.
        pick_dimensions = itemgetter(*dimension_places, dimension_places[0])
        numbers = measure_reader(self.layout, mark)
        measure_places = [at[name] for name in _MEASURES if name in at]
        pick_measures = itemgetter(*measure_places, measure_places[0])
        known_measures: dict[str, dict[tuple[Cell, ...], Measures]] = {mode: {} for mode in _MODES}
        width = self.layout.width
        known: dict[tuple[Cell, ...], tuple[Dimensions, str]] = {}
        new, row_type, source_row = tuple.__new__, Row, self.table.row
        for cells in chain(head, self.table.rows):
            source_row += 1
            try:
                if len(cells) != width:
                    cells = self._fitted(cells, source_row)  # noqa: PLW2901 - blank tails are cut, nothing else
                    if not cells:
                        continue
                key = pick_dimensions(cells)
                entry = known.get(key)
                if entry is None:
                    entry = self._read_dimensions(cells, source_row, sheet)
                    if entry is None:
                        continue
                    if len(known) >= CACHED:
                        known.clear()
                    known[key] = entry
                dimensions, mode = entry
                by_cells = known_measures[mode]
                measures_key = pick_measures(cells)
                measures = by_cells.get(measures_key)
                if measures is None:
                    measures = Measures(*numbers(cells, mode))
                    if len(by_cells) < CACHED:
                        by_cells[measures_key] = measures
                if signed and money is not None:
                    _compare_sign(cells[money], dimensions.currency)
            except BadCell as bad:
                column = self._header(bad.column) if bad.column else None
                self.problems.add_cell(bad, sheet=self._tab, row=source_row, column=column)
                continue
            yield new(row_type, (source_row, measures, dimensions))

    def _dimension_columns(self) -> list[str]:
        sheet, at = self.layout.sheet, self.layout.at
        wanted = (*((sheet.date,) if sheet.date else ()), *self._id_columns(), *_TEXTS)
        return [name for name in dict.fromkeys(wanted) if name in at]

    def _decimal_mark(self, rows: Sequence[Sequence[Cell]]) -> Mark | None:
        places = [self.layout.at[name] for name in _NUMBERS if name in self.layout.at]
        return decimal_mark(cells[place] for cells in rows for place in places if place < len(cells))

    def _date_order(self, rows: Sequence[Sequence[Cell]]) -> Order | None:
        place = self.layout.at.get(self.layout.sheet.date or "")
        return None if place is None else date_order(cells[place] for cells in rows if place < len(cells))

    def _of_months(self, rows: list[Row]) -> list[Row]:
        """Rows whose dates a spreadsheet program made days of: 2026-03 becomes the first of March."""
        sheet = self.layout.sheet
        if not (self.rewritten and self.grains == {"day"} and sheet.kind == "sales" and first_of_months(self.days)):
            return rows
        if self.file_grain == "day":
            return rows
        if len(self.days) == 1 and self.file_grain is None:
            self.problems.add(
                "quarantine",
                "A spreadsheet program rewrote the dates, so that a month and its first day look alike. " + OWN_FILE,
                sheet=self._tab,
                column=self._header(sheet.date or "date"),
                found=str(min(self.days)),
                expected="2026-03 or 2026-03-01 as KDP writes it",
            )
            return rows
        self.grains = {"month"}
        names = {row.dimensions.slice for row in rows}
        months = {name: name[: name.rindex(":") + len(":2026-03")] for name in names}
        return [row._replace(dimensions=row.dimensions._replace(slice=months[row.dimensions.slice])) for row in rows]

    def _fitted(self, cells: Sequence[Cell], row: int) -> Sequence[Cell]:
        width = self.layout.width
        if not any(text(cell) for cell in cells):
            return ()
        if len(cells) > width and not any(text(cell) for cell in cells[width:]):
            return cells[:width]
        filled = [text(cell) for cell in cells if text(cell)]
        dated = self.layout.at.get(self.layout.sheet.date or "") == 0
        if len(filled) == 1 and (filled[0].startswith("*") or (dated and _REMARK.fullmatch(filled[0]))):
            self._note("A remark: it was left out.", row=row, found=filled[0])
            return ()
        short = len(cells) < width
        raise ReportError(
            f"Row {row} has {len(cells)} of {width} fields: the file was cut off or damaged."
            if short
            else f"Row {row} has {len(cells)} fields where the header has {width}.",
            hint=OWN_FILE,
            kind=self.layout.sheet.csv_kind or self.layout.family.kind,
            file=self.file,
            sheet=self._tab,
            row=row,
            found=f"{len(cells)} fields",
            expected=f"{width} fields",
        )


def _with_plain_absence(rows: Iterable[Sequence[Cell]], words: frozenset[str]) -> Iterator[Sequence[Cell]]:
    for cells in rows:
        yield [ABSENT if isinstance(cell, str) and normal(cell) in words else cell for cell in cells]


def _compare_sign(cell: Cell, currency: str | None) -> None:
    signs = sign_currencies(cell)
    if signs and currency is not None and currency not in signs:
        raise BadCell(cell, f"an amount in {currency}, as the row's currency says", column="royalty")


def first_of_months(days: Iterable[date]) -> bool:
    """Whether every day is the first of a month, as in the KENP rows of a monthly export."""
    return all(day.day == 1 for day in days)
