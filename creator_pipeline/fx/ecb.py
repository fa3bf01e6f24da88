"""Reads the European Central Bank's files of reference rates: 1 EUR is so many units. Pure."""

from __future__ import annotations

import csv
import re
import zipfile
from datetime import date
from decimal import Decimal, InvalidOperation
from io import BytesIO, StringIO
from typing import NamedTuple

from creator_pipeline.core.errors import DataError

MOST_BYTES = 64 << 20
"""Of a file, unpacked; that of all days since 1999 has two million."""
_NONE = frozenset({"", "N/A"})
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_HINT = "Download eurofxref-hist.zip or eurofxref.zip, or their .csv, from the ECB's page of reference rates."


class Rate(NamedTuple):
    """One euro in units of ``currency`` on a day, as exact decimal text without zeros at its end."""

    day: date
    currency: str
    rate: str


def read(name: str, data: bytes) -> list[Rate]:
    """The rates of a file: ``eurofxref-hist.csv``, ``eurofxref.csv``, or a ZIP with one of them.

    Args:
        name: of the file, for errors.
        data: its content.

    Raises:
        DataError: it is another file, or a cell is no day and no rate; nothing of it counts.
    """
    text = _text(name, data)
    lines = csv.reader(StringIO(text))
    header = [cell.strip() for cell in next(lines, [])]
    if not header or header[0].lstrip("\ufeff") != "Date":
        raise DataError(f"{name} is no file of the ECB's rates: it doesn't begin with Date.", hint=_HINT, file=name)
    codes = header[1:]
    for code in codes:
        if code and not re.fullmatch("[A-Z]{3}", code):
            raise DataError(f"{name}: {code!r} is no currency.", hint=_HINT, file=name, row=1, found=code)
    found: dict[tuple[date, str], Rate] = {}
    for row, cells in enumerate(lines, 2):
        if not any(cell.strip() for cell in cells):
            continue
        day = _day(name, row, cells[0].strip())
        if len(cells) > len(header):
            raise _bad(name, row, "", f"{len(cells)} cells", f"{len(header)}")
        for code, cell in zip(codes, cells[1:], strict=False):
            value = cell.strip()
            if code and value not in _NONE:
                rate = Rate(day, code, _rate(name, row, code, value))
                if found.setdefault((day, code), rate) != rate:
                    raise _bad(name, row, code, value, "one rate for each day")
    if not found:
        raise DataError(f"{name} holds no rate.", hint=_HINT, file=name)
    return list(found.values())


def _text(name: str, data: bytes) -> str:
    try:
        if data[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(BytesIO(data)) as archive:
                inside = [one for one in archive.infolist() if one.filename.lower().endswith(".csv")]
                if len(inside) != 1 or inside[0].file_size > MOST_BYTES:
                    raise DataError(f"{name} holds {len(inside)} CSV files, or a huge one.", hint=_HINT, file=name)
                data = archive.read(inside[0])
        return data.decode("utf-8")
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{name} can't be read: {error}.", hint=_HINT, file=name) from None


def _day(name: str, row: int, text: str) -> date:
    try:
        if "-" in text:
            return date.fromisoformat(text)
        day, month, year = text.split()
        return date(int(year), _MONTHS.index(month.lower()) + 1, int(day))
    except ValueError:
        raise _bad(name, row, "Date", text, "2026-10-30, or 30 October 2026") from None


def _rate(name: str, row: int, column: str, text: str) -> str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text) or not value:
        raise _bad(name, row, column, text, "a rate above 0, with a dot, or N/A")
    return f"{value.normalize():f}"


def _bad(name: str, row: int, column: str, found: str, expected: str) -> DataError:
    return DataError(
        f"{name}, row {row}, column {column}: {found!r} where {expected} is expected.",
        hint=_HINT,
        file=name,
        row=row,
        column=column,
        found=found,
        expected=expected,
    )
