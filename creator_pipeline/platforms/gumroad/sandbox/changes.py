"""What happens to the money of the world's sellers, in their sales and in their books alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller, tally
from creator_pipeline.platforms.gumroad.sandbox.books import Books, utc_day
from creator_pipeline.platforms.gumroad.sandbox.clock import WorldClock
from creator_pipeline.platforms.gumroad.sandbox.payouts import Payout
from creator_pipeline.platforms.gumroad.sandbox.shapes import Sale
from creator_pipeline.platforms.gumroad.sandbox.truth import books_truth


class SandboxError(ValueError):
    """A change was asked for that can't be made."""


class MoneyPart(dict[str, GumroadSeller]):
    """The sellers by profile, and what can happen to their money.

    ``on_event`` is told ``(seller, event, sale)`` after each change made with ``pings=True``.
    """

    def __init__(self, sellers: Iterable[GumroadSeller], clock: WorldClock) -> None:
        super().__init__({seller.profile: seller for seller in sellers})
        self.clock = clock
        self.lock = threading.RLock()
        self.on_event: Callable[[GumroadSeller, str, Sale], None] | None = None

    def _tell(self, profile: str, event: str, sale: Sale, *, pings: bool) -> Sale:
        if pings and self.on_event:
            self.on_event(self[profile], event, sale)
        return sale

    def _books(self, profile: str) -> tuple[Books, date]:
        """The seller's books as they are now, and the UTC day."""
        seller = self[profile]
        seller.books.run.until(seller.clock())
        return seller.books, utc_day(seller.clock())

    def _change(self, profile: str, sale_id: str, **fields: object) -> Sale:
        seller = self[profile]
        sale = seller.sales.get(sale_id)
        if sale is None:
            raise SandboxError(f"{profile} has no sale {sale_id}")
        tally(sale, -1)
        for key, value in fields.items():
            setattr(sale, key, value)
        sale.head = None
        tally(sale, 1)
        return sale

    def refund(
        self, profile: str, sale_id: str, cents: int | None = None, *, fraud: bool = False, pings: bool = False
    ) -> Sale:
        """Sends back ``cents`` US cents more, by default the rest.

        Args:
            profile: of the seller.
            sale_id: of a charged sale.
            cents: at least 1, at most what is left.
            fraud: the service decides it, and nothing is kept.
            pings: tell ``on_event``.

        Raises:
            SandboxError: there is no such charged sale, or ``cents`` is out of range.
        """
        with self.lock:
            sale = self[profile].sales.get(sale_id)
            if sale is None or not sale.charged:
                raise SandboxError(f"{profile} has no charged sale {sale_id}")
            rest = sale.price - sale.refunded_cents
            amount = rest if cents is None else cents
            if not 0 < amount <= rest:
                raise SandboxError(f"{amount} of {rest} cents can't be refunded")
            self._change(profile, sale_id, refunded_cents=sale.refunded_cents + amount)
            if sale.counts:
                books, day = self._books(profile)
                books.refund(sale, amount, day, fraud=fraud)
        return self._tell(profile, "refund", sale, pings=pings)

    def fail_refund(self, profile: str, sale_id: str) -> Sale:
        """The buyer's bank doesn't take the last refund: the sale is as it was before it. Sends no ping.

        Raises:
            SandboxError: there is no such sale with a refund.
        """
        with self.lock:
            books, day = self._books(profile)
            sale = self._sale_in_books(profile, sale_id)
            failed = books.fail_refund(sale, day)
            if failed is None:
                raise SandboxError(f"{sale_id} has no refund")
            return self._change(profile, sale_id, refunded_cents=sale.refunded_cents - failed.cents)

    def dispute(self, profile: str, sale_id: str, *, pings: bool = False) -> Sale:
        """The buyer's bank takes the money back."""
        with self.lock:
            sale = self._change(profile, sale_id, disputed=True, dispute_won=False)
            books, day = self._books(profile)
            books.dispute(sale, day)
        return self._tell(profile, "dispute", sale, pings=pings)

    def win_dispute(self, profile: str, sale_id: str, *, pings: bool = False) -> Sale:
        """The seller gets it again."""
        with self.lock:
            sale = self._change(profile, sale_id, disputed=True, dispute_won=True)
            books, day = self._books(profile)
            books.win(sale, day)
        return self._tell(profile, "dispute_won", sale, pings=pings)

    def _sale_in_books(self, profile: str, sale_id: str) -> Sale:
        record = self[profile].books.records.get(sale_id)
        if record is None:
            raise SandboxError(f"{profile} has no charged sale {sale_id}")
        return record.sale

    def write_off(self, profile: str, sale_id: str) -> None:
        """What the processor kept of a sale's refunds comes back.

        Raises:
            SandboxError: there is no such sale.
        """
        with self.lock:
            books, day = self._books(profile)
            books.write_off(self._sale_in_books(profile, sale_id), day)

    def credit(self, profile: str, cents: int) -> None:
        """The service corrects the balance, either way."""
        with self.lock:
            books, day = self._books(profile)
            books.credit(cents, day)

    def earn(self, profile: str, cents: int) -> int:
        """A share of somebody else's sale; returns the number that :meth:`unearn` takes."""
        with self.lock:
            books, day = self._books(profile)
            return books.earn(cents, day)

    def unearn(self, profile: str, number: int) -> None:
        """That sale was refunded: the share goes back.

        Raises:
            SandboxError: there is no such share.
        """
        with self.lock:
            books, day = self._books(profile)
            if number not in books.earned:
                raise SandboxError(f"{profile} earned no share {number}")
            books.unearn(number, day)

    def instant_payout(self, profile: str) -> Payout:
        """The seller has what is unpaid up to yesterday sent at once.

        Raises:
            SandboxError: it is too little, or the account isn't in US dollars.
        """
        with self.lock:
            books, _ = self._books(profile)
            made = books.run.instant_payout(self[profile].clock())
            if made is None:
                raise SandboxError(f"{profile} has nothing that can be paid at once")
            return made

    def return_payout(self, profile: str, payout_id: str | None = None, status: str = "returned") -> Payout:
        """A payout comes back, by default the newest that is completed: its balances are free again.

        Args:
            profile: of the seller.
            payout_id: of a live payout.
            status: the service's word for it.

        Raises:
            SandboxError: there is no such payout.
        """
        with self.lock:
            books, _ = self._books(profile)
            live = [one for one in books.run.payouts if one.live]
            chosen = [one for one in live if one.id == payout_id] if payout_id else live
            done = [one for one in chosen if payout_id or one.status == "completed"]
            if not done:
                raise SandboxError(f"{profile} has no such payout")
            books.run.become(done[-1], status, self[profile].clock())
            return done[-1]

    def pause(self, profile: str, *, paused: bool = True) -> None:
        """Payouts are on hold, or no longer."""
        with self.lock:
            self._books(profile)[0].run.paused = paused

    def advance(self, days: int = 1) -> date:
        """The nights of ``days`` days pass for all sellers; returns the world's new UTC day."""
        with self.lock:
            for _ in range(days):
                self.clock.advance()
                for seller in self.values():
                    seller.books.run.until(seller.clock())
        return self.clock.today

    def truth(self, profile: str) -> dict[str, Any]:
        """The truth about the seller's money, as :func:`books_truth` tells it."""
        with self.lock:
            self._books(profile)
            return books_truth(self[profile])
