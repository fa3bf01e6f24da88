"""The history of a seller's money: what the invented sales ended as, spread over days of its own."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping
from datetime import date
from itertools import count

from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.books import utc_day
from creator_pipeline.platforms.gumroad.sandbox.payouts import seconds
from creator_pipeline.platforms.gumroad.sandbox.shapes import Sale

DAY = 86_400
IN_TWO_PARTS = 0.1
"""Part of the refunds of less than everything that are made in two parts."""
LISTED_AFTER = 28 * DAY
"""Seconds after which a payout lists a refund, also where one before it came back."""


def play(
    seller: GumroadSeller, rng: random.Random, first: date, midnight: int, fates: Mapping[int, str], *, odd: bool
) -> None:
    """Books a seller's sales, and everything that followed from them, in the order of time, up to ``midnight``.

    Refunds and disputes come days after their sale; some in two parts, some fail, some are the service's own. Payouts
    are made as the days pass.

    Args:
        seller: with the sales loaded.
        rng: gives the random numbers.
        first: UTC day on which the history begins.
        midnight: when the world's day begins, seconds since 1970; the last sales are a quarter of an hour younger.
        fates: what becomes of payouts that don't arrive, by their place.
        odd: also refunds in two parts of which the last one is listed by no payout yet. Of these a reader who comes
            only now can't know the first.
    """
    past = _Past(seller, rng, midnight + 900, odd=odd)
    seller.books.run.fates |= fates
    for sale in sorted(seller.sales.values(), key=lambda one: one.key):
        if sale.counts:
            past.sale(sale)
    past.other(first)
    past.run()
    seller.books.run.until(midnight)


class _Past:
    """A queue of what happens."""

    def __init__(self, seller: GumroadSeller, rng: random.Random, end: int, *, odd: bool) -> None:
        self.seller, self.books, self.rng, self.end, self.odd = seller, seller.books, rng, end, odd
        self._queue: list[tuple[int, int, Callable[[date], object]]] = []
        self._order = count()

    def _at(self, instant: int, happens: Callable[[date], object]) -> None:
        heapq.heappush(self._queue, (instant, next(self._order), happens))

    def _later(self, after: int, most_days: int) -> int:
        """Some time after an instant, and before the history's end."""
        chosen = after + self.rng.randrange(3600, most_days * DAY)
        return chosen if chosen <= self.end else after + int((self.end - after) * self.rng.random())

    def sale(self, sale: Sale) -> None:
        """A sale, and what followed."""
        if sale.succeeded and sale.succeeded > self.end:
            sale.succeeded = None
        at = min(sale.succeeded or sale.created, self.end)
        self._at(at, lambda _day: self.books.sold(sale))
        refunded, luck = sale.refunded_cents, self.rng.random()
        if not refunded and not sale.disputed and not sale.processor and luck < 0.04:
            self._failing(sale, at)
        parts = [refunded] if refunded else []
        if refunded > 1 and luck < IN_TWO_PARTS:
            parts = [refunded // 3 or 1, refunded - (refunded // 3 or 1)]
        times = list[int]()
        for _ in parts:
            at = self._later(at, 12 if self.rng.random() < 0.7 else 45)
            times.append(at)
        if len(parts) > 1 and not self.odd and times[-1] > self.end - LISTED_AFTER:
            parts, at = [refunded], times[0]
        for moment, cents in zip(times, parts, strict=False):
            fraud = luck > 0.8 and not sale.processor and cents == parts[-1]
            self._at(moment, self._refund(sale, cents, fraud=fraud))
        if sale.disputed:
            at = self._later(at, 25)
            self._at(at, lambda day: self.books.dispute(sale, day))
            if sale.dispute_won:
                at = self._later(at, 40)
                self._at(at, lambda day: self.books.win(sale, day))

    def _refund(self, sale: Sale, cents: int, *, fraud: bool) -> Callable[[date], object]:
        return lambda day: self.books.refund(sale, cents, day, fraud=fraud)

    def _failing(self, sale: Sale, at: int) -> None:
        made = at + self.rng.randrange(DAY, 20 * DAY)
        failed = made + self.rng.randrange(3 * DAY, 9 * DAY)
        if failed <= self.end:
            self._at(made, self._refund(sale, sale.price, fraud=False))
            self._at(failed, lambda day: self.books.fail_refund(sale, day))

    def other(self, first: date) -> None:
        """Shares of other people's sales, corrections, and a payout at once."""
        start = seconds(first)
        span = max(DAY, self.end - start)
        at = start
        while (at := at + self.rng.randrange(DAY, 9 * DAY)) < self.end:
            back = self._later(at, 30) if self.rng.random() < 0.3 else None
            self._share(at, self.rng.randrange(120, 2600), back)
        self._at(start + span * 3 // 10, lambda day: self.books.credit(500, day))
        self._at(start + span * 7 // 10, lambda day: self.books.credit(-250, day))
        self._at(start + span * 8 // 10, self._write_off)
        middle = start + span * 55 // 100
        self._at(middle, lambda _day: self.seller.profile == "alice" and self.books.run.instant_payout(middle))

    def _share(self, at: int, cents: int, back: int | None) -> None:
        def earn(day: date) -> None:
            number = self.books.earn(cents, day)
            if back is not None:
                self._at(max(back, at), lambda later: self.books.unearn(number, later))

        self._at(at, earn)

    def _write_off(self, day: date) -> None:
        """Accounts outside the US only: there the kept fee can't be collected."""
        kept = [one for one in self.books.records.values() if sum(refund.kept for refund in one.standing)]
        if self.books.run.terms.currency != "usd" and kept:
            self.books.write_off(kept[-1].sale, day)

    def run(self) -> None:
        """Let everything happen."""
        while self._queue:
            instant, _, happens = heapq.heappop(self._queue)
            self.books.run.until(instant)
            happens(utc_day(instant))
