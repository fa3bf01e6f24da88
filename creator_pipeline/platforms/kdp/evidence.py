"""What the columns of a table hold, and which of KDP's columns hold such cells. The tables here are the evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from creator_pipeline.platforms.kdp.cells import (
    Cell,
    Mark,
    absent,
    decimal_mark,
    number,
    product_id,
    royalty_type,
    text,
)
from creator_pipeline.platforms.kdp.columns import CURRENCIES, column, normal
from creator_pipeline.platforms.kdp.dates import looks_like_date
from creator_pipeline.platforms.kdp.isbn import isbn10_valid
from creator_pipeline.platforms.kdp.problems import BadCell

HOLDS: dict[str, tuple[str, ...]] = {
    "shop": ("marketplace",),
    "currency": ("currency",),
    "rate": ("royalty_type",),
    "date": ("royalty_date", "order_date", "date"),
    "id": ("asin_isbn", "isbn", "asin", "ebook_asin", "audiobook_asin", "audible_asin"),
    "text": ("title", "author", "transaction"),
    "number": (
        *("units_sold", "units_refunded", "net_units", "net_units_or_kenp", "kenp", "paid_units", "free_units"),
        *("royalty", "list_price", "offer_price", "file_size", "delivery_cost", "manufacturing_cost", "any_cost"),
    ),
}
"""Class of cells -> the columns of KDP's that hold such cells."""
CLASS_OF = {role: name for name, roles in HOLDS.items() for role in roles}
COUNTS = frozenset(
    ("units_sold", "units_refunded", "net_units", "net_units_or_kenp", "kenp", "paid_units", "free_units")
)
"""Columns of whole numbers."""

_STEMS: dict[str, str] = {
    "units_refunded": "refund devuel devol reembols erstatt rückgab zurück retour rembours rimbors resi zwrot zwróc "
    "återbet återköp iade возв 払い戻し 払戻 返品 退款 退货 환불 वापस مسترد terugbe",
    "net_units": "net neta netas netto líquid liquid nett 実質 净 純 순 нетто",
    "free_units": "free gratuit gratis kostenl bezpłat ücretsiz бесплат 無料 免费 무료 मुफ़्त مجان",
    "units_sold": "sold vend verkauf verko sprzed såld satıl прода 販売数 注文数 售 판매 बेची مباع",
    "paid_units": "paid pag bezahl pay betaal zapłac płat ödenen оплач 有料 付费 유료 भुगतान مدفوع",
    "royalty": "royalt regal tantiem lizenz redevance droits honorar telif earning ingres einnahm verdien revenus "
    "guadagn rendimento ロイヤリティ 版税 収益 로열티 роялти रॉयल्टी إتاو",
    "author": "author autor auteur autore forfatt författ yazar 著者 作者 저자 автор लेखक مؤلف schrijver",
    "transaction": "transa trans. vorgang 取引 交易 거래 операц लेनदेन معامل işlem plan",
    "title": "title titre titel títul titul titol tytuł başlık タイトル 书名 标题 제목 назван शीर्षक عنوان",
}
"""Beginnings and parts of words in headers. A weak sign: it decides only where something else says the same."""

_SHOP = re.compile(r"amazon\.[a-z]{2,3}(?:\.[a-z]{2,3})?")
_ASIN = re.compile(r"B0[A-Z0-9]{8}")
_SHARES = frozenset(f"{share}%" for share in (25, 30, 35, 40, 50, 55, 60, 70))
_MOST_SAMPLES = 3


def is_shop(cell: Cell) -> bool:
    """Whether a cell names one of Amazon's shops."""
    return isinstance(cell, str) and bool(_SHOP.fullmatch(normal(cell)))


def id_kind(cell: Cell) -> str | None:
    """``asin`` or ``isbn`` for a product id that is surely one; None for anything else."""
    try:
        found, _ = product_id(cell)
    except BadCell:
        return None
    if _ASIN.fullmatch(found) or isbn10_valid(found or "-" * 10):
        return "asin"
    return "isbn" if len(found) == 13 else None


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        place: its index.
        header: as the file spells it.
        cells: of the rows that name a shop.
        role: our name of it, where its header is known or was taught.
        words: texts that stand for "no value" in this table.
        mark: decimal mark of its numbers.
    """

    place: int
    header: str
    cells: list[Cell]
    role: str | None
    words: frozenset[str]
    mark: Mark | None

    def blank(self, cell: Cell) -> bool:
        """Whether a cell of this table has no value."""
        return cell is None or absent(cell) or (isinstance(cell, str) and normal(cell) in self.words)

    @cached_property
    def filled(self) -> list[Cell]:
        """The cells that have a value, each once."""
        return [cell for cell in dict.fromkeys(self.cells) if not self.blank(cell)]

    @cached_property
    def holds(self) -> str:
        """Class of the cells: a key of :data:`HOLDS`, ``share`` (a rate or a number) or ``blank``."""
        if not self.filled:
            return "blank"
        if all(map(is_shop, self.filled)):
            return "shop"
        if all(id_kind(cell) for cell in self.filled):
            return "id"
        if all(text(cell).strip().upper() in CURRENCIES for cell in self.filled):
            return "currency"
        if all(isinstance(cell, str) and "%" in cell and _share(cell) for cell in self.filled):
            return "rate"
        if all(map(looks_like_date, self.filled)):
            return "date"
        if self.numbers is None:
            return "text"
        return "share" if all(_share(cell) in _SHARES for cell in self.filled) else "number"

    @cached_property
    def numbers(self) -> list[float | None] | None:
        """The number of each row, None where it has no value; None for a column that holds something else."""
        try:
            known = {cell: float(number(cell, self.mark)) for cell in self.filled}
        except BadCell:
            return None
        return [known.get(cell) for cell in self.cells]

    @property
    def whole(self) -> bool:
        """Whether all numbers are whole."""
        return all(value is None or value == int(value) for value in self.numbers or ())

    @property
    def ids(self) -> set[str | None]:
        """The kinds of the product ids."""
        return {id_kind(cell) for cell in self.filled}

    @property
    def stem(self) -> str | None:
        """The column that a word of the header hints at."""
        form = normal(self.header)
        return next((role for role, stems in _STEMS.items() if any(stem in form for stem in stems.split())), None)

    def can_be(self, role: str) -> bool:
        """Whether the cells can be those of one of KDP's columns."""
        wanted = CLASS_OF.get(role)
        if self.holds == "blank":
            return wanted in {"number", "text"} or role in {"audiobook_asin", "audible_asin", "ebook_asin"}
        if role in COUNTS and not self.whole:
            return False
        if wanted == "id":
            kinds = {"isbn": {"isbn"}, "asin_isbn": {"asin", "isbn"}}.get(role, {"asin"})
            return self.holds == "id" and self.ids <= kinds
        return self.holds == wanted or (self.holds == "share" and wanted in {"rate", "number"})

    def samples(self) -> str:
        """Some of its values, for a message."""
        return ", ".join(text(cell)[:24] for cell in self.filled[:_MOST_SAMPLES]) or "empty"


def _share(cell: Cell) -> str | None:
    try:
        return royalty_type(cell)
    except BadCell:
        return None


def columns_of(names: Sequence[str], rows: Sequence[Sequence[Cell]], taught: Mapping[str, str]) -> list[Column]:
    """The columns of a table; those without header and without a value are left out.

    Args:
        names: the header.
        rows: rows below it that name a shop.
        taught: header in normal form -> our name of the column.
    """
    cells = [[row[place] if place < len(row) else None for row in rows] for place in range(len(names))]
    words = _absent_words(cells)
    dated = [all(cell is None or absent(cell) or looks_like_date(cell) for cell in each) for each in cells]
    mark = decimal_mark(
        cell for each, day in zip(cells, dated, strict=True) if not day for cell in each if id_kind(cell) is None
    )
    found = [
        Column(
            place,
            header or f"(column {place + 1}, without a header)",
            cells[place],
            (taught.get(normal(header)) or column(header)) if header else None,
            words,
            mark,
        )
        for place, header in enumerate(names)
    ]
    return [each for each in found if each.holds != "blank" or names[each.place]]


def _absent_words(columns: Sequence[Sequence[Cell]]) -> frozenset[str]:
    """Words that stand for "no value" in an unknown language: the only text in a column of numbers."""
    found: set[str] = set()
    for cells in columns:
        filled = [cell for cell in dict.fromkeys(cells) if cell is not None and not absent(cell)]
        texts = {normal(cell) for cell in filled if isinstance(cell, str) and not _numeric(cell)}
        if len(texts) == 1 and any(map(_numeric, filled)):
            found |= texts
    return frozenset(word for word in found if len(word) <= 16 and not any(char.isdigit() for char in word))


def _numeric(cell: Cell) -> bool:
    try:
        number(cell, None)
    except BadCell:
        return isinstance(cell, str) and decimal_mark([cell]) is not None
    return True
