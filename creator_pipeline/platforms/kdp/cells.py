"""Converts one cell to one typed value, or raises :class:`BadCell` where that can't be done with certainty."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Literal

from creator_pipeline.core.money import MICROS, from_decimal
from creator_pipeline.platforms.kdp.columns import CURRENCIES, ascii_digits, normal
from creator_pipeline.platforms.kdp.isbn import ISBN13, isbn10_valid, isbn13_valid
from creator_pipeline.platforms.kdp.problems import BadCell

Cell = object
"""A str from a CSV; a str, float, int, bool or date from a workbook."""
Mark = Literal[".", ","]

ABSENT = "N/A"
"""What KDP writes in English where there is no value."""
_ABSENT = frozenset(
    map(
        normal,
        (
            *("", "N/A", "N/D", "n. d.", "n.d.", "k. A.", "k.A.", "s/o", "s. o.", "n.v.t.", "n. v. t.", "nie dotyczy"),
            *("該当なし", "不适用", "不適用", "해당 없음", "н/д", "не применимо", "लागू नहीं", "لا ينطبق"),
            *("no aplicable", "não aplicável", "non applicable", "non applicabile", "nicht zutreffend"),
        ),
    )
)
_PLAIN = {mark: re.compile(rf"-?[0-9]+(?:{re.escape(mark)}[0-9]+)?") for mark in ".,"}
_GROUPED = {
    # India separates thousands, and above them pairs of digits: 1,23,456.78.
    ".": re.compile(
        r"-?(?:[0-9]{1,3}(?:(?:,[0-9]{3})+|(?: [0-9]{3})+|(?:'[0-9]{3})+)|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})"
        r"(?:\.[0-9]+)?"
    ),
    ",": re.compile(r"-?[0-9]{1,3}(?:(?:\.[0-9]{3})+|(?: [0-9]{3})+|(?:'[0-9]{3})+)(?:,[0-9]+)?"),
}
_PLAIN_MONEY = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,2}|[0-9]{4,6}))?")  # three decimals may be thousands
_EITHER = re.compile(r"-?[1-9][0-9]{0,2}[.,][0-9]{3}")
_NUMBERLIKE = re.compile(r"-?[0-9][0-9., ']*")
_BLANKS = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u202f\u2009", " "),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
        "\u2019": "'",
        "\u066b": ".",
        "\u066c": ",",
    }
)
_SIGNS: dict[str, tuple[str, ...]] = {
    "$": ("USD", "CAD", "AUD", "MXN"),
    "us$": ("USD",),
    "ca$": ("CAD",),
    "c$": ("CAD",),
    "a$": ("AUD",),
    "au$": ("AUD",),
    "mx$": ("MXN",),
    "r$": ("BRL",),
    "€": ("EUR",),
    "£": ("GBP",),
    "¥": ("JPY",),
    "円": ("JPY",),
    "₹": ("INR",),
    "rs": ("INR",),
    "zł": ("PLN",),
    "kr": ("SEK",),
    **{code.casefold(): (code,) for code in CURRENCIES},
}
_SIGN = "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True))
_AMOUNT = re.compile(
    rf"(?P<minus>[-+(])? ?(?P<before>{_SIGN})?\.? ?(?P<digits>[-+]?[0-9][0-9., ']*?) ?"
    rf"(?P<after>{_SIGN})?\.? ?(?P<end>[-)])?",
    re.IGNORECASE,
)
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)
_ASIN = re.compile(r"[A-Z0-9]{10}")
_KEPT_AS_TEXT = re.compile(r"(?:=\"|')([0-9A-Z-]+)\"?")
_PERCENT = re.compile(r"(?:% ?)?([0-9]{1,3})(?:[.,]0+)?(?: ?%)?")
_PERCENTS = frozenset((25, 30, 35, 40, 50, 55, 60, 70))
"""KDP's rates, where somebody took the sign away."""
_CURRENCY = re.compile(r"[A-Z]{3}")
_MAX_COUNT = 2**31 - 1


def text(cell: Cell) -> str:
    """The text of a cell, without blanks around it."""
    return cell.strip() if isinstance(cell, str) else "" if cell is None else str(cell)


def absent(cell: Cell) -> bool:
    """Whether the cell says that there is no value: empty, ``N/A``, ``該当なし``."""
    return isinstance(cell, str) and (not cell or normal(cell) in _ABSENT)


def decimal_mark(cells: Iterable[Cell]) -> Mark | None:
    """The decimal mark of a column of numbers, by the first number that can be read in one way only.

    ``1.234`` can be read in two ways; ``1.234,5``, ``12,5``, ``0,125`` and ``1.234.567`` in one. None where every
    number can be read in two ways.
    """
    for cell in cells:
        if not isinstance(cell, str):
            continue
        number = _plain(cell)[0]
        if not _NUMBERLIKE.fullmatch(number) or _EITHER.fullmatch(number):
            continue
        last, other = (".", ",") if number.rfind(".") > number.rfind(",") else (",", ".")
        if last not in number:
            continue
        if number.count(last) > 1:
            return other
        return last
    return None


def number(cell: Cell, mark: Mark | None) -> Decimal:
    """A number: text in the file's locale, or a numeric cell of a workbook.

    In text a blank, no-break space or apostrophe may separate thousands, the digits may be full-width, a sign of a
    currency may stand beside them, and parentheses mean minus.

    Raises:
        BadCell: it is no number, scientific notation lost digits, or its decimal mark can't be recognized.
    """
    if isinstance(cell, bool) or not isinstance(cell, str):
        return _numeric(cell)
    found = _plain(cell)[0]
    if mark is None and _EITHER.fullmatch(found):
        raise BadCell(cell, "a number whose decimal mark can be told from its thousands mark")
    for known in (mark,) if mark else (".", ","):
        if _PLAIN[known].fullmatch(found) or _GROUPED[known].fullmatch(found):
            thousands = "," if known == "." else "."
            digits = found.replace(thousands, "").replace(" ", "").replace("'", "")
            if len(digits) <= 40:
                return Decimal(digits.replace(",", "."))
    expected = f"a number with decimal mark {mark!r}" if mark else "a number"
    raise BadCell(cell, expected)


def _plain(cell: str) -> tuple[str, tuple[str, ...]]:
    """A number's text without a currency's sign and parentheses, and the currencies that the sign stands for."""
    found = cell.strip()
    if not found.isascii():
        found = ascii_digits(unicodedata.normalize("NFKC", found.translate(_BLANKS)).translate(_BLANKS)).strip()
    match = None if _NUMBERLIKE.fullmatch(found) else _AMOUNT.fullmatch(found)
    if match is None:
        return found, ()
    minus, end, digits = match["minus"], match["end"], match["digits"]
    if (minus == "(") != (end == ")") or sum((bool(minus), end == "-", digits[0] in "-+")) > 1:
        return found, ()
    signs = [_SIGNS[sign.casefold()] for sign in (match["before"], match["after"]) if sign]
    meant = tuple(code for code in signs[0] if code in signs[-1]) if signs else ()
    if signs and not meant:
        # One currency before the amount, and another behind it.
        return found, ()
    digits = digits.removeprefix("+")
    return f"-{digits}" if end or minus in {"-", "("} else digits, meant


def sign_currencies(cell: Cell) -> tuple[str, ...]:
    """The currencies that the sign beside an amount can stand for; empty where there is none."""
    return _plain(cell)[1] if isinstance(cell, str) else ()


def _numeric(cell: Cell) -> Decimal:
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        raise BadCell(cell, "a number")
    try:
        value = Decimal(repr(cell))
    except InvalidOperation as error:
        raise BadCell(cell, "a number") from error
    if not value.is_finite():
        raise BadCell(cell, "a finite number")
    return value


def count(cell: Cell, mark: Mark | None) -> int:
    """A whole number; a workbook writes it as ``1.0``.

    Raises:
        BadCell: it is not whole, or larger than 32 bits hold.
    """
    if mark is None and isinstance(cell, str) and _EITHER.fullmatch(found := _plain(cell)[0]) and found[-3:] != "000":
        # No part of a unit is sold, so its mark can only be that of thousands.
        return int(found.replace(",", "").replace(".", ""))
    value = number(cell, mark)
    if abs(value) > _MAX_COUNT or value != int(value):
        raise BadCell(cell, "a whole number of units")
    return int(value)


def micros(cell: Cell, mark: Mark | None) -> int:
    """An amount in micros.

    Raises:
        BadCell: it is no number, or larger than 64 bits hold.
    """
    if isinstance(cell, str) and mark != "," and (plain := _PLAIN_MONEY.fullmatch(cell)):
        # Exactly what from_decimal gives for at most six decimals, several times as fast.
        sign, whole, decimals = plain.groups()
        value = int(whole) * MICROS + int((decimals or "").ljust(6, "0"))
        return -value if sign else value
    try:
        return from_decimal(number(cell, mark))
    except ValueError as error:
        raise BadCell(cell, "an amount of money") from error


def product_id(cell: Cell) -> tuple[str, bool]:
    """An ASIN or ISBN, ``""`` where there is none, and whether it was repaired.

    It is repaired only where the check digit proves it: ``9798999900012.0``, or an ISBN-10 that lost leading zeros.

    Raises:
        BadCell: digits are lost (``9.799E+12``), or it is neither an ASIN nor an ISBN.
    """
    if isinstance(cell, str):
        found = unicodedata.normalize("NFKC", cell).strip().upper()
        # A formula or an apostrophe by which people keep spreadsheet programs from rewriting an ISBN.
        found = match[1] if (match := _KEPT_AS_TEXT.fullmatch(found)) else found
    elif isinstance(cell, (int, float)) and not isinstance(cell, bool) and float(cell).is_integer():
        found = str(int(cell))
        if ISBN13.fullmatch(found) and isbn13_valid(found):
            return found, True
        if len(found) > 10:
            raise BadCell(cell, "an ISBN with all its digits; this number's check digit is wrong")
    else:
        raise BadCell(cell, "an ASIN or ISBN as text")
    if absent(found):
        return "", False
    if ISBN13.fullmatch(plain := found.replace("-", "")):
        return plain, False
    if _ASIN.fullmatch(found):
        return found, False
    if found.endswith(".0"):
        plain = found[:-2]
        if ISBN13.fullmatch(plain) and isbn13_valid(plain):
            return plain, True
        found = plain
    if 7 <= len(found) <= 10 and found.isascii() and isbn10_valid(padded := found.zfill(10)):
        return padded, True
    if _SCIENTIFIC.fullmatch(found):
        raise BadCell(cell, "an ISBN with all its digits; scientific notation lost them for good")
    raise BadCell(cell, "an ASIN (B0…, 10 characters) or an ISBN (13 digits)")


def royalty_type(cell: Cell) -> str | None:
    """A royalty type such as ``70%``; None where there is none. A number, as 0.35 in old files, becomes ``35%``.

    Raises:
        BadCell: it is a number that is no share.
    """
    if absent(cell):
        return None
    if isinstance(cell, str):
        found = unicodedata.normalize("NFKC", cell).strip()
        match = _PERCENT.fullmatch(found) if found.count("%") == 1 else None
        if match:
            return f"{match[1]}%"
        if not _NUMBERLIKE.fullmatch(found):
            return found
        share = number(found, None)
    else:
        share = _numeric(cell)
    if share in _PERCENTS:
        share /= 100
    if not 0 < share <= 1:
        raise BadCell(cell, "a royalty type such as 70%")
    return f"{(share * 100).normalize():f}%"


def currency(cell: Cell) -> str:
    """A currency's code of three letters.

    Raises:
        BadCell: it is something else.
    """
    code = text(cell).upper()
    if not _CURRENCY.fullmatch(code):
        raise BadCell(cell, "a currency code such as USD")
    return code


def safe_cell(value: str) -> str:
    """``value`` in a form that is no formula in a CSV or workbook. What is stored stays as it was received."""
    return "'" + value if value.lstrip(" ")[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} else value
