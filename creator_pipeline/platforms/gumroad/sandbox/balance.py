"""A seller's balance: an amount a day, each made of entries, each in at most one live payout."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from creator_pipeline.platforms.gumroad.sandbox.fees import half_away

if TYPE_CHECKING:
    from creator_pipeline.platforms.gumroad.sandbox.payouts import Payout

ANCHORS = frozenset({"sale", "refund", "refund_failed", "chargeback", "won", "credit"})
"""Kinds of movement that tell that something happened, also where it moved nothing."""


class Item(NamedTuple):
    """What moved money.

    Attributes:
        kind: ``sale``, ``share`` (owed to a partner), ``refund``, ``kept`` (fee of the processor), ``share_back``,
            ``chargeback``, ``dispute_share`` (back from the partner), ``won``, ``credit``, ``earned`` and
            ``earned_back`` (as a partner), ``refund_failed``, ``kept_failed``, ``share_failed``, ``written_off``.
        sale_id: empty where no own sale is behind it.
        number: of the refund, dispute or credit; 0 for what a sale has once.
    """

    kind: str
    sale_id: str = ""
    number: int = 0


class Entry(NamedTuple):
    """One movement of a balance.

    Attributes:
        item: what moved it.
        cents: US cents, negative where money left.
        local: the same in minor units of the account's currency.
        happened: the UTC day it happened on, which may be after the balance's day.
    """

    item: Item
    cents: int
    local: int
    happened: date


@dataclass(eq=False, slots=True)
class Balance:
    """What is owed for one UTC day.

    Attributes:
        day: that it is of.
        entries: that it is made of.
        payout: the live payout that it is in; None while it is unpaid.
        cents: sum of the entries, US cents.
        local: the same in minor units of the account's currency.
    """

    day: date
    entries: list[Entry] = field(default_factory=list[Entry])
    payout: Payout | None = None
    cents: int = 0
    local: int = 0


class BalanceBook:
    """All balances of one seller.

    Args:
        rate: (UTC day) to millionths of the account's currency for a US dollar.
    """

    def __init__(self, rate: Callable[[date], int]) -> None:
        self.rate = rate
        self.balances: list[Balance] = []
        self._unpaid: list[Balance] = []
        self._numbers = 0

    def number(self) -> int:
        """One that no refund, dispute or credit has yet."""
        self._numbers += 1
        return self._numbers

    def unpaid(self) -> list[Balance]:
        """Those in no live payout, oldest first."""
        return list(self._unpaid)

    def take(self, balances: list[Balance], payout: Payout) -> None:
        """They are in a payout now."""
        for one in balances:
            one.payout = payout
        self._unpaid = [one for one in self._unpaid if one.payout is None]

    def free(self, balances: list[Balance]) -> None:
        """The payout that they are in brought its money back."""
        for one in balances:
            one.payout = None
        self._unpaid = sorted([*self._unpaid, *balances], key=lambda one: one.day)

    def of_day(self, day: date) -> Balance:
        """The unpaid balance of a day; a new one where all of that day are paid."""
        at = bisect_left(self._unpaid, day, key=lambda one: one.day)
        if at == len(self._unpaid) or self._unpaid[at].day != day:
            self._unpaid.insert(at, Balance(day))
            self.balances.append(self._unpaid[at])
        return self._unpaid[at]

    def oldest(self, today: date) -> Balance:
        """The oldest unpaid balance; today's where there is none."""
        return self._unpaid[0] if self._unpaid else self.of_day(today)

    def enter(self, balance: Balance, item: Item, cents: int, happened: date, *, local: int | None = None) -> None:
        """Adds a movement to an unpaid balance; a side effect of nothing is left out.

        Args:
            balance: unpaid.
            item: what moves.
            cents: US cents.
            happened: its UTC day.
            local: minor units of the account's currency, where they don't follow from the day's rate.

        Raises:
            ValueError: the balance is in a payout.
        """
        if balance.payout is not None:
            raise ValueError(f"the balance of {balance.day} is in a payout")
        if local is None:
            local = half_away(cents * self.rate(happened), 1_000_000)
        if cents or local or item.kind in ANCHORS:
            balance.entries.append(Entry(item, cents, local, happened))
            balance.cents += cents
            balance.local += local

    def entries(self) -> Iterator[Entry]:
        """Every movement."""
        for balance in self.balances:
            yield from balance.entries
