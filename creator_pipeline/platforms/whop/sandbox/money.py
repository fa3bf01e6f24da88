"""What can happen to the money of an account beside its sales, and the days that pass."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from creator_pipeline.platforms.whop.sandbox import payouts
from creator_pipeline.platforms.whop.sandbox.account import Accounts, WhopAccount
from creator_pipeline.platforms.whop.sandbox.bookings import kept_of
from creator_pipeline.platforms.whop.sandbox.books import Balance, Line, settles_at
from creator_pipeline.platforms.whop.sandbox.books_json import payout_json
from creator_pipeline.platforms.whop.sandbox.object_json import Json, money
from creator_pipeline.platforms.whop.sandbox.payout import Payout
from creator_pipeline.platforms.whop.sandbox.readings import usd_rate

PAID_OUT_WEEKLY = ("usd", "eur")


class Till(Accounts):
    """Accounts whose money moves."""

    def post(
        self,
        profile: str,
        line_type: str,
        amount: Decimal | str,
        currency: str = "usd",
        *,
        at: datetime | None = None,
        pending: bool = False,
        **more: Any,
    ) -> Line:
        """Book any line: an unknown word, or one that is posted back in time.

        Args:
            profile: of the account.
            line_type: any word.
            amount: signed, in units of ``currency``.
            currency: lower case.
            at: when it is booked, with its zone; None for the account's clock.
            pending: whether it must settle first.
            more: other fields of :class:`Line`.
        """
        account = self[profile]
        with self.lock:
            moment = at or account.clock()
            free = settles_at(moment) if pending else None
            return account.books.post(line_type, Decimal(amount), currency, moment, available_at=free, **more)

    def earn(self, profile: str, amount: Decimal | str, *, at: datetime | None = None) -> Line:
        """A share of somebody else's sale."""
        source = ("transfer", self._id("ctt_", self[profile]))
        return self.post(profile, "platform_affiliate_payment", amount, at=at, source=source)

    def top_up(self, profile: str, amount: Decimal | str, *, at: datetime | None = None) -> Line:
        """The seller puts money in, for a fee."""
        moment, fee = at or self[profile].clock(), Decimal(amount) * Decimal("0.029") + Decimal("0.255")
        source = ("topup", self._id("pay_", self[profile]))
        line = self.post(profile, "topup", amount, at=moment, source=source)
        self.post(profile, "topup_fee", -fee, at=moment, source=source)
        return line

    def reserve(
        self, profile: str, amount: Decimal | str, currency: str = "usd", *, at: datetime | None = None
    ) -> Line:
        """A part of the available money is held.

        Args:
            profile: of the account.
            amount: in units of ``currency``.
            currency: lower case.
            at: when, with its zone; None for the account's clock.
        """
        return self.post(profile, "balance_reservation", -Decimal(amount), currency, at=at, inner=True)

    def release(
        self, profile: str, amount: Decimal | str, currency: str = "usd", *, at: datetime | None = None
    ) -> Line:
        """Held money is available again.

        Args:
            profile: of the account.
            amount: in units of ``currency``.
            currency: lower case.
            at: when, with its zone; None for the account's clock.
        """
        return self.post(profile, "balance_reservation_reversal", amount, currency, at=at, inner=True)

    def convert(
        self, profile: str, amount: Decimal | str, giving: str, taking: str, *, at: datetime | None = None
    ) -> tuple[Line, Line]:
        """Money of one currency becomes money of another.

        Args:
            profile: of the account.
            amount: in units of ``giving``.
            giving, taking: currencies, lower case.
            at: when, with its zone; None for the account's clock.

        Raises:
            ValueError: a currency without a rate.
        """
        moment = at or self[profile].clock()
        here, there = (usd_rate(code, moment.date()) for code in (giving, taking))
        if here is None or there is None:
            raise ValueError(f"no rate from {giving} to {taking}")
        source = ("swap", self._id("swap_", self[profile]))
        out = self.post(profile, "currency_conversion_outgoing", -Decimal(amount), giving, at=moment, source=source)
        gained = Decimal(amount) * here / there
        return out, self.post(profile, "currency_conversion_incoming", gained, taking, at=moment, source=source)

    def pay_out(
        self,
        profile: str,
        amount: Decimal | str | None = None,
        currency: str = "usd",
        *,
        at: datetime | None = None,
        destination: str | None = None,
        instant: bool = False,
        **terms: Any,
    ) -> Payout:
        """The seller asks for a payout.

        Args:
            profile: of the account.
            amount: what leaves the balance, costs included, in units of ``currency``; None for all that is available.
            currency: lower case.
            at: when, with its zone; None for the account's clock.
            destination: currency of the bank, where it is another.
            instant: it is completed at once.
            terms: ``fee_type``, ``fee_paid_by``, ``markup`` of :func:`payouts.made`.

        Raises:
            ValueError: more than is available.
        """
        account = self[profile]
        with self.lock:
            moment = at or account.clock()
            available = account.books.balances(moment).get(currency, Balance()).available
            taken = available.quantize(payouts.CENT, "ROUND_DOWN") if amount is None else Decimal(amount)
            if not 0 < taken <= available:
                raise ValueError(f"{taken} of {available} {currency} can't be paid out")
            payout = payouts.made(self._id("wdrl_", account), currency, taken, moment, **terms)
            payout.source = "api"
            if destination:
                payouts.into(payout, destination)
                payout.status, payout.request_id = "requested", self._id("cofr_", account)
            self._made_payout(account, payout, moment)
            if instant:
                payout.speed, payout.due = "instant", []
                self._move_payout(account, payout, "completed", moment)
        return payout

    def _made_payout(self, account: WhopAccount, payout: Payout, moment: datetime) -> None:
        account.books.payouts[payout.id] = payout
        if not self.readings.line_when_completed:
            payouts.book(account.books, payout, moment, self.readings)
        self._tell(account, "payout.created", payout_json(payout, self.readings))

    def _move_payout(self, account: WhopAccount, payout: Payout, status: str, moment: datetime) -> None:
        payouts.move_on(account.books, payout, status, moment, self.readings)
        event = "payout.reversed" if status == "reversed" else "payout.updated"
        self._tell(account, event, payout_json(payout, self.readings))

    def move_payout(self, profile: str, payout_id: str, status: str, *, at: datetime | None = None) -> Payout:
        """A payout is completed, reversed after that, or ends otherwise; what doesn't arrive comes back.

        Args:
            profile: of the account.
            payout_id: ``wdrl_…``.
            status: Whop's word.
            at: when, with its zone; None for the account's clock.
        """
        account = self[profile]
        with self.lock:
            payout = account.books.payouts[payout_id]
            payout.due = [(moment, word) for moment, word in payout.due if word != status]
            self._move_payout(account, payout, status, at or account.clock())
        return payout

    def advance(self, days: int = 1) -> dict[str, list[str]]:
        """Days pass in all accounts; returns the payouts that were made or changed, by profile."""
        touched: dict[str, list[str]] = {}
        with self.lock:
            self.clock.ahead += timedelta(days=days)
            for account in self.values():
                touched[account.profile] = self.catch_up(account, self.clock())
        return touched

    def catch_up(self, account: WhopAccount, until: datetime) -> list[str]:
        """Make the weekly payouts up to ``until`` and move all payouts on; returns their ids."""
        books, touched = account.books, list[str]()
        since = books.caught_up
        if since is None or since >= until:
            return touched
        days = payouts.paydays(since, until)
        while True:
            due = [(payout.due[0][0], payout) for payout in books.payouts.values() if payout.due]
            moment, payout = min(due, key=lambda one: one[0], default=(None, None))
            payday = days[0] if days else None
            if payout and moment and moment <= until and (payday is None or moment <= payday):
                _, status = payout.due.pop(0)
                self._move_payout(account, payout, status, moment)
                touched.append(payout.id)
            elif payday:
                touched += self._weekly(account, days.pop(0))
            else:
                break
        books.caught_up = until
        return touched

    def _weekly(self, account: WhopAccount, moment: datetime) -> list[str]:
        made, books = list[str](), account.books
        for currency, balance in books.balances(moment).items():
            before = sum(one.currency == currency and one.source == "automatic" for one in books.payouts.values())
            if currency not in PAID_OUT_WEEKLY:
                continue
            payout = payouts.weekly(self._id("wdrl_", account), currency, balance.available, before, moment)
            if payout:
                self._made_payout(account, payout, moment)
                made.append(payout.id)
        return made

    def read_as(self, **readings: Any) -> None:
        """Play what isn't documented in another way; what was booked stays as it is.

        Raises:
            ValueError: no such reading.
        """
        if unknown := readings.keys() - {each.name for each in fields(self.readings)}:
            raise ValueError(f"no reading {', '.join(sorted(unknown))}")
        with self.lock:
            sets = {name: frozenset(value) for name, value in readings.items() if isinstance(value, (list, set))}
            self.readings = replace(self.readings, **readings | sets)
            for account in self.values():
                for payment in account.tables["payments"].values():
                    self._set_kept(account, payment)

    def _set_kept(self, account: WhopAccount, payment: Json) -> None:
        if payment["status"] == "paid":
            kept = kept_of(account.books, payment, self.readings)
            payment["amount_after_fees"] = money(kept, payment["currency"])
