"""What Whop doesn't say and the stand-in therefore plays in more than one way, and the invented rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from creator_pipeline.platforms.whop.sandbox.object_json import DECIMALS

PLACES: Mapping[str, int] = {"jpy": 6, "kwd": 9}
"""Decimal digits of a currency's ``precision``; 8 where it isn't named."""
USD_RATES: Mapping[str, Decimal] = {
    "usd": Decimal(1),
    "eur": Decimal("1.117"),
    "gbp": Decimal("1.3201"),
    "jpy": Decimal("0.006612"),
    "kwd": Decimal("3.2517"),
}
"""US dollars for one unit in the middle of a week; a currency that isn't named has no rate."""


@dataclass
class Readings:
    """Switches; each is a way to read the same documentation.

    Attributes:
        newest_first: order of the feed.
        offset_cursors: a cursor of the feed counts rows, so that a line that arrives meanwhile moves the others;
            otherwise it names the last row.
        amount_with_fee: ``amount`` of a payout whose fee is beside holds the fee; otherwise it is what arrives.
        inclusive_fee_line: a payout whose fee is inside books it as a line of its own; otherwise the one
            ``withdrawal`` line holds it.
        line_when_completed: a payout leaves the balance when it is completed; otherwise when it is created.
        fees_back: a refund gives the processing fee back, as positive lines of the same words.
        kept_after_all: ``amount_after_fees`` is also less the tax and the partners' shares.
        statement_by_posting: a payout's statement takes lines by their booking, not by when they are available.
        late_hours: lines appear in the feed so long after they were booked; balances and reports know them at once.
        late_every: every which line is late.
        left_out: words that the feed leaves out without ``balance_type``.
        only_when_asked: words that the feed without ``balance_type`` has only where ``line_types`` names them.
    """

    newest_first: bool = True
    offset_cursors: bool = True
    amount_with_fee: bool = True
    inclusive_fee_line: bool = False
    line_when_completed: bool = False
    fees_back: bool = False
    kept_after_all: bool = False
    statement_by_posting: bool = False
    late_hours: int = 0
    late_every: int = 3
    left_out: frozenset[str] = frozenset({"dispute_alert_fee"})
    only_when_asked: frozenset[str] = frozenset({"onchain_deposit"})


def places_of(currency: str) -> int:
    """Decimal digits in which the books of a currency are kept."""
    return PLACES.get(currency, 8)


def written(amount: Decimal, currency: str) -> Decimal:
    """An amount as finely as people write the currency, half to even."""
    return amount.quantize(Decimal(1).scaleb(-DECIMALS.get(currency, 2)), rounding=ROUND_HALF_EVEN)


def booked(amount: Decimal, currency: str) -> Decimal:
    """An amount as finely as the books take it, half to even."""
    return amount.quantize(Decimal(1).scaleb(-places_of(currency)), rounding=ROUND_HALF_EVEN)


def usd_rate(currency: str, day: date) -> Decimal | None:
    """US dollars for one unit on a UTC day; None where there is no rate. It moves through the week."""
    base = USD_RATES.get(currency)
    if base is None or currency == "usd":
        return base
    return base * (1 + Decimal(day.weekday() - 3) / 1000)
