"""Refunds that can only be derived by proportion, settled with Gumroad's own totals of the day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

import orjson

from creator_pipeline.core.money import MICROS_PER_CENT
from creator_pipeline.platforms.gumroad.catalog import decimals
from creator_pipeline.platforms.gumroad.counted_otherwise import Evidence, explain, sold
from creator_pipeline.platforms.gumroad.models import SaleRow, amount, refunded_cents
from creator_pipeline.platforms.gumroad.summary import SummaryDay

NO_EVIDENCE = Evidence(frozenset(), frozenset(), {})


class _Bounds(NamedTuple):
    """What a refund can be, in US cents: ``guess`` is the nearest, None where nothing is known."""

    low: int
    guess: int | None
    high: int


def is_derived(row: SaleRow) -> bool:
    """Whether the API doesn't tell the refund exactly: in part, and in another currency than the dollar, or not at
    all where the payment processor is gone."""
    if row.kind != "sale" or row.refunded or not row.partially_refunded:
        return False
    # From what was read, not from the stored flag: a refund that was settled before must be looked at again.
    price = row.price_micros // MICROS_PER_CENT
    return not refunded_cents(orjson.loads(row.raw), price, row.listed_currency)[1]


def days_to_settle(rows: Iterable[SaleRow]) -> set[date]:
    """The seller's days that hold such a refund."""
    return {row.local_day for row in rows if is_derived(row) and row.local_day is not None}


def settle(
    rows: Sequence[SaleRow],
    others: Iterable[SaleRow],
    totals: Mapping[date, SummaryDay],
    evidence: Evidence = NO_EVIDENCE,
) -> list[SaleRow]:
    """The rows, with the derived refunds of each day adding up to Gumroad's refunded cents of that day.

    A day is settled only when its sales (``rows`` and those stored beside them, ``others``) add up to Gumroad's own
    gross, which proves that all of them are here; sales that the totals count otherwise are left aside, where the
    gross comes out to the cent with that. The same day always gives the same cents to the same sales, however its
    sales came in.

    Args:
        rows: of the days that were read.
        others: stored sales of the same days.
        totals: Gumroad's own, by local day.
        evidence: what tells which sales the totals count otherwise.
    """
    days: dict[date, list[SaleRow]] = defaultdict(list)
    for row in (*rows, *others):
        if row.local_day is not None and row.kind == "sale":
            days[row.local_day].append(row)
    settled: dict[str, int] = {}
    for day, sales in days.items():
        total = totals.get(day)
        if total is None or not any(is_derived(row) for row in sales):
            continue
        authorized = evidence.authorized_on(day, (row.id for row in sales))
        how = explain([sold(row) for row in sales], authorized, evidence, total.gross_cents, None)
        if how is None:
            continue
        left_out = {one.sale_id for one in how.left_out}
        counted = [row for row in sales if row.id not in left_out]
        derived = [row for row in counted if is_derived(row)]
        certain = sum(row.refunded_micros or 0 for row in counted if not is_derived(row))
        if not derived:
            continue
        settled |= _share(derived, total.refunded_cents - certain // MICROS_PER_CENT)
    return [
        row._replace(refunded_micros=settled[row.id] * MICROS_PER_CENT, refund_exact=True) if row.id in settled else row
        for row in rows
    ]


def _share(derived: list[SaleRow], cents: int) -> dict[str, int]:
    """Cents of each sale, adding up to ``cents``; empty where their bounds don't allow it."""
    bounds = {row.id: _bounds(row) for row in sorted(derived, key=lambda row: row.id)}
    unknown = [sale_id for sale_id, bound in bounds.items() if bound.guess is None]
    shares = {sale_id: bound.guess for sale_id, bound in bounds.items() if bound.guess is not None}
    rest = cents - sum(shares.values())
    if unknown:
        bound = bounds[unknown[0]]
        return {**shares, unknown[0]: rest} if len(unknown) == 1 and bound.low <= rest <= bound.high else {}
    for sale_id, bound in bounds.items():
        guess = shares[sale_id]
        step = max(bound.low - guess, min(rest, bound.high - guess))
        shares[sale_id] += step
        rest -= step
    return {} if rest else shares


def _bounds(row: SaleRow) -> _Bounds:
    """What Gumroad's rounded texts leave open: the refundable rest and the total are rounded in the listed currency."""
    sale = orjson.loads(row.raw)
    price = row.price_micros // MICROS_PER_CENT
    guess, _ = refunded_cents(sale, price, row.listed_currency)
    left, total = amount(sale.get("amount_refundable_in_currency")), amount(sale.get("formatted_total_price"))
    # Nothing left says nothing: a processor that is gone answers "0" whatever was given back.
    if left is None or not total or (guess is None and not left):
        return _Bounds(1, None, price - 1)
    half = Decimal(1).scaleb(-decimals(row.listed_currency or "USD")) / 2
    most = ((left + half) * price / max(total - half, half)).to_integral_value(ROUND_FLOOR)
    least = (max(left - half, Decimal(0)) * price / (total + half)).to_integral_value(ROUND_CEILING)
    # As much left as there was: tax alone went back, or less than the listed currency's rounding.
    nothing = left == total
    low, high = max(0 if nothing else 1, price - int(most)), min(price - 1, price - int(least))
    if guess is None:
        guess = low
    return _Bounds(min(guess, low), guess, max(guess, high))
