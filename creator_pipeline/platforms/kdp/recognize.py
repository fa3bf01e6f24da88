"""Recognizes a table whose header is not known by what its columns hold.

Known and taught headers are certain. The others are matched with the columns of KDP's layouts: by what they hold
(:mod:`.evidence`), by the identities inside the file (:mod:`.identities`), and by KDP's own order of columns and words
of the header, which only decide between readings that the identities leave. What isn't proved is refused, column by
column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from creator_pipeline.platforms.kdp import identities
from creator_pipeline.platforms.kdp.assignment import Reading, assign, assign_numbers, groups_of
from creator_pipeline.platforms.kdp.cells import Cell, text
from creator_pipeline.platforms.kdp.columns import spelling
from creator_pipeline.platforms.kdp.evidence import CLASS_OF, HOLDS, Column, columns_of, id_kind, is_shop
from creator_pipeline.platforms.kdp.formats import DECLARATIONS, Family, Sheet

_FEWEST_COLUMNS = 5


@dataclass(frozen=True)
class Found:
    """A table that was recognized: its declaration, its columns, and texts that stand for "no value" in it."""

    family: Family
    sheet: Sheet
    at: dict[str, int]
    header_row: int
    names: tuple[str, ...]
    words: frozenset[str]


@dataclass
class Unclear:
    """A table of KDP's that can't be read with certainty.

    Attributes:
        columns: those that are unclear, with the columns of KDP's that they can be.
        counted: whether its rows would be counted.
    """

    header_row: int
    names: tuple[str, ...]
    columns: list[tuple[Column, tuple[str, ...]]]
    counted: bool = True

    def told(self) -> str:
        """The unclear columns, with samples and candidates, in one line."""
        return "; ".join(
            f"{column.header!r} ({column.samples()}): {' or '.join(map(spelling, roles)) or 'no column that we know'}"
            for column, roles in self.columns
        )


def header_of(rows: Sequence[Sequence[Cell]]) -> int | None:
    """Index of the header: the row of names above the first row that names a shop and a product; None without one."""
    for index, cells in enumerate(rows):
        if any(map(is_shop, cells)) and any(id_kind(cell) for cell in cells):
            above = (place for place in range(index - 1, -1, -1) if _wide(rows[place]))
            return next(above, None)
    return None


def _wide(cells: Sequence[Cell]) -> bool:
    return sum(bool(text(cell)) for cell in cells) >= _FEWEST_COLUMNS and not any(map(is_shop, cells))


def recognize(
    rows: Sequence[Sequence[Cell]],
    *,
    tab: str | None,
    taught: Mapping[str, str],
    totals: Mapping[str, float],
    taken: frozenset[str] = frozenset(),
) -> Found | Unclear | None:
    """Recognize a table; None where it is no table of KDP's at all.

    Args:
        rows: its first rows, those above the header too.
        tab: name of its tab; None for a CSV.
        taught: header in normal form -> our name of the column.
        totals: money by currency as the Summary states it; empty where none is there.
        taken: names of the declarations that other tabs of the file have.
    """
    index = header_of(rows)
    if index is None:
        return None
    names = tuple(text(cell) for cell in rows[index])
    while names and not names[-1]:
        names = names[:-1]
    body = [cells for cells in rows[index + 1 :] if any(map(is_shop, cells))]
    columns = columns_of(names, body, taught)
    dated = any(column.holds == "date" or CLASS_OF.get(column.role or "") == "date" for column in columns)
    readings = list(_readings(columns, dated=dated, totals=totals))
    clear = [reading for reading in readings if not reading.unclear]
    if clear:
        best = _chosen(clear, tab, taken)
        at = {role: column.place for role, column in best.at.items()}
        return Found(best.family, best.sheet, at, index, names, columns[0].words)
    if readings:
        best = _chosen(readings, tab, taken)
        return Unclear(index, names, list(best.unclear.values()), best.sheet.kind != "orders")
    return Unclear(index, names, [(each, _candidates(each)) for each in columns if each.role is None])


def _candidates(column: Column) -> tuple[str, ...]:
    wanted = HOLDS["number"] if column.holds == "share" else HOLDS.get(column.holds, ())
    return tuple(role for role in wanted if column.can_be(role))


def _chosen(readings: Sequence[Reading], tab: str | None, taken: frozenset[str]) -> Reading:
    """Of readings that differ only in the tab: the one of this name, else the first that no other tab has."""

    def likeness(reading: Reading) -> tuple[bool, bool, bool]:
        return (
            tab is not None and reading.sheet.named(tab),
            tab is None or reading.sheet.name not in taken,
            reading.sheet.csv_kind is not None if tab is None else bool(reading.sheet.tabs),
        )

    return max(readings, key=likeness)


def _readings(columns: Sequence[Column], *, dated: bool, totals: Mapping[str, float]) -> Iterator[Reading]:
    for family, sheet in DECLARATIONS:
        if (sheet.date is not None) != dated:
            continue
        for order in sheet.orders:
            reading = _read_as(family, sheet, order.split(), columns, totals)
            if reading is not None:
                yield reading


def _read_as(
    family: Family, sheet: Sheet, roles: list[str], columns: Sequence[Column], totals: Mapping[str, float]
) -> Reading | None:
    known = {column.role: column for column in columns if column.role in roles}
    others = [column for column in columns if column.role not in roles]
    if len(known) + len(others) != len(columns) or len(columns) != len(roles):
        return None
    if any(column.role is not None for column in others) or any(not known[role].can_be(role) for role in known):
        return None
    missing = [role for role in roles if role not in known]
    in_order = dict(zip(roles, columns, strict=True))
    ordered = all(column.can_be(role) and known.get(role, column) is column for role, column in in_order.items())
    groups = groups_of(missing, others)
    if groups is None:
        return None
    reading = Reading(family, sheet, dict(known), ordered)
    for name, open_roles, members in groups:
        if name == "number":
            continue
        if not assign(reading, name, open_roles, members, in_order):
            return None
    facts = identities.facts_of(reading.at, len(columns[0].cells))
    numeric = next((group for group in groups if group[0] == "number"), ("number", [], []))
    return assign_numbers(reading, roles, numeric[1], numeric[2], in_order, facts, totals)
