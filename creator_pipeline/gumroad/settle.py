"""Refunds that were derived by proportion, settled with Gumroad's own totals of the day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from creator_pipeline.core.money import MICROS_PER_CENT, from_cents
from creator_pipeline.gumroad.client import SummaryDay
from creator_pipeline.gumroad.models import SaleRow


class Neighbour(NamedTuple):
    """A stored sale of one of the days that isn't among those being settled. Amounts in micros."""

    local_day: date
    price_micros: int
    refunded_micros: int


def days_to_settle(rows: Iterable[SaleRow]) -> set[date]:
    """The seller's days that hold a refund which isn't exact."""
    return {row.local_day for row in rows if not row.refund_exact and row.local_day is not None}


def settle(
    rows: Sequence[SaleRow], neighbours: Iterable[Neighbour], totals: Mapping[date, SummaryDay]
) -> list[SaleRow]:
    """The rows, with what is left of a day's refunded cents given to the refunds that were estimates.

    A day is settled only when its sales add up to Gumroad's own gross, which proves that all of them are here.
    Where several refunds of a day are estimates, the difference may not exceed one cent for each of them.
    """
    gross: dict[date, int] = defaultdict(int)
    known: dict[date, int] = defaultdict(int)
    open_rows: dict[date, list[SaleRow]] = defaultdict(list)
    for other in neighbours:
        gross[other.local_day] += other.price_micros
        known[other.local_day] += other.refunded_micros
    for row in rows:
        if row.local_day is None or row.kind != "sale":
            continue
        gross[row.local_day] += row.price_micros
        if row.refund_exact:
            known[row.local_day] += row.refunded_micros or 0
        else:
            open_rows[row.local_day].append(row)
    settled: dict[str, SaleRow] = {}
    for day, estimates in open_rows.items():
        total = totals.get(day)
        if total is not None and from_cents(total.gross_cents) == gross[day]:
            for row in _share(estimates, from_cents(total.refunded_cents) - known[day]):
                settled[row.id] = row
    return [settled.get(row.id, row) for row in rows]


def _share(estimates: list[SaleRow], refunded: int) -> list[SaleRow]:
    if len(estimates) == 1:
        row = estimates[0]
        fits = 0 < refunded < row.price_micros
        return [row._replace(refunded_micros=refunded, refund_exact=True)] if fits else []
    if any(row.refunded_micros is None for row in estimates):
        return []
    difference = refunded - sum(row.refunded_micros or 0 for row in estimates)
    steps, rest = divmod(abs(difference), MICROS_PER_CENT)
    if rest or steps > len(estimates):
        return []
    cent = MICROS_PER_CENT if difference > 0 else -MICROS_PER_CENT
    # By id, so that reading again gives the same cents to the same sales.
    ordered = sorted(estimates, key=lambda row: row.id)
    return [
        row._replace(refunded_micros=(row.refunded_micros or 0) + (cent if index < steps else 0), refund_exact=True)
        for index, row in enumerate(ordered)
    ]
