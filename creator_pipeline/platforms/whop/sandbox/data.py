"""The part of the invented world that is Whop: accounts, what can happen to them, and the truth of each day."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from creator_pipeline.platforms.whop.sandbox import bookings, truth
from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline.platforms.whop.sandbox.dispute_json import alert_json, dispute_json
from creator_pipeline.platforms.whop.sandbox.money import Till
from creator_pipeline.platforms.whop.sandbox.object_json import (
    Json,
    amount_of,
    member_json,
    membership_json,
    money,
    multiply,
    payment_json,
    refund_json,
    stamp,
    undated_refund_json,
)
from creator_pipeline.sandbox.compare import Day, DayFigures

DISPUTE_FEE = Decimal("15.00")
FRAUD_WARNING = "early_fraud_warning"


class WhopPart(Till):
    """The accounts, and what can happen to their sales."""

    def buy(
        self,
        profile: str,
        plan: str = "Monthly",
        *,
        created: datetime | None = None,
        status: str = "active",
        email: str | None = None,
        member: Json | None = None,
        paid: bool = True,
        traits: Collection[str] | None = None,
        quantity: int = 1,
    ) -> tuple[Json, Json]:
        """Someone buys a plan; returns the membership and its payment.

        Args:
            profile: of the account that sells.
            plan: title of the plan.
            created: time of the purchase, with its zone; None for the account's clock.
            status: of the membership.
            email: of a new member; None for an invented one.
            member: who buys; None for a new member.
            paid: the payment is paid within two seconds; else it stays open.
            traits: what makes its fees, of ``bookings.TRAITS``; None for invented ones.
            quantity: units that are bought at once.
        """
        account = self[profile]
        with self.lock:
            moment = created or account.clock()
            chosen = next(row for row in account.tables["plans"].values() if row["title"] == plan)
            if member is None:
                user_id = self._id("user_", account)
                user = {"id": user_id, "name": "Ex Ample", "username": user_id, "profile_picture": {"url": ""}}
                address = email or f"{user_id}@example.com"
                member = account.put(
                    "members", member_json(self._id("mber_", account), account.id, user, address, moment)
                )
            days = chosen["billing_period"]
            ends = moment + timedelta(days=days) if days else None
            membership = membership_json(self._id("mem_", account), chosen, member, status, moment, ends)
            account.put("memberships", membership)
            payment = payment_json(self._id("pay_", account), membership, chosen, member, moment)
            multiply(payment, quantity)
            account.put("payments", payment)
            chosen_traits = bookings.invented_traits(payment["id"]) if traits is None else frozenset(traits)
            account.books.traits[payment["id"]] = chosen_traits
            if "tax" in chosen_traits:
                bookings.add_tax(payment)
            if paid:
                # Never in the future: books are told up to now.
                self._pay(account, payment, min(moment + timedelta(seconds=2), max(moment, account.clock())))
        self._tell(account, "membership.activated", membership)
        self._tell(account, "payment.succeeded" if paid else "payment.pending", payment)
        return membership, payment

    def _pay(self, account: WhopAccount, payment: Json, moment: datetime) -> None:
        bookings.book_payment(account.books, payment, moment)
        payment.update(
            status="paid", substatus="succeeded", refundable=True, paid_at=stamp(moment), updated_at=stamp(moment)
        )
        self._set_kept(account, payment)

    def settle(self, profile: str, payment_id: str) -> Json:
        """An open payment is paid after all."""
        account = self[profile]
        with self.lock:
            payment = account.tables["payments"][payment_id]
            self._pay(account, payment, account.clock())
        self._tell(account, "payment.succeeded", payment)
        return payment

    def change(self, profile: str, membership_id: str, event: str = "membership.updated", **fields: object) -> Json:
        """Fields of a membership change."""
        account = self[profile]
        with self.lock:
            membership = account.tables["memberships"][membership_id]
            membership.update(fields, updated_at=stamp(account.clock()))
        self._tell(account, event, membership)
        return membership

    def cancel_at_period_end(self, profile: str, membership_id: str) -> Json:
        """The holder asks to end; it stays active until then."""
        return self.change(
            profile,
            membership_id,
            "membership.cancel_at_period_end_changed",
            cancel_at_period_end=True,
            canceled_at=stamp(self[profile].clock()),
            cancellation_reason="Too\nlong, says Ex Ample",
        )

    def expire(self, profile: str, membership_id: str) -> Json:
        """The access ends."""
        return self.change(profile, membership_id, "membership.deactivated", status="expired")

    def past_due(self, profile: str, membership_id: str) -> Json:
        """A renewal failed."""
        return self.change(profile, membership_id, status="past_due")

    def move_plan(self, profile: str, membership_id: str, plan: str) -> Json:
        """The holder changes to another plan."""
        chosen = next(row for row in self[profile].tables["plans"].values() if row["title"] == plan)
        return self.change(profile, membership_id, plan_id=chosen["id"], renewal_price=chosen["initial_price_due"])

    def refund(
        self,
        profile: str,
        payment_id: str,
        amount: Decimal | str | None = None,
        *,
        status: str = "succeeded",
        at: datetime | None = None,
        rate: Decimal | str = "1",
    ) -> Json:
        """Money goes back: all that is left, or a part; any ``status`` but ``succeeded`` moves none.

        Args:
            profile: of the account.
            payment_id: ``pay_…``.
            amount: in units of the payment's currency; None for all that is left.
            status: of the refund.
            at: time of the refund, with its zone; None for the account's clock.
            rate: by which it is settled, beside that of the payment's own day.

        Raises:
            ValueError: more than is left.
        """
        account = self[profile]
        with self.lock:
            payment, moment = account.tables["payments"][payment_id], at or account.clock()
            total, before = amount_of(payment["total"]), amount_of(payment["refunded_amount"])
            given = total - before if amount is None else Decimal(amount)
            if not 0 < given <= total - before:
                raise ValueError(f"{given} of {total - before} can't be refunded")
            given *= Decimal(rate)
            refund = refund_json(self._id("rf_", account), payment, given, status, moment)
            account.put("refunds", refund)
            if status == "succeeded":
                bookings.book_refund(account.books, payment, refund, moment, self.readings)
                payment.update(
                    refunded_amount=money(before + given, payment["currency"]),
                    refunded_at=stamp(moment),
                    substatus="refunded" if before + given / Decimal(rate) == total else "partially_refunded",
                    updated_at=stamp(moment),
                )
        self._tell(account, "refund.created", undated_refund_json(refund, payment))
        return refund

    def fail_refund(self, profile: str, refund_id: str, *, at: datetime | None = None) -> Json:
        """A refund that had succeeded fails after all: its money is back."""
        account = self[profile]
        with self.lock:
            refund, moment = account.tables["refunds"][refund_id], at or account.clock()
            payment = account.tables["payments"][refund["payment_id"]]
            bookings.book_failed_refund(account.books, refund, moment)
            left = amount_of(payment["refunded_amount"]) - amount_of(refund["amount"])
            refund.update(status="failed", failure_reason="declined", updated_at=stamp(moment))
            payment.update(
                refunded_amount=money(left, payment["currency"]) if left else None,
                substatus="partially_refunded" if left else "succeeded",
                updated_at=stamp(moment),
            )
        self._tell(account, "refund.updated", undated_refund_json(refund, payment))
        return refund

    def alert(
        self, profile: str, payment_id: str, *, at: datetime | None = None, kind: str = "dispute_alert"
    ) -> Json | None:
        """The buyer's bank warns of a dispute: for a fee, the payment is refunded before there is one.

        An early warning of fraud is free, and nothing is refunded.

        Args:
            profile: of the account.
            payment_id: ``pay_…``.
            at: when, with its zone; None for the account's clock.
            kind: Whop's word: ``dispute_alert``, ``rapid_dispute_resolution`` or ``early_fraud_warning``.
        """
        account = self[profile]
        with self.lock:
            payment, moment = account.tables["payments"][payment_id], at or account.clock()
            free = kind == FRAUD_WARNING
            fee = None if free else money(bookings.ALERT_FEE, "usd")
            told = account.put("dispute_alerts", alert_json(self._id("dspa_", account), payment, fee, moment, kind))
            self._tell(account, "dispute_alert.created", told)
            if free:
                payment.update(dispute_alerted_at=stamp(moment))
                return None
            bookings.book_alert(account.books, payment, moment)
            payment.update(dispute_alerted_at=stamp(moment), auto_refunded=True)
            refund = self.refund(profile, payment_id, at=moment)
            refund["reason"] = "dispute_alert"
        return refund

    def dispute(self, profile: str, payment_id: str, *, at: datetime | None = None) -> Json:
        """The buyer's bank takes the payment back."""
        account = self[profile]
        with self.lock:
            payment, moment = account.tables["payments"][payment_id], at or account.clock()
            dispute = account.put("disputes", dispute_json(self._id("dspt_", account), payment, DISPUTE_FEE, moment))
            bookings.book_dispute(account.books, payment, dispute, moment)
            payment.update(substatus="dispute_needs_response", updated_at=stamp(moment))
        self._tell(account, "dispute.created", dispute)
        return dispute

    def close_dispute(self, profile: str, dispute_id: str, status: str = "won") -> Json:
        """The dispute ends, ``won`` or ``lost``."""
        account = self[profile]
        with self.lock:
            dispute, moment = account.tables["disputes"][dispute_id], account.clock()
            dispute.update(status=status, updated_at=stamp(moment))
            payment = account.tables["payments"][dispute["payment"]["id"]]
            if status == "won":
                bookings.book_won(account.books, dispute, moment)
            payment.update(substatus=f"dispute_{status}", updated_at=stamp(moment))
        self._tell(account, "dispute.updated", dispute)
        return dispute

    def edit_row(self, profile: str, table: str, name: str, **fields: object) -> Json:
        """Fields of a row of any list change."""
        with self.lock:
            row = self[profile].tables[table][name]
            row.update(fields)
        return row

    def remove_row(self, profile: str, table: str, name: str) -> Json:
        """A row of any list is deleted."""
        with self.lock:
            return self[profile].tables[table].pop(name)

    def totals(self, profile: str) -> dict[Day, DayFigures]:
        """The sales by UTC day and currency, as their objects tell them, without days that have no money."""
        with self.lock:
            return truth.totals(self[profile].tables)

    def books(self, profile: str, at: datetime | None = None) -> truth.BooksTruth:
        """The books at a moment; None for the world's now."""
        account = self[profile]
        with self.lock:
            return truth.books_truth(account.books, at or account.clock())
