"""Reads the payments of a window of days and named ones, with the fewest requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

from creator_pipeline.core.errors import AuthError, DataError
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.answers import Json, NoIdError, NotFoundError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.models import FIELDS, optional_money
from creator_pipeline.platforms.whop.odd import unreadable
from creator_pipeline.platforms.whop.refunds import (
    has_alerts,
    has_disputes,
    has_refunds,
    payment_of_alert,
    payment_of_dispute,
    payment_of_refund,
    refund_entry,
)
from creator_pipeline.store.unreadable import Unreadable

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_ENDLESS = 10**18
_TICK = timedelta(milliseconds=1)
"""The resolution of Whop's times; its bounds are exclusive."""


@dataclass
class Payments:
    """Payments with all their refunds and disputes.

    Attributes:
        missing: ids that were asked for and that the account doesn't have.
        odd: refunds, disputes and alerts that don't say which payment they are of.
        alerts_refused: why the list of dispute alerts can't be read; empty where it can, or wasn't asked for.
        disputes_listed: False where the server has no list of disputes, so that only a payment's substatus tells.
    """

    payments: dict[str, Json] = field(default_factory=dict[str, Json])
    refunds: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    disputes: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    alerts: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    missing: list[str] = field(default_factory=list[str])
    odd: list[Unreadable] = field(default_factory=list[Unreadable])
    alerts_refused: str = ""
    disputes_listed: bool = True


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def payments_of_window(client: WhopClient, account_id: str | None, window: DayWindow) -> Payments:
    """Every payment created on the days of ``window``: its pages, and refunds and disputes only where there are any."""
    start, end = _midnight(window.start), _midnight(window.end)
    found = Payments()
    for payment in client.payments(account_id, created_after=start - _TICK, created_before=end):
        if not _is_outside(payment, start, end):
            found.payments[payment["id"]] = payment
    _add_refunds_and_disputes(client, account_id, found)
    return found


def _is_outside(payment: Json, start: datetime, end: datetime) -> bool:
    try:
        return not start <= FIELDS.time("payment", payment, "created_at") < end
    except DataError:
        return False  # it is told where it is read


def payments_named(
    client: WhopClient, account_id: str | None, ids: Iterable[str], *, alerted: Collection[str] = ()
) -> Payments:
    """The payments with these ids, in the state of now.

    Args:
        client: of the account.
        account_id: ``biz_…``; None for the account of the key.
        ids: ``pay_…``.
        alerted: those of them that have dispute alerts, whatever they say themselves.
    """
    found = Payments()
    for payment_id in sorted(set(ids)):
        try:
            payment = client.payment(payment_id)
        except NoIdError as error:
            found.odd.append(unreadable("payments", {"id": payment_id}, error))
            continue
        if payment is None:
            found.missing.append(payment_id)
        else:
            found.payments[payment_id] = payment
    _add_refunds_and_disputes(client, account_id, found, alerted)
    return found


def _add_refunds_and_disputes(
    client: WhopClient, account_id: str | None, found: Payments, alerted: Collection[str] = ()
) -> None:
    _add_alerts(client, account_id, found, alerted)
    refunded = [payment for payment in found.payments.values() if has_refunds(payment)]
    if len(refunded) == 1:
        found.refunds[refunded[0]["id"]] = list(client.refunds(account_id, payment_id=refunded[0]["id"]))
    elif refunded:
        _add_refunds(client, account_id, found, refunded)
    disputed = [payment for payment in found.payments.values() if has_disputes(payment)]
    if disputed:
        try:
            for dispute in client.disputes(account_id, created_after=_earliest(disputed)):
                if payment_id := owner("disputes", dispute, payment_of_dispute, found.odd):
                    found.disputes.setdefault(payment_id, []).append(dispute)
        except NotFoundError:
            found.disputes_listed = False
            for payment in disputed:
                found.disputes[payment["id"]] = dispute_of_substatus(payment)


def _add_alerts(client: WhopClient, account_id: str | None, found: Payments, alerted: Collection[str]) -> None:
    names = [key for key, payment in found.payments.items() if has_alerts(payment) or key in alerted]
    if not names:
        return
    asked = client.dispute_alerts(account_id, payment_id=names[0] if len(names) == 1 else None)
    for alert in alerts(asked, found):
        if payment_id := owner("dispute_alerts", alert, payment_of_alert, found.odd):
            found.alerts.setdefault(payment_id, []).append(alert)


def alerts(listed: Iterator[Json], found: Payments) -> Iterator[Json]:
    """The alerts, but for those that neither name a payment nor cost anything. Without the list payments go on."""
    try:
        for alert in listed:
            if alert.get("payment_id") or alert.get("fee_charged") or alert.get("fee"):
                yield alert
    except NotFoundError as error:
        found.alerts_refused = error.message
    except AuthError as error:
        if error.revoked:
            raise
        found.alerts_refused = error.message


def owner(part: str, item: Json, payment_of: Callable[[Json], str], odd: list[Unreadable]) -> str | None:
    """The payment that an object is of; None where it says none, which is told in ``odd``.

    Args:
        part: its list, as ``refunds``.
        item: as the API tells it.
        payment_of: reads the payment's id; raises DataError.
        odd: takes what can't be read.
    """
    try:
        return payment_of(item)
    except DataError as error:
        odd.append(unreadable(part, item, error))
        return None


def _earliest(payments: Iterable[Json]) -> datetime:
    """Just before the first of them; one that doesn't tell its time may be of any."""
    times: list[datetime] = []
    for payment in payments:
        try:
            times.append(FIELDS.time("payment", payment, "created_at"))
        except DataError:
            continue
    return min(times, default=_BEGINNING) - _TICK


def _add_refunds(client: WhopClient, account_id: str | None, found: Payments, refunded: Sequence[Json]) -> None:
    """Refunds since the first of these payments, until all of their refunded amounts are explained."""
    # What doesn't tell its refunded amount is never explained.
    owed = {payment["id"]: _refunded_micros(payment) or _ENDLESS for payment in refunded}
    for refund in client.refunds(account_id, created_after=_earliest(refunded)):
        payment_id = owner("refunds", refund, payment_of_refund, found.odd)
        payment = found.payments.get(payment_id or "")
        if payment is None or payment_id is None:
            continue
        found.refunds.setdefault(payment_id, []).append(refund)
        if payment_id in owed:
            owed[payment_id] -= _given_back(refund, payment)
            if owed[payment_id] <= 0:
                del owed[payment_id]
        if not owed:
            return


def _given_back(refund: Json, payment: Json) -> int:
    """What a refund gave back; nothing where it can't be read, which is told where it is stored."""
    try:
        entry = refund_entry(refund, FIELDS.text("payment", payment, "currency").upper())
    except DataError:
        return 0
    return entry["micros"] if entry["status"] == catalog.REFUND_SUCCEEDED else 0


def _refunded_micros(payment: Json) -> int:
    try:
        refunded = optional_money("payment", payment, "refunded_amount")
    except DataError:
        return 0
    return refunded.micros if refunded else 0


def dispute_of_substatus(payment: Json) -> list[Json]:
    """The dispute that a payment's substatus names, where the server has no list of disputes; at most one.

    Its amount is the whole payment, its time that of the payment's last change; its fee is unknown.
    """
    _, sign, status = str(payment["substatus"]).partition("dispute_")
    if not sign or status == "warning":
        return []
    total = payment["total"]
    if not isinstance(total, dict):
        return []  # such a payment can't be read at all, which is told
    total = cast("Json", total)
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
