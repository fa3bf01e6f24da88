"""Stored rates of exchange: loading them, finding that of a day, and the one conversion."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

from sqlalchemy import Connection, select

from creator_pipeline.core.money import decimals
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.fx.ecb import Rate
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, upsert
from creator_pipeline.store.tables import fx_rates

EURO = "EUR"
ECB = "ECB"
MOST_DAYS = 4
"""Age of a rate that is still used: the longest real gap, at Easter, is from Thursday to Tuesday."""
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_LINE = Decimal("0.000001")
_SHOWN = Decimal("0.0000000001")


class Converted(NamedTuple):
    """An amount in another currency.

    Attributes:
        amount: to six decimals; None where there is no rate.
        rate: units of the other currency for one, to ten decimals, to be shown: the amount is not made from it.
        rate_on: the day of the rate; None where both currencies are one.
        source: who tells the rate.
        missing: why there is no amount; empty where there is.
    """

    amount: Decimal | None
    rate: Decimal | None = None
    rate_on: date | None = None
    source: str = ""
    missing: str = ""


class OwnRate(NamedTuple):
    """A rate that a platform told with a row: so many micros of ``currency`` for so many of the row's."""

    currency: str
    micros: int
    of_micros: int
    on: date
    source: str


def load(warehouse: Warehouse, rates: Iterable[Rate], source: str = ECB) -> Change:
    """Store rates; those of other days stay."""
    moment = now()
    with warehouse.write() as connection:
        return upsert(connection, fx_rates, [(one.day, EURO, one.currency, one.rate, source, moment) for one in rates])


class Rates:
    """The rates of some currencies, in memory.

    Args:
        by_day: day to currency to units for one euro.
    """

    def __init__(self, by_day: Mapping[date, Mapping[str, Decimal]]) -> None:
        self._by_day = by_day
        self._days = sorted(by_day)

    def convert(self, amount: Decimal, of: str, to: str, day: date, own: OwnRate | None = None) -> Converted:
        """An amount of a day in another currency, by one expression and rounded once, half away from zero.

        The rate is that of the last day before, at most four days old, that has rates at all. The platform's own rate
        goes before, where it leads to the currency that is asked for, or where the other one has no rate.

        Args:
            amount: in units of ``of``.
            of, to: currencies.
            day: UTC day of the event.
            own: what the platform told.
        """
        if of == to:
            return Converted(_rounded(amount, _LINE), Decimal(1), None, "same currency")
        if own is not None and own.currency == to:
            return _converted(amount, Decimal(own.micros), Decimal(own.of_micros), own.on, own.source)
        published = self._day_for(day)
        if isinstance(published, str):
            return Converted(None, missing=published)
        known = {EURO: Decimal(1), **self._by_day[published]}
        if to in known and of in known:
            return _converted(amount, known[to], known[of], published, ECB)
        if own is not None and to in known and own.currency in known:
            top, bottom = EXACT.multiply(Decimal(own.micros), known[to]), Decimal(own.of_micros)
            bottom = EXACT.multiply(bottom, known[own.currency])
            return _converted(amount, top, bottom, published, f"{own.source}, then {ECB}")
        lacking = to if to not in known else of
        return Converted(None, missing=f"{lacking} has no rate on {published}")

    def _day_for(self, day: date) -> date | str:
        place = bisect_right(self._days, day)
        if not place:
            return "no rates are stored" if not self._days else f"the first rates are of {self._days[0]}"
        found = self._days[place - 1]
        age = (day - found).days
        return found if age <= MOST_DAYS else f"the last rates before {day} are of {found}, {number(age, 'day')} older"


def _converted(amount: Decimal, top: Decimal, bottom: Decimal, on: date, source: str) -> Converted:
    exact = EXACT.divide(EXACT.multiply(amount, top), bottom)
    return Converted(_rounded(exact, _LINE), _rounded(EXACT.divide(top, bottom), _SHOWN), on, source)


def _rounded(value: Decimal, quantum: Decimal) -> Decimal:
    return value.quantize(quantum, context=EXACT)


def rounded(total: Decimal, currency: str) -> Decimal:
    """A total as it is shown: the currency's own decimals, half away from zero. Rounded lines add up to another sum."""
    return _rounded(total, Decimal(1).scaleb(-decimals(currency)))


def stored(connection: Connection, first: date, last: date) -> Rates:
    """The stored rates of these UTC days, both inclusive."""
    table, by_day = fx_rates.c, dict[date, dict[str, Decimal]]()
    for day, currency, rate in connection.execute(
        select(table.day, table.currency, table.rate).where(table.base == EURO, table.day >= first, table.day <= last)
    ):
        by_day.setdefault(day, {})[currency] = Decimal(rate)
    return Rates(by_day)
