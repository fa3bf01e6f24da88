"""Active, new and lost subscriptions of each day, and their monthly recurring revenue (docs/subscriptions.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

MONTHS = {"monthly": 1, "quarterly": 3, "biannually": 6, "yearly": 12, "every_two_years": 24}
"""Months of a period, by its usual name."""
_OF_DAYS = (((28, 31), 1), ((84, 92), 3), ((168, 184), 6), ((360, 366), 12), ((720, 731), 24))


class Price(NamedTuple):
    """What a subscription is worth a month from a day on, in micros; nothing while it is tried out."""

    since: date
    monthly_micros: int


@dataclass(frozen=True, slots=True)
class Span:
    """A subscription from its first day to the day on which its access is over.

    Attributes:
        subscription_id: the platform's.
        start: first UTC day.
        end: first day without access; None where none is known.
        cancelled: day on which the end was asked for.
        currency: of the prices.
        prices: oldest first.
    """

    subscription_id: str
    start: date
    end: date | None
    cancelled: date | None
    currency: str
    prices: Sequence[Price]


class Day(NamedTuple):
    """Counts of a day, in the order of the columns of ``subscriptions_daily``."""

    active: int
    new: int
    cancelling: int
    churned: int
    mrr_micros: int


def monthly(micros: int, period: str | None) -> int | None:
    """A price as so much a month, rounded half up; None where the period isn't known.

    Args:
        micros: of one period.
        period: its usual name.
    """
    months = MONTHS.get(period or "")
    return None if months is None else (2 * micros + months) // (2 * months)


def period_of(start: datetime, end: datetime) -> str | None:
    """The usual name of a period; None where it has none."""
    days = round((end - start) / timedelta(days=1))
    months = next((found for (least, most), found in _OF_DAYS if least <= days <= most), None)
    return next((name for name, count in MONTHS.items() if count == months), None)


def daily(spans: Iterable[Span], until: date) -> dict[tuple[date, str], Day]:
    """The counts of each day with a subscription, by (day, currency), up to ``until`` inclusive.

    Active are those that have access at the end of the day, so ``active = active the day before + new - churned``.
    """
    changes: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0] * 5)
    for span in spans:
        end = span.end if span.end is not None and span.end <= until else None
        if span.start > until or (end is not None and end <= span.start):
            continue
        _change(changes, span.start, span.currency, active=1, new=1)
        asked = max(span.cancelled, span.start) if span.cancelled else None
        asked = None if asked and (asked > until or (end and asked >= end)) else asked
        if asked:
            _change(changes, asked, span.currency, cancelling=1)
        worth = 0
        for price in span.prices:
            since = max(price.since, span.start)
            if since <= until and (end is None or since < end):
                _change(changes, since, span.currency, mrr=price.monthly_micros - worth)
                worth = price.monthly_micros
        if end is not None:
            _change(changes, end, span.currency, active=-1, churned=1, cancelling=-1 if asked else 0, mrr=-worth)
    return _added_up(changes, until)


def _change(
    changes: dict[tuple[date, str], list[int]],
    day: date,
    currency: str,
    *,
    active: int = 0,
    new: int = 0,
    cancelling: int = 0,
    churned: int = 0,
    mrr: int = 0,
) -> None:
    at = changes[day, currency]
    for place, value in enumerate((active, new, cancelling, churned, mrr)):
        at[place] += value


def _added_up(changes: dict[tuple[date, str], list[int]], until: date) -> dict[tuple[date, str], Day]:
    found: dict[tuple[date, str], Day] = {}
    for currency in sorted({currency for _, currency in changes}):
        active = cancelling = mrr = 0
        day = min(day for day, of in changes if of == currency)
        while day <= until:
            change = changes.get((day, currency), [0] * 5)
            active, cancelling, mrr = active + change[0], cancelling + change[2], mrr + change[4]
            if active or change[1] or change[3]:
                found[day, currency] = Day(active, change[1], cancelling, change[3], mrr)
            day += timedelta(days=1)
    return found
