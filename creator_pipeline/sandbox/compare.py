"""The ledger beside the sandbox's own totals, per profile, day and currency, to the last millionth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, literal, select

from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events


class DayFigures(NamedTuple):
    """One UTC day of one profile in one currency; amounts in millionths.

    Money that went back is positive, and stands on the day that the ledger books it.
    """

    sales: int = 0
    gross_micros: int = 0
    fee_micros: int = 0
    refunded_micros: int = 0
    charged_back_micros: int = 0
    dispute_fee_micros: int = 0


Day = tuple[date, str]
"""A UTC day and a currency, in upper case."""


class Difference(NamedTuple):
    """A day on which the ledger is not what the platform says."""

    day: Day
    ledger: DayFigures
    platform: DayFigures


def ledger_days(
    warehouse: Warehouse, profile_id: str, platform: str, *, free_sales: bool = True
) -> dict[Day, DayFigures]:
    """What the ledger says of each day that has money.

    Args:
        warehouse: with the ledger.
        profile_id: whose days.
        platform: as the ledger calls it.
        free_sales: whether sales at no price are counted.
    """
    events = sales_events.c
    nothing = literal(0)

    def total(amount: ColumnElement[int], *kinds: str) -> ColumnElement[int]:
        return func.sum(case((events.event_type.in_(kinds), amount), else_=nothing))

    sold = events.event_type == "sale"
    counted = sold if free_sales else sold & (events.gross_micros > 0)
    query = (
        select(
            events.occurred_on,
            events.currency,
            func.sum(case((counted, literal(1)), else_=nothing)),
            total(events.gross_micros, "sale"),
            total(events.fee_micros, "sale"),
            -total(events.gross_micros, "refund"),
            -total(events.gross_micros, "chargeback", "chargeback_reversal"),
            total(events.fee_micros, "fee"),
        )
        .where(events.profile_id == profile_id, events.platform == platform)
        .group_by(events.occurred_on, events.currency)
    )
    with warehouse.read() as connection:
        rows = connection.execute(query).all()
    days = {(day, currency): DayFigures(*map(int, figures)) for day, currency, *figures in rows}
    return {day: figures for day, figures in days.items() if any(figures)}


def differences(
    ledger: Mapping[Day, DayFigures], platform: Mapping[Day, DayFigures], in_all: Collection[str] = ()
) -> list[Difference]:
    """Every day on which the two are not the same; a day that is absent is a day without money.

    Args:
        ledger: its days.
        platform: the days that are true.
        in_all: figures that the two may have on different days: they are compared over all days of a currency, and
            what differs stands last, under the last day and ``CURRENCY, all days``.
    """
    none, blank = DayFigures(), dict.fromkeys(in_all, 0)
    days = sorted(ledger.keys() | platform.keys())
    pairs = [(day, ledger.get(day, none), platform.get(day, none)) for day in days]
    found = [Difference(*pair) for pair in pairs if pair[1]._replace(**blank) != pair[2]._replace(**blank)]
    for currency in sorted({currency for _, currency in days}):
        mine = [pair for pair in pairs if pair[0][1] == currency]
        here, there = (
            none._replace(**{name: sum(getattr(pair[side], name) for pair in mine) for name in in_all})
            for side in (1, 2)
        )
        if here != there:
            found.append(Difference((mine[-1][0][0], f"{currency}, all days"), here, there))
    return found
