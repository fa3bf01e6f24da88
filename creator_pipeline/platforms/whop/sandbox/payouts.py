"""Payouts: what they book, and how they move on as days pass."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_DOWN, Decimal

from creator_pipeline.platforms.whop.sandbox.books import Books, Line
from creator_pipeline.platforms.whop.sandbox.payout import RELEASED, Payout
from creator_pipeline.platforms.whop.sandbox.readings import Readings, usd_rate

FEES: Mapping[str, Decimal] = {"usd": Decimal("2.50"), "eur": Decimal("1.75")}
MARKUP = Decimal("0.35")
LEAST = Decimal(20)
"""What there must be for a weekly payout."""
CENT = Decimal("0.01")
REVERSALS = {
    "withdrawal": "withdrawal_reversal",
    "withdrawal_fee": "withdrawal_fee_reversal",
    "withdrawal_markup_fee": "withdrawal_markup_fee_reversal",
}
ON_ITS_WAY = timedelta(days=2)
COMES_BACK = timedelta(days=4)


def weekly(payout_id: str, currency: str, available: Decimal, ordinal: int, moment: datetime) -> Payout | None:
    """The payout that Whop makes by itself, or None where there is too little.

    Args:
        payout_id: ``wdrl_…``.
        currency: of the balance, lower case.
        available: in the balance.
        ordinal: how many such payouts of this currency came before: every kind of payout comes with time.
        moment: when it is made, with its zone.
    """
    share = Decimal(1) if ordinal % 2 == 0 else Decimal("0.85")
    taken = (available * share).quantize(CENT, rounding=ROUND_DOWN)
    if taken < LEAST:
        return None
    payout = made(
        payout_id,
        currency,
        taken,
        moment,
        fee_type="inclusive" if ordinal % 3 == 1 else "exclusive",
        fee_paid_by="platform" if ordinal % 7 == 6 else "self",
        markup=MARKUP if ordinal % 4 == 3 else Decimal(0),
    )
    if ordinal % 5 == 4:
        into(payout, "gbp")
    if ordinal % 8 == 2:
        payout.due.append((moment + COMES_BACK, "reversed"))
    return payout


def made(
    payout_id: str,
    currency: str,
    taken: Decimal,
    moment: datetime,
    *,
    fee_type: str = "exclusive",
    fee_paid_by: str = "self",
    markup: Decimal = Decimal(0),
) -> Payout:
    """A payout that takes ``taken`` from the balance, its costs included.

    Args:
        payout_id: ``wdrl_…``.
        currency: of the balance, lower case.
        taken: in units of ``currency``.
        moment: when it is made, with its zone.
        fee_type: ``inclusive`` or ``exclusive``.
        fee_paid_by: ``self`` or ``platform``.
        markup: beside the fee.
    """
    fee = FEES.get(currency, Decimal(0))
    principal = taken - (fee + markup if fee_paid_by == "self" else 0)
    due = [(moment + ON_ITS_WAY, "completed")]
    return Payout(payout_id, currency, principal, fee, markup, fee_type, fee_paid_by, moment, due)


def into(payout: Payout, destination: str) -> None:
    """The bank gets another currency, at the rate of the day.

    Raises:
        ValueError: a currency without a rate.
    """
    here, there = (usd_rate(code, payout.created_at.date()) for code in (payout.currency, destination))
    if here is None or there is None:
        raise ValueError(f"no rate from {payout.currency} to {destination}")
    payout.destination_currency = destination
    payout.rate = (here / there).quantize(Decimal("0.0001"))


def book(books: Books, payout: Payout, moment: datetime, readings: Readings) -> None:
    """The money leaves the balance.

    Args:
        books: of the account.
        payout: of these books.
        moment: when, with its zone.
        readings: how its costs are booked.
    """
    inside = payout.fee_type == "inclusive" and not readings.inclusive_fee_line
    costs = {"withdrawal": payout.taken} if inside or payout.fee_paid_by == "platform" else _costs(payout)
    for word, cost in costs.items():
        books.post(word, -cost, payout.currency, moment, source=("payout", payout.id))
    payout.booked = True


def _costs(payout: Payout) -> dict[str, Decimal]:
    costs = {"withdrawal": payout.principal, "withdrawal_fee": payout.fee, "withdrawal_markup_fee": payout.markup}
    return {word: cost for word, cost in costs.items() if cost}


def lines_of(books: Books, payout: Payout) -> list[Line]:
    """What a payout booked, what came back included."""
    return [line for line in books.lines if line.source == ("payout", payout.id)]


def move_on(books: Books, payout: Payout, status: str, moment: datetime, readings: Readings) -> None:
    """The status changes; money that doesn't arrive comes back with its costs.

    Args:
        books: of the account.
        payout: of these books.
        status: Whop's word.
        moment: when, with its zone.
        readings: when a payout leaves the balance.
    """
    if status == "completed" and not payout.booked:
        book(books, payout, moment, readings)
    if status in RELEASED:
        codes = {"reversed": ("account_closed", "The bank returned the payment.")}
        payout.failure = codes.get(status, (f"payout_{status}", "The payout was not made."))
        payout.due.clear()
        for line in lines_of(books, payout) if payout.returned_at is None else []:
            books.post(REVERSALS[line.line_type], -line.amount, line.currency, moment, source=line.source)
            payout.returned_at = moment
    payout.status = status


def paydays(since: datetime, until: datetime) -> list[datetime]:
    """Mondays, six o'clock UTC, after ``since`` and up to ``until``."""
    first = datetime.combine(since.astimezone(UTC).date() - timedelta(days=since.weekday()), time(6), UTC)
    days = (first + timedelta(weeks=week) for week in range((until - first).days // 7 + 1))
    return [day for day in days if since < day <= until]
