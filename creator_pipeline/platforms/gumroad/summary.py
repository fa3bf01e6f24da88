"""Gumroad's own totals per day: what can be read of them, and the days that can't."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.platforms.gumroad.answers import missing


class SummaryDay(NamedTuple):
    """Gumroad's own totals of one day in the seller's time zone, in US cents."""

    units: int
    gross_cents: int
    refunded_cents: int


class Totals(dict[date, SummaryDay]):
    """Totals of the days that have any.

    Attributes:
        odd: what can't be read, by its day (or by what stands in its place), with what is missing.
        unknown: days of which the totals aren't known: nothing may be concluded from their absence.
    """

    def __init__(self) -> None:
        super().__init__()
        self.odd: dict[str, str] = {}
        self.unknown: set[date] = set()

    def add(self, other: Totals) -> None:
        """Take the totals of other days in."""
        self.update(other)
        self.odd |= other.odd
        self.unknown |= other.unknown


def totals_of(items: Iterable[Json], first: date, last: date) -> Totals:
    """What an answer tells; empty days are left out.

    Args:
        items: of the answer, one for each day.
        first, last: the days that were asked for, both inclusive.
    """
    made, named, nameless = Totals(), set[date](), False
    for item in items:
        try:
            day = _date(item)
        except DataError as error:
            made.odd[str(item.get("key"))[:40]] = f"no usable {error.column}; expected {error.expected}"
            nameless = True
            continue
        named.add(day)
        try:
            figures = SummaryDay(*(_integer(item, name) for name in SummaryDay._fields))
        except DataError as error:
            made.odd[day.isoformat()] = f"no usable {error.column}; expected {error.expected}"
            made.unknown.add(day)
            continue
        if any(figures):
            made[day] = figures
    if nameless:
        asked = {first + timedelta(days=step) for step in range((last - first).days + 1)}
        made.unknown |= asked - named
    return made


def _integer(item: Json, name: str) -> int:
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise missing(f"breakdown[].{name}", "a whole number", value)
    return int(value)


def _date(item: Json) -> date:
    try:
        return date.fromisoformat(str(item.get("key"))[:10])
    except ValueError:
        raise missing("breakdown[].key", "a date", item.get("key")) from None
