"""Reads what a row is about: its book, shop, time and kind. All of it repeats from row to row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from creator_pipeline.core.money import CODES
from creator_pipeline.platforms.kdp.cells import Cell, absent, currency, product_id, royalty_type, text
from creator_pipeline.platforms.kdp.columns import MARKETPLACE_CURRENCY, SALES_PERIOD, normal, spelling, transaction
from creator_pipeline.platforms.kdp.dates import Grain, Order, day_or_month, looks_like_date
from creator_pipeline.platforms.kdp.formats import Sheet
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.isbn import is_print
from creator_pipeline.platforms.kdp.models import Dimensions, slice_name
from creator_pipeline.platforms.kdp.problems import BadCell, ProblemList
from creator_pipeline.platforms.kdp.table import Table

_FREE = frozenset({"free_promotion", "free_price_match"})
_HARDCOVER = ("hardcover", "tapa dura", "capa dura", "copertina rigida", "relié", "gebunden", "ハードカバー", "精装")
_PAPERBACK = (
    *("paperback", "tapa blanda", "capa comum", "copertina flessibile", "broché", "taschenbuch"),
    *("ペーパーバック", "平装"),
)
_TOTAL = re.compile(
    r"(?:grand |sub)?total\w*|totaal|gesamt\w*|summe|sum|suma|somme|razem|toplam|итого|всего|合計|総計|合计|总计|합계|"
    r"कुल|المجموع|συνολο"
)
"""First words of a row of totals that somebody added."""
_EBOOK_SHARES = frozenset({"35%", "70%"})
UNKNOWN_CURRENCY = "No such currency is known: this row was left out, and the other rows count."

T = TypeVar("T")


@dataclass(slots=True)
class DimensionsReader:
    """Reads the dimensions of a table's rows.

    Attributes:
        table: the rows.
        layout: where their columns are.
        problems: where problems are added.
        file: name of the file, for messages.
        month: month of the whole file, where its rows have no date.
        file_grain: whether the dates of the tabs before stand for months or days; None where only the rows tell it.
        date_order: order of year, month and day in dates of numbers; None where the column doesn't tell.
        rewritten: whether a date was met that a spreadsheet program rewrote.
        grains: whether dates were months or days, so far.
        days: days met so far; of a month its first day.
    """

    table: Table
    layout: Layout
    problems: ProblemList
    file: str
    month: date | None = None
    file_grain: Grain | None = None
    date_order: Order | None = None
    rewritten: bool = False
    grains: set[Grain] = field(default_factory=set["Grain"])
    days: set[date] = field(default_factory=set[date])
    _seen_words: set[str] = field(default_factory=set[str])

    @property
    def _tab(self) -> str | None:
        return self.table.name or None

    def _header(self, name: str) -> str:
        place = self.layout.at.get(name)
        return spelling(name) if place is None else self.layout.names[place]

    def _note(self, hint: str, *, row: int | None = None, column: str | None = None, found: str | None = None) -> None:
        self.problems.add("note", hint, sheet=self._tab, row=row, column=column, found=found)

    def _id_columns(self) -> list[str]:
        names = dict.fromkeys((*self.layout.sheet.ids, "asin", "isbn"))
        return [name for name in names if name in self.layout.at]

    def _read_dimensions(self, cells: Sequence[Cell], row: int, sheet: Sheet) -> tuple[Dimensions, str] | None:
        """The dimensions of a row, and its mode: ``paid``, ``free``, ``kenp`` or ``unknown``.

        None for a row that is to be left out: an empty one, a repeated header, a row of totals.
        """
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
        if not product and self._is_total(cell, texts, sheet):
            self._note("A totals row: it was left out.", row=row, found=texts[0])
            return None
        if not product:
            raise BadCell(texts[0], "a product id", column=self._id_columns()[0])
        if not shop:
            raise BadCell("", "a marketplace", column="marketplace")
        day, grain = self._date(cell, sheet)
        word = text(cell.get("transaction"))
        code = transaction(word) if word else None
        # In Total Earnings only page reads have no rate, in every language.
        pages = "net_units_or_kenp" in at and absent(cell.get("royalty_type", ""))
        kind = "kenp" if code == "kenp" or pages else sheet.kind
        share = _in("royalty_type", royalty_type, cell["royalty_type"]) if "royalty_type" in cell else None
        form = "kenp" if kind == "kenp" else self._format_of_tab(sheet, product, word, share)
        if form == "ebook" and kind == "sales" and is_print(product):
            # The old Sales & Royalties report has books of every format in one tab.
            form = self._format(product, word)
        money = _in("currency", _known_currency, cell["currency"]) if "currency" in cell else None
        self._note_unknown(word, code, row)
        series = sheet.series or ("kenp" if kind == "kenp" else _series(form))
        month = day.isoformat()[:7]
        event = (
            month,
            "print" if series == "sales/print" else str(form or kind),
            product,
            normal(shop),
            share or "",
            _event_code(kind, code, word, share, series),
            money or MARKETPLACE_CURRENCY.get(normal(shop), "") if kind != "orders" else "",
        )
        dimensions = Dimensions(
            self.table.name,
            kind,
            slice_name(series, day, grain),
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
        return dimensions, mode

    def _is_total(self, cell: dict[str, Cell], texts: list[str], sheet: Sheet) -> bool:
        """Whether a row without a book adds up others: it has no currency, or neither shop nor date."""
        shop = text(cell["marketplace"])
        if not (text(cell["currency"]) if "currency" in cell else shop):
            return True
        if sheet.date is None:
            return not shop and any(_TOTAL.match(normal(each)) for each in texts)
        return not shop and not looks_like_date(cell[sheet.date])

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
        found = cell[sheet.date]
        day, grain = _in(sheet.date, lambda each: day_or_month(each, self.date_order), found)
        self.rewritten = self.rewritten or not (isinstance(found, str) and found[4:5] == "-")
        if sheet.kind == "kenp" and self.file_grain == "month":
            # In monthly exports KENP is dated on the first of its month.
            day, grain = day.replace(day=1), "month"
        self.days.add(day)
        self.grains.add(grain)
        return day, grain

    def _format_of_tab(self, sheet: Sheet, product: str, word: str, share: str | None) -> str:
        # A tab that comes alone has no name, and one that was renamed says nothing; what it is shows in its rows.
        if sheet.format == "audiobook" and not self.table.name:
            return "ebook" if share in _EBOOK_SHARES else "audiobook"
        if sheet.format != "print":
            return sheet.format or self._format(product, word)
        form = normal(word)
        if any(each in form for each in _HARDCOVER):
            return "hardcover"
        return "paperback" if transaction(word) == "expanded" or any(each in form for each in _PAPERBACK) else "print"

    def _format(self, product: str, word: str) -> str:
        if not is_print(product):
            return "ebook"
        # Combined Sales calls hardcovers paperbacks, so only the other word is believed.
        return "hardcover" if "hardcover" in normal(word) else "print"

    def _note_unknown(self, word: str, code: str | None, row: int) -> None:
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


def _known_currency(cell: Cell) -> str:
    code = currency(cell)
    if code not in CODES:
        raise BadCell(cell, "a currency in use, such as USD", UNKNOWN_CURRENCY, level="note")
    return code


def _series(form: str | None) -> str:
    return "sales/print" if form in {"paperback", "hardcover", "print"} else "sales/digital"


def _event_code(kind: str, code: str | None, word: str, share: str | None, series: str) -> str:
    if kind != "sales":
        return kind
    if word:
        return code or normal(word)
    # The print tabs of the final report have no transaction type; 40% is the share of Expanded Distribution alone.
    return "expanded" if series == "sales/print" and share == "40%" else "standard"
