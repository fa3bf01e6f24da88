"""When and how a seller is paid: the weekly run, what a payout takes, and what becomes of it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from creator_pipeline.platforms.gumroad.sandbox.balance import Balance, BalanceBook, Entry, Item
from creator_pipeline.platforms.gumroad.sandbox.fees import instant_amount, paypal_fee
from creator_pipeline.platforms.gumroad.sandbox.shapes import opaque_id

MINIMUM = 1000
"""US cents below which a balance waits."""
HOLD = timedelta(days=7)
MONDAY, WEDNESDAY, THURSDAY, FRIDAY = 0, 2, 3, 4
RUN_AT = time(10, 0, 3)
RELEASED = frozenset({"failed", "cancelled", "returned", "reversed"})
"""Statuses of a payout whose money is in the balance again."""
FIRST_NUMBER = 483_900_000


class Terms(NamedTuple):
    """How a seller is paid.

    Attributes:
        processor: ``stripe`` to a bank account, or ``paypal``.
        weekday: of the run, 0 is Monday.
        currency: of the bank account; PayPal pays US dollars.
    """

    processor: str = "stripe"
    weekday: int = THURSDAY
    currency: str = "usd"


def rate_of(currency: str) -> Callable[[date], int]:
    """Millionths of a currency for a US dollar, by UTC day: it moves by one per cent."""
    return _one if currency == "usd" else _moving


def _one(_day: date) -> int:
    return 1_000_000


def _moving(day: date) -> int:
    return 900_000 + day.toordinal() * 7919 % 101 * 100


def seconds(day: date, at: time = time()) -> int:
    """Seconds since 1970 of a UTC day and time."""
    return int(datetime.combine(day, at, UTC).timestamp())


@dataclass(eq=False, slots=True)
class Payout:
    """One payout, live or released.

    Attributes:
        number: orders payouts of one second.
        created: seconds since 1970.
        period_end: the last day whose balance it may take.
        balances: that it took; a released one keeps the list, though they are in another by then.
        sizes: number of entries of each of those when it was made; a released balance may get more.
        balance_cents: sum of those entries, US cents.
        amount: minor units of ``currency`` that are sent.
        fee_cents: US cents that the payout itself costs.
        status: the service's word.
        history: (seconds since 1970, status), oldest first.
        instant: the seller asked for it.
    """

    number: int
    id: str
    created: int
    period_end: date
    processor: str
    currency: str
    balances: list[Balance]
    sizes: list[int]
    balance_cents: int
    amount: int
    fee_cents: int = 0
    status: str = "processing"
    history: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    instant: bool = False

    @property
    def entries(self) -> list[Entry]:
        """What it was made of."""
        return [entry for one, size in zip(self.balances, self.sizes, strict=True) for entry in one.entries[:size]]

    @property
    def live(self) -> bool:
        """Whether its money left the balance."""
        return self.status not in RELEASED

    def since(self, status: str) -> int | None:
        """When it last came to be ``status``."""
        return next((at for at, said in reversed(self.history) if said == status), None)


class Planned(NamedTuple):
    """A payout of a run to come; in US cents also for accounts in other currencies, without a fee."""

    day: date
    period_end: date
    balances: list[Balance]
    cents: int


class PayoutRun:
    """The calendar of one seller's payouts.

    Attributes:
        payouts: all of them, oldest first.
        fates: what becomes of a payout, by its place from 0: ``returned``, ``failed``, ``reversed``, ``cancelled`` or
            ``unclaimed``; of all others ``completed``.
        paused: no payouts are made.
    """

    def __init__(self, seller_id: str, terms: Terms, book: BalanceBook, start: date) -> None:
        self.seller_id, self.terms, self.book = seller_id, terms, book
        self.payouts: list[Payout] = []
        self.fates: dict[int, str] = {}
        self.paused = False
        self._changes: list[tuple[int, int, str]] = []
        self._next_run = start + timedelta(days=(terms.weekday - start.weekday()) % 7)

    def until(self, instant: int) -> None:
        """Everything that happens up to ``instant`` (seconds since 1970)."""
        while True:
            run = seconds(self._next_run, RUN_AT)
            change = self._changes[0][0] if self._changes else run + 1
            if min(run, change) > instant:
                return
            if change <= run:
                at, place, status = heapq.heappop(self._changes)
                self.become(self.payouts[place], status, at)
            else:
                self._run(self._next_run)
                self._next_run += timedelta(days=7)

    @staticmethod
    def _covers(run: date) -> date:
        return run + timedelta(days=(FRIDAY - run.weekday()) % 7) - HOLD

    def _run(self, day: date) -> None:
        end = self._covers(day)
        taken = [one for one in self.book.unpaid() if one.day <= end]
        if not self.paused and sum(one.cents for one in taken) >= MINIMUM:
            self._make(taken, end, seconds(day, RUN_AT), instant=False)

    def _make(self, taken: list[Balance], end: date, at: int, *, instant: bool) -> Payout:
        cents, amount = sum(one.cents for one in taken), sum(one.local for one in taken)
        fee = 0
        if instant:
            fee = cents - instant_amount(cents)
        elif self.terms.processor == "paypal":
            fee = paypal_fee(cents)
        place = len(self.payouts)
        payout = Payout(
            number=FIRST_NUMBER + place * 7,
            id=opaque_id(self.seller_id, "payout", place),
            created=at,
            period_end=end,
            processor=self.terms.processor,
            currency=self.terms.currency,
            balances=taken,
            sizes=[len(one.entries) for one in taken],
            balance_cents=cents,
            amount=amount - fee if self.terms.currency == "usd" else amount,
            fee_cents=fee,
            history=[(at, "processing")],
            instant=instant,
        )
        self.book.take(taken, payout)
        self.payouts.append(payout)
        for when, status in self._what_follows(at, self.fates.get(place, "completed"), instant=instant):
            heapq.heappush(self._changes, (when, place, status))
        return payout

    def _what_follows(self, at: int, fate: str, *, instant: bool) -> list[tuple[int, str]]:
        day = datetime.fromtimestamp(at, UTC).date()
        monday = day + timedelta(days=(MONDAY - day.weekday()) % 7 or 7)
        if instant:
            arrives = at + 60
        elif self.terms.processor == "paypal":
            arrives = seconds(day, time(18, 20))
        else:
            arrives = seconds(monday, time(7))
        if fate in ("failed", "cancelled", "unclaimed"):
            return [(arrives, fate)]
        after = [] if fate == "completed" else [(arrives + 8 * 86_400, fate)]
        return [(arrives, "completed"), *after]

    def instant_payout(self, at: int) -> Payout | None:
        """Pays what is unpaid up to yesterday, at once and for three per cent; None where that is too little."""
        yesterday = datetime.fromtimestamp(at, UTC).date() - timedelta(days=1)
        taken = [one for one in self.book.unpaid() if one.day <= yesterday]
        if sum(one.cents for one in taken) < MINIMUM or self.terms.currency != "usd":
            return None
        return self._make(taken, yesterday, at, instant=True)

    def become(self, payout: Payout, status: str, at: int) -> None:
        """Gives a payout another status; where the money went back, its balances are free again.

        Args:
            payout: of this seller.
            status: the service's word.
            at: seconds since 1970.
        """
        was_live = payout.live
        payout.status = status
        payout.history.append((at, status))
        if was_live and not payout.live:
            self.book.free(payout.balances)
            if payout.currency != "usd" and status == "returned":
                # What the bank exchanged twice is another amount; in dollars nothing happened.
                day = datetime.fromtimestamp(at, UTC).date()
                item = Item("credit", number=self.book.number())
                self.book.enter(self.book.oldest(day), item, 0, day, local=-(payout.amount // 200) or -1)

    def upcoming(self, now: int) -> list[Planned]:
        """The payouts of the next runs, earliest first, as long as each reaches the minimum."""
        planned: list[Planned] = []
        run, last = self._next_run, date.min
        if seconds(run, RUN_AT) <= now:
            run += timedelta(days=7)
        unpaid = self.book.unpaid()
        while True:
            end = self._covers(run)
            group = [one for one in unpaid if last < one.day <= end]
            cents = sum(one.cents for one in group)
            if cents < MINIMUM:
                return planned
            planned.append(Planned(run, end, group, cents))
            run, last = run + timedelta(days=7), end
