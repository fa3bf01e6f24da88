"""The books of one account: lines, and a journal of two entries for each movement.

Written from Whop's documentation alone, so that it can be compared with what the pipeline makes of the same lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from creator_pipeline.platforms.whop.sandbox.payout import Payout
from creator_pipeline.platforms.whop.sandbox.readings import booked

AVAILABLE, PENDING, RESERVE, OUTSIDE = "available", "pending", "reserve", "outside"
PARTS = (AVAILABLE, PENDING, RESERVE)
"""Of a balance; ``OUTSIDE`` is everybody else."""
PENDING_DAYS = 3


@dataclass(frozen=True)
class Line:
    """A movement of money.

    Attributes:
        number: of the account, in order of writing.
        line_type: Whop's word.
        currency: lower case.
        amount: signed, in units of ``currency``.
        posted_at, available_at: from ``posted_at`` to ``available_at`` it is pending.
        payment_id: ``pay_…``.
        source: ``(kind, id)`` of what made it, where it isn't the payment.
        inner: moves between the available part and the reserve, nothing enters or leaves.
    """

    number: int
    line_type: str
    currency: str
    amount: Decimal
    posted_at: datetime
    available_at: datetime
    payment_id: str | None = None
    source: tuple[str, str] | None = None
    inner: bool = False

    @property
    def id(self) -> str:
        """As Whop names it."""
        return f"line_{self.number}"

    @property
    def total(self) -> Decimal:
        """What enters or leaves the account."""
        return Decimal(0) if self.inner else self.amount


class Entry(NamedTuple):
    """Half of a movement: a part of the balance, or ``OUTSIDE``, changes by ``amount`` at ``at``."""

    at: datetime
    line: int
    part: str
    currency: str
    amount: Decimal


class Balance(NamedTuple):
    """Parts of a balance, in units of the currency."""

    available: Decimal = Decimal(0)
    pending: Decimal = Decimal(0)
    reserve: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """Their sum."""
        return self.available + self.pending + self.reserve


@dataclass
class Books:
    """Lines and payouts of an account.

    Attributes:
        lines: in order of writing.
        journal: sums to zero in each currency, at any moment.
        payouts: by id, in order of making.
        traits: what makes the fees of a payment, by its id.
        caught_up: until when payouts were made and moved on.
    """

    lines: list[Line] = field(default_factory=list[Line])
    journal: list[Entry] = field(default_factory=list[Entry])
    payouts: dict[str, Payout] = field(default_factory=dict[str, Payout])
    traits: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    caught_up: datetime | None = None
    _of_payments: dict[str, list[Line]] = field(default_factory=dict[str, list[Line]])

    def post(
        self,
        line_type: str,
        amount: Decimal,
        currency: str,
        posted_at: datetime,
        *,
        available_at: datetime | None = None,
        inner: bool = False,
        **more: Any,
    ) -> Line:
        """Book a movement.

        Args:
            line_type: Whop's word.
            amount: signed, in units of ``currency``; rounded to the precision of the books.
            currency: lower case.
            posted_at: when it is booked, with its zone.
            available_at: until then it is pending; None for at once.
            inner: between the available part and the reserve.
            more: other fields of :class:`Line`.
        """
        free = available_at or posted_at
        exact = booked(amount, currency)
        line = Line(len(self.lines) + 1, line_type, currency, exact, posted_at, free, inner=inner, **more)
        self.lines.append(line)
        if line.payment_id:
            self._of_payments.setdefault(line.payment_id, []).append(line)
        if inner:
            self._move(line, posted_at, RESERVE, AVAILABLE)
        elif free > posted_at:
            self._move(line, posted_at, OUTSIDE, PENDING)
            self._move(line, free, PENDING, AVAILABLE)
        else:
            self._move(line, posted_at, OUTSIDE, AVAILABLE)
        return line

    def _move(self, line: Line, at: datetime, giver: str, taker: str) -> None:
        self.journal += [
            Entry(at, line.number, giver, line.currency, -line.amount),
            Entry(at, line.number, taker, line.currency, line.amount),
        ]

    def balances(self, at: datetime) -> dict[str, Balance]:
        """What there is in each currency at a moment, that moment included."""
        sums: dict[str, dict[str, Decimal]] = {}
        for entry in self.journal:
            if entry.at <= at and entry.part != OUTSIDE:
                parts = sums.setdefault(entry.currency, dict.fromkeys(PARTS, Decimal(0)))
                parts[entry.part] += entry.amount
        return {currency: Balance(**parts) for currency, parts in sorted(sums.items())}

    def of_payment(self, payment_id: str) -> Sequence[Line]:
        """All lines of a payment."""
        return self._of_payments.get(payment_id, [])

    def previous(self, payout: Payout) -> Payout | None:
        """The payout of the same currency before this one."""
        before = [
            other
            for other in self.payouts.values()
            if other.currency == payout.currency and other.created_at < payout.created_at
        ]
        return max(before, key=lambda other: other.created_at, default=None)

    def statement(self, payout: Payout, *, by_posting: bool = False) -> list[Line]:
        """Lines that changed the available part after the payout before this one and up to this one, without its own.

        Args:
            payout: of these books.
            by_posting: by the moment of booking instead of the one when the money is available.
        """
        before = self.previous(payout)
        since = before.created_at if before else datetime.min.replace(tzinfo=UTC)

        def within(line: Line) -> bool:
            moment = line.posted_at if by_posting else line.available_at
            return since < moment <= payout.created_at

        return [
            line
            for line in self.lines
            if line.currency == payout.currency and within(line) and line.source != ("payout", payout.id)
        ]


def settles_at(moment: datetime) -> datetime:
    """When a payment of ``moment`` is available: a midnight in UTC."""
    day = moment.astimezone(UTC).date() + timedelta(days=PENDING_DAYS)
    return datetime.combine(day, time(), UTC)


def total_of(lines: Iterable[Line]) -> Decimal:
    """What lines changed in the account."""
    return sum((line.total for line in lines), Decimal(0))
