"""The rows of one tab, typed. The one loop that runs for every row: what repeats from row to row is looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from operator import itemgetter

from creator_pipeline.platforms.kdp.cells import (
    Cell,
    Mark,
    decimal_mark,
    text,
)
from creator_pipeline.platforms.kdp.facts import FactsReader
from creator_pipeline.platforms.kdp.figures import CACHED, figures_of
from creator_pipeline.platforms.kdp.model import Facts, Figures, Row
from creator_pipeline.platforms.kdp.refusals import OWN_FILE, BadCell, ReportError

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
_FIGURES = (
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
_MODES = ("paid", "free", "kenp", "unknown")
_TEXTS = ("title", "author", "marketplace", "royalty_type", "transaction", "currency")


@dataclass(slots=True)
class SheetReader(FactsReader):
    """Reads one table."""

    def read(self) -> list[Row]:
        """All rows; a row that can't be read with certainty is left out and reported.

        Raises:
            ReportError: rows are cut off, or longer than the header.
        """
        for name in self.layout.unknown:
            self._note(f"The column {name!r} is unknown: it was not read.", column=name, found=name)
        rows = list(self._rows())
        if len(self.grains) > 1:
            self.findings.add(
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
        head = list(islice(self.table.rows, _SNIFFED))
        mark = self._mark(head)
        statics = [at[name] for name in self._static_columns()]
        # Two places at least: itemgetter of one gives no tuple.
        pick = itemgetter(*statics, statics[0])
        numbers = figures_of(self.layout, mark)
        places = [at[name] for name in _FIGURES if name in at]
        pick_figures = itemgetter(*places, places[0])
        known_figures: dict[str, dict[tuple[Cell, ...], Figures]] = {mode: {} for mode in _MODES}
        width = self.layout.width
        known: dict[tuple[Cell, ...], tuple[Facts, str]] = {}
        new, row_type, source_row = tuple.__new__, Row, self.table.row
        for cells in chain(head, self.table.rows):
            source_row += 1
            try:
                if len(cells) != width:
                    cells = self._fitted(cells, source_row)  # noqa: PLW2901 - blank tails are cut, nothing else
                    if not cells:
                        continue
                key = pick(cells)
                entry = known.get(key)
                if entry is None:
                    entry = self._static(cells, source_row, sheet)
                    if entry is None:
                        continue
                    if len(known) >= CACHED:
                        known.clear()
                    known[key] = entry
                static, mode = entry
                by_cells = known_figures[mode]
                figures_key = pick_figures(cells)
                figures = by_cells.get(figures_key)
                if figures is None:
                    figures = Figures(*numbers(cells, mode))
                    if len(by_cells) < CACHED:
                        by_cells[figures_key] = figures
            except BadCell as bad:
                self.findings.add(
                    "quarantine",
                    bad.hint,
                    sheet=self._tab,
                    row=source_row,
                    column=self._header(bad.column) if bad.column else None,
                    found=bad.found,
                    expected=bad.expected,
                )
                continue
            yield new(row_type, (source_row, figures, static))

    def _static_columns(self) -> list[str]:
        sheet, at = self.layout.sheet, self.layout.at
        wanted = (*((sheet.date,) if sheet.date else ()), *self._id_columns(), *_TEXTS)
        return [name for name in dict.fromkeys(wanted) if name in at]

    def _mark(self, rows: Sequence[Sequence[Cell]]) -> Mark | None:
        places = [self.layout.at[name] for name in _NUMBERS if name in self.layout.at]
        return decimal_mark(cells[place] for cells in rows for place in places if place < len(cells))

    def _fitted(self, cells: Sequence[Cell], row: int) -> Sequence[Cell]:
        width = self.layout.width
        if not any(text(cell) for cell in cells):
            return ()
        if len(cells) > width and not any(text(cell) for cell in cells[width:]):
            return cells[:width]
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


def first_of_months(days: Iterable[date]) -> bool:
    """Whether all days are firsts of a month, as KENP rows of a monthly export are."""
    return all(day.day == 1 for day in days)
