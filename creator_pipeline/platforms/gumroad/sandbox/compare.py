"""The ledger of Gumroad beside the sandbox's totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import httpx

from creator_pipeline.core.money import MICROS_PER_CENT
from creator_pipeline.platforms.gumroad import PLATFORM
from creator_pipeline.platforms.gumroad.sandbox.data import DayTotals
from creator_pipeline.sandbox import compare as frame
from creator_pipeline.sandbox.compare import Day, DayFigures, Difference, ledger_days
from creator_pipeline.sandbox.stand_in import Compared, Demo
from creator_pipeline.store.engine import Warehouse


def ledger_of(warehouse: Warehouse, profile_id: str) -> dict[Day, DayFigures]:
    """What the ledger says of each day that has money; sales at no price are not counted."""
    return ledger_days(warehouse, profile_id, PLATFORM.in_ledger, free_sales=False)


def differences(warehouse: Warehouse, profile_id: str, truth: Mapping[date, tuple[int, ...]]) -> list[Difference]:
    """Days on which the ledger is not what the platform says.

    Args:
        warehouse: with the ledger.
        profile_id: whose days.
        truth: the fields of :class:`DayTotals` by UTC day, in US cents.
    """
    return frame.differences(ledger_of(warehouse, profile_id), _in_micros(truth))


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


def compare(demo: Demo) -> Iterator[Compared]:
    """A line for each seller: days, sales and money in US dollars."""
    yield Compared(
        f"\n{'profile':9}{'days':>6}{'sales':>7}{'gross':>12}{'refunded':>11}{'fees':>10}  against the platform"
    )
    for profile_id in demo.world["gumroad"]:
        told = httpx.get(f"{demo.url}/_sandbox/totals/{profile_id}").json()
        truth = {date.fromisoformat(day): tuple(cents.values()) for day, cents in told.items()}
        here = ledger_of(demo.warehouse, profile_id)
        off = frame.differences(here, _in_micros(truth))
        total = DayFigures(*(sum(column) for column in zip(*here.values(), strict=True))) if here else DayFigures()
        money = (
            f"{micros / MICROS_PER_CENT / 100:{width}.2f}"
            for micros, width in ((total.gross_micros, 12), (total.refunded_micros, 11), (total.fee_micros, 10))
        )
        yield Compared(
            f"{profile_id:9}{len(here):6}{total.sales:7}{''.join(money)}  "
            + ("equal on every day, to the cent" if not off else f"{len(off)} days differ"),
            [f"{day}: ledger {ledger}, platform {platform}" for (day, _), ledger, platform in off],
        )
