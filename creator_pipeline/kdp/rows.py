"""The rows of one tab, typed. The one loop that runs for every row: what repeats from row to row is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice
from operator import itemgetter
from typing import TypeVar

from creator_pipeline.kdp.cells import (
    Cell,
    Grain,
    Mark,
    currency,
    day_or_month,
    decimal_mark,
    is_print,
    product_id,
    royalty_type,
    text,
)
from creator_pipeline.kdp.columns import MARKETPLACE_CURRENCY, SALES_PERIOD, normal, spelling, transaction
from creator_pipeline.kdp.figures import CACHED, figures_of
from creator_pipeline.kdp.header import Layout
from creator_pipeline.kdp.model import Facts, Figures, Row, slice_name
from creator_pipeline.kdp.refusals import OWN_FILE, BadCell, Findings, ReportError
from creator_pipeline.kdp.report import Sheet
from creator_pipeline.kdp.table import Table

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
_FREE = frozenset({"free_promotion", "free_price_match"})
_TEXTS = ("title", "author", "marketplace", "royalty_type", "transaction", "currency")

T = TypeVar("T")


@dataclass(slots=True)
class SheetReader:
    """Reads one table.

    Args:
        month: of the whole file, where its rows have no date.
        kenp_grain: what the days of KENP rows stand for.
    """

    table: Table
    layout: Layout
    findings: Findings
    file: str
    month: date | None = None
    kenp_grain: Grain | None = None
    grains: set[Grain] = field(default_factory=set["Grain"])
    days: set[date] = field(default_factory=set[date])
    _seen_words: set[str] = field(default_factory=set[str])

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

    @property
    def _tab(self) -> str | None:
        return self.table.name or None

    def _header(self, name: str) -> str:
        place = self.layout.at.get(name)
        return spelling(name) if place is None else self.layout.names[place]

    def _note(self, hint: str, *, row: int | None = None, column: str | None = None, found: str | None = None) -> None:
        self.findings.add("note", hint, sheet=self._tab, row=row, column=column, found=found)

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

    def _id_columns(self) -> list[str]:
        names = dict.fromkeys((*self.layout.sheet.ids, "asin", "isbn"))
        return [name for name in names if name in self.layout.at]

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

    def _static(self, cells: Sequence[Cell], row: int, sheet: Sheet) -> tuple[Facts, str] | None:
        """What doesn't change between rows alike, and how the numbers are meant; None for a row that is none."""
        texts = [text(cell) for cell in cells]
        if not any(texts):
            return None
        if texts == list(self.layout.names):
            return None
        if normal(texts[0]).rstrip(":") in SALES_PERIOD:
            raise BadCell(texts[0], "one report per file; this is the beginning of another", "Upload them one by one.")
        at = self.layout.at
        cell = {name: cells[place] for name, place in at.items()}
        asin, isbn = self._ids(cell, row)
        product = isbn or asin or ""
        shop = text(cell["marketplace"])
        if not product and not (text(cell["currency"]) if "currency" in cell else shop):
            self._note("A totals row: it was left out.", row=row, found=texts[0])
            return None
        if not product:
            raise BadCell(texts[0], "a product id", column=self._id_columns()[0])
        if not shop:
            raise BadCell("", "a marketplace", column="marketplace")
        day, grain = self._date(cell, sheet)
        word = text(cell.get("transaction"))
        code = transaction(word) if word else None
        kind = "kenp" if code == "kenp" else sheet.kind
        form = "kenp" if kind == "kenp" else sheet.format or self._format(product, word)
        share = _in("royalty_type", royalty_type, cell["royalty_type"]) if "royalty_type" in cell else None
        money = _in("currency", currency, cell["currency"]) if "currency" in cell else None
        self._tell_unknown(word, code, row)
        measure = sheet.measure or ("kenp" if kind == "kenp" else _measure(form))
        month = day.isoformat()[:7]
        event = (
            month,
            "print" if measure == "sales/print" else str(form or kind),
            product,
            normal(shop),
            share or "",
            _event_code(kind, code, word, share, measure),
            money or MARKETPLACE_CURRENCY.get(normal(shop), "") if kind != "orders" else "",
        )
        static = Facts(
            self.table.name,
            kind,
            slice_name(measure, day, grain),
            event,
            day,
            month,
            asin,
            isbn,
            text(cell.get("title")) or None,
            text(cell.get("author")) or None,
            shop,
            share,
            word or None,
            form,
            money,
            kind != "orders",
        )
        mode = "kenp" if kind == "kenp" else "free" if code in _FREE else "paid" if code or not word else "unknown"
        return static, mode

    def _ids(self, cell: dict[str, Cell], row: int) -> tuple[str | None, str | None]:
        asin = isbn = None
        for name in self._id_columns():
            identifier, repaired = _in(name, product_id, cell[name])
            if repaired:
                self._note("A damaged id was repaired; its check digit proves it.", row=row, found=text(cell[name]))
            if not identifier:
                continue
            if name == "isbn" or (name == "asin_isbn" and is_print(identifier)):
                isbn = isbn or identifier
            else:
                asin = asin or identifier
        return asin, isbn

    def _date(self, cell: dict[str, Cell], sheet: Sheet) -> tuple[date, Grain]:
        if sheet.date is None:
            if self.month is None:
                raise BadCell("", "the month above the header")
            self.days.add(self.month)
            self.grains.add("month")
            return self.month, "month"
        day, grain = _in(sheet.date, day_or_month, cell[sheet.date])
        if sheet.kind == "kenp" and self.kenp_grain == "month":
            # In monthly exports KENP is dated on the first of its month.
            day, grain = day.replace(day=1), "month"
        self.days.add(day)
        self.grains.add(grain)
        return day, grain

    def _format(self, product: str, word: str) -> str:
        if not is_print(product):
            return "ebook"
        # Combined Sales calls hardcovers paperbacks, so only the other word is believed.
        return "hardcover" if "hardcover" in normal(word) else "print"

    def _tell_unknown(self, word: str, code: str | None, row: int) -> None:
        if word and code is None and normal(word) not in self._seen_words:
            self._seen_words.add(normal(word))
            self._note(
                "An unknown transaction type: counted as a sale unless it was given away for nothing.",
                row=row,
                column=self._header("transaction"),
                found=word,
            )


def _in(column: str, convert: Callable[[Cell], T], cell: Cell) -> T:
    try:
        return convert(cell)
    except BadCell as bad:
        bad.column = column
        raise


def _measure(form: str | None) -> str:
    return "sales/print" if form in {"paperback", "hardcover", "print"} else "sales/digital"


def _event_code(kind: str, code: str | None, word: str, share: str | None, measure: str) -> str:
    if kind != "sales":
        return kind
    if word:
        return code or normal(word)
    # The print tabs of the final report have no transaction type; 40% is the share of Expanded Distribution alone.
    return "expanded" if measure == "sales/print" and share == "40%" else "standard"


def first_of_months(days: Iterable[date]) -> bool:
    """Whether all days are firsts of a month, as KENP rows of a monthly export are."""
    return all(day.day == 1 for day in days)
