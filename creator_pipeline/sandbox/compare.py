"""The ledger beside the sandbox's own totals, per profile and day, to the cent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, func, literal, select

from creator_pipeline.core.money import MICROS_PER_CENT
from creator_pipeline.platforms.whop.sandbox.data import WhopDay
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events


class DayFigures(NamedTuple):
    """One UTC day of one profile, in US cents; ``sales`` counts those that were charged."""

    sales: int = 0
    gross_cents: int = 0
    refunded_cents: int = 0
    fee_cents: int = 0
    charged_back_cents: int = 0


def ledger_days(warehouse: Warehouse, profile_id: str, platform: str = "gumroad") -> dict[date, DayFigures]:
    """What the ledger says of each day that has money."""
    events = sales_events.c
    nothing = literal(0)
    charged = (events.event_type == "sale") & (events.gross_micros > 0)
    won_back = case((events.event_type == "chargeback_reversal", events.gross_micros), else_=nothing)
    lost = case((events.event_type == "chargeback", events.gross_micros), else_=nothing)
    query = (
        select(
            events.occurred_on,
            func.sum(case((charged, literal(1)), else_=nothing)),
            func.sum(case((charged, events.gross_micros), else_=nothing)),
            -func.sum(case((events.event_type == "refund", events.gross_micros), else_=nothing)),
            func.sum(case((charged, events.fee_micros), else_=nothing)),
            -func.sum(lost + won_back),
        )
        .where(events.profile_id == profile_id, events.platform == platform)
        .group_by(events.occurred_on)
    )
    with warehouse.read() as connection:
        rows = connection.execute(query).all()
    days = {
        day: DayFigures(int(sales), *(int(micros) // MICROS_PER_CENT for micros in money))
        for day, sales, *money in rows
    }
    return {day: figures for day, figures in days.items() if any(figures)}


def differences(
    warehouse: Warehouse, profile_id: str, truth: Mapping[date, tuple[int, ...]]
) -> list[tuple[date, DayFigures, DayFigures]]:
    """(day, ledger, platform) wherever the two are not the same."""
    told = {day: DayFigures(*figures) for day, figures in truth.items() if any(figures)}
    here = ledger_days(warehouse, profile_id)
    return [
        (day, here.get(day, DayFigures()), told.get(day, DayFigures()))
        for day in sorted(here.keys() | told.keys())
        if here.get(day) != told.get(day)
    ]


def whop_days(warehouse: Warehouse, profile_id: str) -> dict[tuple[date, str], WhopDay]:
    """What the ledger says of each day and currency that has money at Whop."""
    events = sales_events.c
    nothing = literal(0)

    def total(amount: ColumnElement[int], *kinds: str) -> ColumnElement[int]:
        return func.sum(case((events.event_type.in_(kinds), amount), else_=nothing))

    query = (
        select(
            events.occurred_on,
            events.currency,
            total(literal(1), "sale"),
            total(events.gross_micros, "sale"),
            total(events.fee_micros, "sale"),
            -total(events.gross_micros, "refund"),
            -total(events.gross_micros, "chargeback", "chargeback_reversal"),
            total(events.fee_micros, "fee"),
        )
        .where(events.profile_id == profile_id, events.platform == "whop")
        .group_by(events.occurred_on, events.currency)
    )
    with warehouse.read() as connection:
        rows = connection.execute(query).all()
    days = {(day, currency): WhopDay(*map(int, figures)) for day, currency, *figures in rows}
    return {key: figures for key, figures in days.items() if any(figures)}


def whop_truth(told: Iterable[Mapping[str, Any]]) -> dict[tuple[date, str], WhopDay]:
    """The answer of ``/_sandbox/whop/{profile}/totals``, as :func:`whop_differences` takes it."""
    return {
        (date.fromisoformat(day["day"]), day["currency"]): WhopDay(*(day[name] for name in WhopDay._fields))
        for day in told
    }


def whop_differences(
    warehouse: Warehouse, profile_id: str, truth: Mapping[tuple[date, str], WhopDay]
) -> list[tuple[tuple[date, str], WhopDay, WhopDay]]:
    """((day, currency), ledger, platform) wherever the two are not the same; ``truth`` as the sandbox's totals."""
    here, none = whop_days(warehouse, profile_id), WhopDay()
    return [
        (key, here.get(key, none), truth.get(key, none))
        for key in sorted(here.keys() | truth.keys())
        if here.get(key, none) != truth.get(key, none)
    ]
