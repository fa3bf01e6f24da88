"""Which work each product is an edition of, as a person's file says it (docs/products.md)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import NamedTuple

from creator_pipeline.core.errors import DataError

COLUMNS = ("product", "work", "series", "author")
_HYPHENS = re.compile(r"(?<=\d)[ -](?=[\dXx])")


class Work(NamedTuple):
    """A work, of which products are editions. Series and author may be empty."""

    work: str
    series: str
    author: str


def read_works(text: str, file: str) -> dict[str, Work]:
    """The works of a file, by product: CSV with the columns of ``COLUMNS``, an ISBN with or without hyphens.

    Args:
        text: of the file.
        file: its name, for errors.

    Raises:
        DataError: a column is missing, a row names no product or no work, or a product is named for two works.
    """
    reader = csv.DictReader(StringIO(text.removeprefix("\ufeff")))
    missing = [name for name in COLUMNS[:2] if name not in (reader.fieldnames or ())]
    if missing:
        hint = f"Its first line is {','.join(COLUMNS)}; see docs/products.md."
        raise DataError(f"{file} has no column {', '.join(missing)}.", hint=hint, file=file)
    found: dict[str, Work] = {}
    for number, row in enumerate(reader, start=2):
        product, *said = ((row.get(name) or "").strip() for name in COLUMNS)
        work = Work(*said)
        if not product and not any(work):
            continue
        if not product or not work.work:
            raise DataError(f"{file}: a row names no product or no work.", hint="Fill in both.", file=file, row=number)
        if found.setdefault(plain(product), work) != work:
            hint = "A product is an edition of one work: keep one of the rows."
            raise DataError(f"{file}: {product} stands for two works.", hint=hint, file=file, row=number)
    return found


def plain(product: str) -> str:
    """An id as it is compared: the hyphens and spaces of an ISBN tell nothing."""
    digits = _HYPHENS.sub("", product)
    return digits.upper() if re.fullmatch(r"\d{9}[\dXx]|\d{13}", digits) else product


def work_of(product: str, others: Iterable[str], works: Mapping[str, Work]) -> Work | None:
    """The work of a product by its id, else by another of its ids.

    Args:
        product: id in the ledger.
        others: further ids of the same, as the ISBN of an ASIN.
        works: of a file.
    """
    return next((works[name] for name in map(plain, (product, *others)) if name in works), None)
