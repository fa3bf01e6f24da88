"""How much an upload holds of each slice, book by book and shop by shop; and its form in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from creator_pipeline.platforms.kdp.models import Dimensions, Report

GUARDED = ("sales", "kenp")
"""Beginnings of the names of the series that count; of the others nothing can be lost."""


class Book(NamedTuple):
    """One book in one shop.

    Attributes:
        format: ``ebook``, ``audiobook``, ``paperback``, ``hardcover``, ``kenp``; ``print`` where the report can't tell
            paperback from hardcover.
        rows: source rows.
        copies: units sold, or pages read. What went back isn't taken off, whether the report has it in a column of
            its own or as a negative row: a return that comes later is no loss.
    """

    format: str
    rows: int
    copies: int


@dataclass(slots=True)
class Size:
    """One slice of an upload. ``books`` are by product and shop (``B0…|amazon.com``); an empty slice has none."""

    rows: int = 0
    units: int = 0
    pages: int = 0
    books: dict[str, Book] = field(default_factory=dict[str, Book])


def book_of(event_key: tuple[str, ...] | str) -> str:
    """The product and shop of an event, as :class:`Size` names them."""
    if isinstance(event_key, str):
        parts = event_key.split("|")
        return f"{parts[2]}|{parts[3]}"
    return "|".join(part.replace("|", "/") for part in event_key[2:4])


def shop_of(book: str) -> str:
    """The shop of a book's name in :class:`Size`."""
    return book.rpartition("|")[2]


def guarded(slice_name: str) -> bool:
    """Whether rows of this slice count, so that a report that lacks some takes them away."""
    return slice_name.startswith(GUARDED)


def sizes_of(report: Report) -> dict[str, Size]:
    """The size of every slice that a report covers, empty ones included."""
    sizes: dict[str, Size] = {name: Size() for name in report.empty_slices}
    # Rows share their dimensions, so that what repeats is looked up by the object.
    places: dict[int, tuple[Size, str, str]] = {}
    for row in report.rows:
        dimensions, (sold, _, _, pages, _) = row.dimensions, row.measures
        place = places.get(id(dimensions))
        if place is None:
            place = places[id(dimensions)] = (
                sizes.setdefault(dimensions.slice, Size()),
                book_of(dimensions.event_key) if guarded(dimensions.slice) else "",
                dimensions.format or "",
            )
        size, book, form = place
        size.rows += 1
        size.units += sold
        size.pages += pages
        if book:
            before = size.books.get(book)
            rows, copies = (before.rows, before.copies) if before else (0, 0)
            size.books[book] = Book(form, rows + 1, copies + max(sold, 0) + max(pages, 0))
    return sizes


def authors_of(report: Report) -> list[str]:
    """The authors that a report names, in one spelling each."""
    distinct: set[Dimensions] = {row.dimensions for row in report.rows if row.dimensions.counted}
    return sorted({" ".join(each.author.casefold().split()) for each in distinct if each.author})


def to_json(sizes: Mapping[str, Size]) -> str:
    """The form of ``kdp_uploads.slices``: slice to rows, units, pages, and of each book format, rows and copies."""
    stored = {
        name: [each.rows, each.units, each.pages, {book: [*parts] for book, parts in each.books.items()}]
        for name, each in sizes.items()
    }
    return orjson.dumps(stored).decode()


def from_json(stored: str) -> dict[str, Size]:
    """The opposite of :func:`to_json`. An earlier release stored no books."""
    found: dict[str, list[Any]] = orjson.loads(stored)
    sizes: dict[str, Size] = {}
    for name, (rows, units, pages, *books) in found.items():
        each = books[0] if books else {}
        sizes[name] = Size(rows, units, pages, {book: Book(*parts) for book, parts in each.items()})
    return sizes


def without_books(sizes: Mapping[str, Size]) -> bool:
    """Whether the release that stored the sizes kept no books yet."""
    return any(each.rows and not each.books for name, each in sizes.items() if guarded(name))
