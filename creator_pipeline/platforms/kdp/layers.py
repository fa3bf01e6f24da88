"""Compares reports of the same time book by book: what one takes away, and what it merely leaves out. Pure.

KDP exports one shop, one format or one author at a time, and a spreadsheet saves one tab at a time. Nothing in such a
file says so. A book of a shop or format that a report has nothing of at all is therefore left out, and stays. A book
that is missing among others of its shop and format was taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from creator_pipeline.platforms.kdp.models import Finality, slice_period
from creator_pipeline.platforms.kdp.sizes import Book, Size, shop_of

_UNKNOWN_FORMAT = "print"


@dataclass(frozen=True)
class Snapshot:
    """One stored upload of one account.

    Attributes:
        snapshot_at: when KDP made the file; if the file doesn't say, the time of the file itself.
        slices: slices that it covers, with their sizes; empty slices are included.
        accepted_smaller: a person confirmed that this report may hold less than the one before.
        partial: a person said that it holds only a part, so that whatever it lacks stays.
        dated: whether ``snapshot_at`` is KDP's own.
        authors: whose books it names.
    """

    upload_id: str
    finality: Finality | None
    snapshot_at: datetime
    slices: Mapping[str, Size]
    accepted_smaller: bool = False
    partial: bool = False
    dated: bool = True
    authors: frozenset[str] = frozenset()

    def rank(self, name: str) -> int:
        """Precedence of a slice of it: 3 for a final report, 2 for a month, 1 for a day."""
        return 3 if self.finality == "final" else 2 if is_month(name) else 1

    def shops(self, month: str) -> set[str]:
        """Every shop that it has a book of in a month, of whatever kind."""
        return {shop_of(book) for name, size in self.slices.items() if month_of(name) == month for book in size.books}

    def ends(self) -> set[str]:
        """The first and the last month of it, which the chosen range may have cut; none where it is one month."""
        months = sorted({month_of(name) for name, size in self.slices.items() if size.books})
        return {months[0], months[-1]} if len(months) > 1 and self.finality != "final" else set()

    def products(self) -> set[str]:
        """Every product that it names."""
        return {book.rpartition("|")[0] for size in self.slices.values() for book in size.books}


class Layer(NamedTuple):
    """Books of one slice that count from one upload."""

    snapshot: Snapshot
    slice: str
    books: Mapping[str, Book]

    def only(self, books: Iterable[str]) -> Layer:
        """The same with only some of its books."""
        kept = set(books)
        return self._replace(books={name: book for name, book in self.books.items() if name in kept})


Layers = Sequence[Layer]
"""What counts of a slice or of a month: no book of a slice is in two of them."""


def is_month(name: str) -> bool:
    """Whether a slice is a month."""
    return len(slice_period(name)) == len("2026-03")


def month_of(name: str) -> str:
    """The month that a slice is in, as ``2026-03``."""
    return slice_period(name)[:7]


def books_of(layers: Layers) -> dict[str, Book]:
    """All books of some layers, with the sums of their rows and copies."""
    books: dict[str, Book] = {}
    for layer in layers:
        for name, book in layer.books.items():
            before = books.get(name)
            books[name] = Book(book.format, book.rows + before.rows, book.copies + before.copies) if before else book
    return books


def restricted(layers: Layers, books: Iterable[str]) -> list[Layer]:
    """Some books of some layers; layers that have none of them are left out."""
    kept = set(books)
    if not kept:
        return []
    return [part for layer in layers if (part := layer.only(kept)).books]


def left_out(
    new: Layers, stored: Layers, month: str, related: Callable[[Layers, Layers], bool]
) -> tuple[set[str], set[str]]:
    """Books that ``stored`` has and ``new`` hasn't: those it merely leaves out, and those it takes away.

    Args:
        new: layers of the report that would count.
        stored: layers that would no longer count.
        month: which month it is.
        related: whether two reports are of one account; nothing is taken for left out where they aren't.
    """
    mine, theirs = books_of(new), books_of(stored)
    missing = theirs.keys() - mine.keys()
    if not missing:
        return set(), set()
    snapshots = {layer.snapshot.upload_id: layer.snapshot for layer in new}.values()
    if any(each.partial for each in snapshots):
        return set(missing), set()
    if not related(new, stored):
        return set(), set(missing)
    shops = set[str]().union(*(each.shops(month) for each in snapshots))
    formats = {book.format for book in mine.values()}
    apart = {name for name in missing if _apart(name, theirs[name].format, shops, formats)}
    return apart, missing - apart


def _apart(book: str, form: str, shops: set[str], formats: set[str]) -> bool:
    if not shops:
        return False
    other_format = bool(formats) and form not in formats and _UNKNOWN_FORMAT not in {form, *formats}
    return shop_of(book) not in shops or other_format


def one_account(first: Layers, second: Layers) -> bool:
    """Whether some reports have a book or an author in common with others."""
    ours = {layer.snapshot.upload_id: layer.snapshot for layer in first}.values()
    theirs = {layer.snapshot.upload_id: layer.snapshot for layer in second}.values()
    authors, others = (set[str]().union(*(each.authors for each in side)) for side in (ours, theirs))
    if authors & others:
        return True
    products, more = (set[str]().union(*(each.products() for each in side)) for side in (ours, theirs))
    return bool(products & more)


def smaller(new: Mapping[str, Book], stored: Mapping[str, Book]) -> set[str]:
    """Books of both of which rows are missing, or most of the copies."""
    return {
        name
        for name in new.keys() & stored.keys()
        if (new[name].rows < stored[name].rows and new[name].copies < stored[name].copies)
        or new[name].copies * 2 < stored[name].copies
    }


def fell(new: Mapping[str, Book], stored: Mapping[str, Book]) -> bool:
    """Whether the copies of the books that both have fell by more than a correction: two in a hundred, or one."""
    both = new.keys() & stored.keys()
    before = sum(stored[name].copies for name in both)
    return before - sum(new[name].copies for name in both) > max(1, before // 50)
