"""Reads the objects of a window of days, named objects, and what has changed, with the fewest requests.

No list of this version of the API can be filtered by the time of an update. So a change is found by other means: a
refund and a dispute are rows with a creation time of their own, and everything else changes only until it is final.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.answers import Json, NotFoundError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.models import FIELDS, optional_money
from creator_pipeline.platforms.whop.refunds import (
    has_disputes,
    has_refunds,
    payment_of_dispute,
    payment_of_refund,
    refund_entry,
)

UNLISTED_DISPUTE_WINDOW = timedelta(days=120)
"""The oldest payment whose dispute is searched for, where the server has no list of disputes."""
_TICK = timedelta(milliseconds=1)
"""The resolution of Whop's times; its bounds are exclusive."""


@dataclass
class Payments:
    """Payments with all their refunds and disputes.

    Attributes:
        missing: ids that were asked for and that the account doesn't have.
        disputes_listed: False where the server has no list of disputes, so that only a payment's substatus tells.
    """

    payments: dict[str, Json] = field(default_factory=dict[str, Json])
    refunds: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    disputes: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    missing: list[str] = field(default_factory=list[str])
    disputes_listed: bool = True


class StoredPayment(NamedTuple):
    """A payment as it is stored: its status, the ids of its refunds, (id, status) of its disputes."""

    id: str
    status: str
    refunds: frozenset[str]
    disputes: frozenset[tuple[str, str]]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def payments_of_window(client: WhopClient, account_id: str | None, window: DayWindow) -> Payments:
    """Every payment created on the days of ``window``: its pages, and refunds and disputes only where there are any."""
    start, end = _midnight(window.start), _midnight(window.end)
    found = Payments()
    for payment in client.payments(account_id, created_after=start - _TICK, created_before=end):
        if start <= FIELDS.time("payment", payment, "created_at") < end:
            found.payments[payment["id"]] = payment
    _add_refunds_and_disputes(client, account_id, found)
    return found


def payments_named(client: WhopClient, account_id: str | None, ids: Iterable[str]) -> Payments:
    """The payments with these ids, in the state of now."""
    found = Payments()
    for payment_id in sorted(set(ids)):
        payment = client.payment(payment_id)
        if payment is None:
            found.missing.append(payment_id)
        else:
            found.payments[payment_id] = payment
    _add_refunds_and_disputes(client, account_id, found)
    return found


def _add_refunds_and_disputes(client: WhopClient, account_id: str | None, found: Payments) -> None:
    refunded = [payment for payment in found.payments.values() if has_refunds(payment)]
    if len(refunded) == 1:
        found.refunds[refunded[0]["id"]] = list(client.refunds(account_id, payment_id=refunded[0]["id"]))
    elif refunded:
        _add_refunds(client, account_id, found, refunded)
    disputed = [payment for payment in found.payments.values() if has_disputes(payment)]
    if disputed:
        try:
            for dispute in client.disputes(account_id, created_after=_earliest(disputed)):
                found.disputes.setdefault(payment_of_dispute(dispute), []).append(dispute)
        except NotFoundError:
            found.disputes_listed = False
            for payment in disputed:
                found.disputes[payment["id"]] = _dispute_of_substatus(payment)


def _earliest(payments: Iterable[Json]) -> datetime:
    return min(FIELDS.time("payment", payment, "created_at") for payment in payments) - _TICK


def _add_refunds(client: WhopClient, account_id: str | None, found: Payments, refunded: Sequence[Json]) -> None:
    """Refunds since the first of these payments, until all of their refunded amounts are explained."""
    owed = {payment["id"]: _refunded_micros(payment) for payment in refunded}
    for refund in client.refunds(account_id, created_after=_earliest(refunded)):
        payment_id = payment_of_refund(refund)
        payment = found.payments.get(payment_id)
        if payment is None:
            continue
        found.refunds.setdefault(payment_id, []).append(refund)
        entry = refund_entry(refund, FIELDS.text("payment", payment, "currency").upper())
        if entry["status"] == catalog.REFUND_SUCCEEDED and payment_id in owed:
            owed[payment_id] -= entry["micros"]
            if owed[payment_id] <= 0:
                del owed[payment_id]
        if not owed:
            return


def _refunded_micros(payment: Json) -> int:
    refunded = optional_money("payment", payment, "refunded_amount")
    return refunded.micros if refunded else 0


def _dispute_of_substatus(payment: Json) -> list[Json]:
    """The dispute that a payment's substatus names, where the server has no list of disputes; at most one.

    Its amount is the whole payment, its time that of the payment's last change; its fee is unknown.
    """
    _, sign, status = str(payment["substatus"]).partition("dispute_")
    if not sign or status == "warning":
        return []
    total = payment["total"]
    return [
        {
            "id": f"of_{payment['id']}",
            "amount": float(total["amount"]),
            "currency": total["currency"],
            "status": "lost" if status == "closed" else status,
            "inquiry": status.startswith(catalog.INQUIRY_PREFIX),
            "fee": None,
            "payment": {"id": payment["id"]},
            "created_at": payment["updated_at"],
            "updated_at": payment["updated_at"],
        }
    ]


class Changed(NamedTuple):
    """Ids of payments to read again, and whether the server lists disputes (see :class:`Payments`)."""

    ids: frozenset[str]
    disputes_listed: bool


def changed_payments(
    client: WhopClient, account_id: str | None, stored: Sequence[StoredPayment], since: datetime
) -> Changed:
    """Ids of stored payments that have changed: by a refund or dispute since ``since``, or because they were not final.

    Args:
        client: of the account.
        account_id: ``biz_…``; None for the account of the key.
        stored: every stored payment that may have changed.
        since: every refund and dispute created before it is stored, and no stored dispute that is still open was
            created before it.
    """
    known = {payment.id: payment for payment in stored}
    changed: set[str] = set()
    for refund in client.refunds(account_id, created_after=since):
        payment = known.get(payment_of_refund(refund))
        succeeded = refund.get("status") == catalog.REFUND_SUCCEEDED
        if payment and succeeded is (FIELDS.text("refund", refund, "id") not in payment.refunds):
            changed.add(payment.id)
    disputes_listed = True
    try:
        for dispute in client.disputes(account_id, created_after=since):
            payment = known.get(payment_of_dispute(dispute))
            if payment and (dispute["id"], FIELDS.text("dispute", dispute, "status")) not in payment.disputes:
                changed.add(payment.id)
    except NotFoundError:
        disputes_listed = False
        changed |= _disputed(client, account_id, known, since - UNLISTED_DISPUTE_WINDOW)
    return Changed(frozenset(changed) | _no_longer_open(client, account_id, stored), disputes_listed)


def _disputed(
    client: WhopClient, account_id: str | None, known: Mapping[str, StoredPayment], since: datetime
) -> set[str]:
    """Payments made since ``since`` whose substatus names another dispute than is stored."""
    changed: set[str] = set()
    for payment in client.payments(account_id, created_after=since):
        stored = known.get(payment["id"])
        if stored is None:
            continue
        named = {(entry["id"], entry["status"]) for entry in _dispute_of_substatus(payment)}
        if named != set(stored.disputes):
            changed.add(stored.id)
    return changed


def _no_longer_open(client: WhopClient, account_id: str | None, stored: Sequence[StoredPayment]) -> frozenset[str]:
    """Stored payments that were not final and may have another status now.

    One list for each status, where that is fewer requests than one for each payment.
    """
    unfinished = [p for p in stored if p.status != "paid" and p.status not in catalog.DEAD_PAYMENTS]
    states = {payment.status for payment in unfinished}
    listable = states & set(catalog.OPEN_PAYMENTS)
    if len(unfinished) <= len(states):
        return frozenset(payment.id for payment in unfinished)
    still = {(row["id"], state) for state in sorted(listable) for row in client.payments(account_id, status=state)}
    return frozenset(payment.id for payment in unfinished if (payment.id, payment.status) not in still)


@dataclass
class Memberships:
    """Memberships, and the members behind them.

    Attributes:
        whole: these are all of the account.
        missing: ids that were asked for and that the account doesn't have.
    """

    memberships: dict[str, Json] = field(default_factory=dict[str, Json])
    members: dict[str, Json] = field(default_factory=dict[str, Json])
    whole: bool = False
    missing: list[str] = field(default_factory=list[str])


def all_memberships(client: WhopClient, account_id: str | None) -> Memberships:
    """Every membership and every member of the account."""
    found = Memberships(whole=True)
    for membership in client.memberships(account_id):
        found.memberships[membership["id"]] = membership
    if found.memberships:
        found.members = {member["id"]: member for member in client.members(account_id)}
    return found


def memberships_named(client: WhopClient, ids: Iterable[str]) -> Memberships:
    """The memberships with these ids, in the state of now, and their members."""
    found = Memberships()
    for membership_id in sorted(set(ids)):
        membership = client.membership(membership_id)
        if membership is None:
            found.missing.append(membership_id)
        else:
            found.memberships[membership_id] = membership
    for member_id in sorted(_members_of(found)):
        member = client.fetch_customer(member_id)
        if member is not None:
            found.members[member_id] = member
    return found


def changed_memberships(
    client: WhopClient, account_id: str | None, stored: dict[str, str], since: datetime
) -> Memberships:
    """Memberships that may have changed: the living ones, the new ones, and those that were living and are not listed.

    Args:
        client: of the account.
        account_id: ``biz_…``; None for the account of the key.
        stored: status of each stored membership by id.
        since: every membership created before it is stored.
    """
    found = Memberships()
    for membership in client.memberships(account_id, statuses=catalog.LIVING):
        found.memberships[membership["id"]] = membership
    for membership in client.memberships(account_id, created_after=since):
        found.memberships[membership["id"]] = membership
    changing = {*catalog.LIVING, *catalog.UNLISTABLE}
    gone = [key for key, status in stored.items() if status in changing and key not in found.memberships]
    for membership_id in sorted(gone):
        membership = client.membership(membership_id)
        if membership is None:
            found.missing.append(membership_id)
        else:
            found.memberships[membership_id] = membership
    if _members_of(found):
        found.members = {member["id"]: member for member in client.members(account_id)}
    return found


def _members_of(found: Memberships) -> set[str]:
    return {str(row["member_id"]) for row in found.memberships.values() if row.get("member_id")}
