"""The ledger of Gumroad beside the sandbox's totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import httpx
from sqlalchemy import case, func, select

from creator_pipeline.core.money import MICROS_PER_CENT
from creator_pipeline.core.text import number
from creator_pipeline.platforms.gumroad import PLATFORM
from creator_pipeline.platforms.gumroad.sandbox.data import DayTotals
from creator_pipeline.sandbox import compare as frame
from creator_pipeline.sandbox.compare import Day, DayFigures, Difference, ledger_days
from creator_pipeline.sandbox.stand_in import Compared, Demo
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events

WENT_BACK = ("refunded_micros", "charged_back_micros")
EFFECTS = ("sale", "refund", "chargeback", "chargeback_reversal")
"""Rows of the ledger that are about the money of one sale, but for its partner's share."""


def ledger_of(warehouse: Warehouse, profile_id: str) -> dict[Day, DayFigures]:
    """What the ledger says of each day that has money; sales at no price are not counted."""
    return ledger_days(warehouse, profile_id, PLATFORM.in_ledger, free_sales=False)


def differences(warehouse: Warehouse, profile_id: str, truth: Mapping[date, tuple[int, ...]]) -> list[Difference]:
    """Days on which the ledger is not what the platform says.

    Sales and their fees stand on the day of the sale. What went back is compared over all days: the ledger books it on
    the platform's day where a payout told that, else on the day it was first seen.

    Args:
        warehouse: with the ledger.
        profile_id: whose days.
        truth: the fields of :class:`DayTotals` by UTC day, in US cents.
    """
    return frame.differences(ledger_of(warehouse, profile_id), _in_micros(truth), WENT_BACK)


def _in_micros(truth: Mapping[date, tuple[int, ...]]) -> dict[Day, DayFigures]:
    days = {day: DayTotals(*cents) for day, cents in truth.items() if any(cents)}
    return {
        (day, "USD"): DayFigures(
            sales=cents.sales,
            gross_micros=cents.gross_cents * MICROS_PER_CENT,
            fee_micros=cents.fee_cents * MICROS_PER_CENT,
            refunded_micros=cents.refunded_cents * MICROS_PER_CENT,
            charged_back_micros=cents.charged_back_cents * MICROS_PER_CENT,
        )
        for day, cents in days.items()
    }


def exact_nets(warehouse: Warehouse, profile_id: str) -> dict[str, int]:
    """Net in micros of each sale whose fees the ledger knows exactly, by the sale's id."""
    events = sales_events.c
    query = (
        select(events.external_id, func.sum(events.net_micros))
        .where(events.profile_id == profile_id, events.platform == PLATFORM.in_ledger)
        .where(events.event_type.in_(EFFECTS))
        .group_by(events.external_id)
        .having(func.min(case((events.fee_exact, 1), else_=0)) == 1)
    )
    with warehouse.read() as connection:
        return {sale_id: int(micros) for sale_id, micros in connection.execute(query)}


def wrong_nets(nets: Mapping[str, int], sales: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each sale whose exact net isn't the platform's.

    Args:
        nets: of :func:`exact_nets`.
        sales: of the truth; those of which the platform itself tells something else are left out.
    """
    return [
        f"sale {sale_id}: net in the ledger {nets[sale_id] / MICROS_PER_CENT:.0f} cents, true {true['net_cents']}"
        for sale_id, true in sales.items()
        if true["rows_tell_all"] and sale_id in nets and nets[sale_id] != true["net_cents"] * MICROS_PER_CENT
    ]


def compare(demo: Demo) -> Iterator[Compared]:
    """A line for each seller: days, sales and money in US dollars."""
    yield Compared(
        f"\n{'profile':9}{'days':>6}{'sales':>7}{'gross':>12}{'refunded':>11}{'fees':>10}  against the platform"
    )
    for profile_id in demo.world["gumroad"]:
        told = httpx.get(f"{demo.url}/_sandbox/totals/{profile_id}").json()
        truth = {date.fromisoformat(day): tuple(cents.values()) for day, cents in told.items()}
        here = ledger_of(demo.warehouse, profile_id)
        off = frame.differences(here, _in_micros(truth), WENT_BACK)
        sales = httpx.get(f"{demo.url}/_sandbox/gumroad/{profile_id}/books").json()["sales"]
        nets = exact_nets(demo.warehouse, profile_id)
        wrong = wrong_nets(nets, sales)
        total = DayFigures(*(sum(column) for column in zip(*here.values(), strict=True))) if here else DayFigures()
        money = (
            f"{micros / MICROS_PER_CENT / 100:{width}.2f}"
            for micros, width in ((total.gross_micros, 12), (total.refunded_micros, 11), (total.fee_micros, 10))
        )
        yield Compared(
            f"{profile_id:9}{len(here):6}{total.sales:7}{''.join(money)}  "
            + ("equal on every day, to the cent" if not off else f"{number(len(off), 'day differs', 'days differ')}")
            + f"; fees exact for {len(nets)} of {number(total.sales, 'sale')}"
            + (f", {len(wrong)} of them wrong" if wrong else ""),
            [*(f"{day} {which}: ledger {here}, platform {there}" for (day, which), here, there in off), *wrong],
        )
