"""The part of the invented world that is Whop: accounts, what can happen to them, and the truth of each day."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from creator_pipeline.core.money import from_decimal
from creator_pipeline.platforms.whop.sandbox.object_json import (
    Json,
    amount_of,
    dispute_json,
    ident,
    member_json,
    membership_json,
    money,
    payment_json,
    refund_json,
    stamp,
    undated_refund_json,
)
from creator_pipeline.sandbox.compare import Day, DayFigures

PERMISSIONS = frozenset(
    {"member:basic:read", "member:email:read", "payment:basic:read", "payment:dispute:read", "plan:basic:read"}
)
FEE_SHARE = Decimal("0.07")
DISPUTE_FEE = Decimal("15.00")


@dataclass
class WhopAccount:
    """One account: what it sells, to whom, and its key."""

    profile: str
    id: str
    key: str
    clock: Callable[[], datetime]
    permissions: set[str] = field(default_factory=lambda: set(PERMISSIONS))
    revoked: bool = False
    hooks: dict[str, str] = field(default_factory=dict[str, str])
    tables: dict[str, dict[str, Json]] = field(
        default_factory=lambda: {
            name: {} for name in ("plans", "members", "memberships", "payments", "refunds", "disputes")
        }
    )

    def put(self, table: str, row: Json) -> Json:
        """Add an object."""
        self.tables[table][row["id"]] = row
        return row


class WhopPart:
    """All accounts. Every change is made under ``lock`` and told to ``on_event`` as ``(account, type, data)``."""

    def __init__(self, accounts: list[WhopAccount]) -> None:
        self.lock = threading.RLock()
        self.on_event: Callable[[WhopAccount, str, Json], None] | None = None
        self._accounts = {account.profile: account for account in accounts}
        self._made = 0

    def __getitem__(self, profile: str) -> WhopAccount:
        return self._accounts[profile]

    def __contains__(self, profile: object) -> bool:
        return profile in self._accounts

    def values(self) -> list[WhopAccount]:
        """All accounts."""
        return list(self._accounts.values())

    def bearer(self, key: str) -> WhopAccount | None:
        """The account of a key."""
        return next((account for account in self.values() if account.key == key), None)

    def _tell(self, account: WhopAccount, event: str, data: Json) -> None:
        if self.on_event:
            self.on_event(account, event, data)

    def _id(self, prefix: str, account: WhopAccount) -> str:
        self._made += 1
        return ident(prefix, account.id, self._made)

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
    ) -> tuple[Json, Json]:
        """Someone buys a plan; returns the membership and its payment.

        Args:
            profile: of the account that sells.
            plan: title of the plan.
            created: time of the purchase, with its zone; None for the account's clock.
            status: of the membership.
            email: of a new member; None for an invented one.
            member: who buys; None for a new member.
            paid: the payment is paid two seconds later; else it stays open.
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
            account.put("payments", payment)
            if paid:
                self._pay(payment, moment + timedelta(seconds=2))
        self._tell(account, "membership.activated", membership)
        self._tell(account, "payment.succeeded" if paid else "payment.pending", payment)
        return membership, payment

    @staticmethod
    def _pay(payment: Json, moment: datetime) -> None:
        total = amount_of(payment["total"])
        fee = (total * FEE_SHARE).quantize(Decimal(1).scaleb(-payment["total"]["decimals"]))
        payment.update(
            status="paid",
            substatus="succeeded",
            refundable=True,
            paid_at=stamp(moment),
            updated_at=stamp(moment),
            amount_after_fees=money(total - fee, payment["currency"]),
        )

    def settle(self, profile: str, payment_id: str) -> Json:
        """An open payment is paid after all."""
        account = self[profile]
        with self.lock:
            payment = account.tables["payments"][payment_id]
            self._pay(payment, account.clock())
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
    ) -> Json:
        """Money goes back: all that is left, or a part; any ``status`` but ``succeeded`` moves none.

        Args:
            profile: of the account.
            payment_id: ``pay_…``.
            amount: in units of the payment's currency; None for all that is left.
            status: of the refund.
            at: time of the refund, with its zone; None for the account's clock.

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
            refund = refund_json(self._id("rf_", account), payment, given, status, moment)
            account.put("refunds", refund)
            if status == "succeeded":
                payment.update(
                    refunded_amount=money(before + given, payment["currency"]),
                    refunded_at=stamp(moment),
                    substatus="refunded" if before + given == total else "partially_refunded",
                    updated_at=stamp(moment),
                )
        self._tell(account, "refund.created", undated_refund_json(refund, payment))
        return refund

    def dispute(self, profile: str, payment_id: str, *, at: datetime | None = None) -> Json:
        """The buyer's bank takes the payment back."""
        account = self[profile]
        with self.lock:
            payment, moment = account.tables["payments"][payment_id], at or account.clock()
            dispute = account.put("disputes", dispute_json(self._id("dspt_", account), payment, DISPUTE_FEE, moment))
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
            payment.update(substatus=f"dispute_{status}", updated_at=stamp(moment))
        self._tell(account, "dispute.updated", dispute)
        return dispute

    def totals(self, profile: str) -> dict[Day, DayFigures]:
        """The truth by UTC day and currency, without days that have no money.

        Money that went back stands on the day on which it did.
        """
        sums: dict[Day, list[int]] = {}

        def add(at: str, currency: str, place: int, amount: Decimal) -> None:
            key = (datetime.fromisoformat(at).date(), currency.upper())
            sums.setdefault(key, [0] * 6)[place] += from_decimal(amount)

        with self.lock:
            tables = self[profile].tables
            for payment in tables["payments"].values():
                if payment["status"] != "paid":
                    continue
                total = amount_of(payment["total"])
                add(payment["paid_at"], payment["currency"], 1, total)
                add(payment["paid_at"], payment["currency"], 2, total - amount_of(payment["amount_after_fees"]))
                sums[datetime.fromisoformat(payment["paid_at"]).date(), payment["currency"].upper()][0] += 1
            for refund in tables["refunds"].values():
                if refund["status"] == "succeeded":
                    add(refund["created_at"], refund["amount"]["currency"], 3, amount_of(refund["amount"]))
            for dispute in tables["disputes"].values():
                payment = tables["payments"][dispute["payment"]["id"]]
                left = amount_of(payment["total"]) - amount_of(payment["refunded_amount"])
                add(dispute["created_at"], payment["currency"], 4, left)
                add(dispute["created_at"], "usd", 5, amount_of(dispute["fee"]))
                if dispute["status"] == "won":
                    add(dispute["updated_at"], payment["currency"], 4, -left)
        return {key: DayFigures(*values) for key, values in sorted(sums.items()) if any(values)}
