"""Finds the payments that have changed, with the fewest requests.

No list of this version of the API can be filtered by the time of an update. So a change is found by other means: a
refund and a dispute are rows with a creation time of their own, and everything else changes only until it is final.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.answers import Json, NotFoundError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.fetch import Payments, alerts, dispute_of_substatus, owner
from creator_pipeline.platforms.whop.refunds import (
    alert_entry,
    payment_of_alert,
    payment_of_dispute,
    payment_of_refund,
)

UNLISTED_DISPUTE_WINDOW = timedelta(days=120)
"""The oldest payment whose dispute is searched for, where the server has no list of disputes."""


class StoredPayment(NamedTuple):
    """A payment as it is stored: status, ids of its refunds, (id, status) of its disputes, (id, fee) of its alerts."""

    id: str
    status: str
    refunds: frozenset[str]
    disputes: frozenset[tuple[str, str]]
    alerts: frozenset[tuple[str, int]] = frozenset()


@dataclass
class Changed:
    """What has changed: payments to read again, and what else was seen on the way (see :class:`Payments`).

    Attributes:
        alerted: those of ``ids`` whose dispute alerts have changed.
    """

    ids: set[str] = field(default_factory=set[str])
    alerted: set[str] = field(default_factory=set[str])
    seen: Payments = field(default_factory=Payments)


def changed_payments(
    client: WhopClient, account_id: str | None, stored: Sequence[StoredPayment], since: datetime
) -> Changed:
    """Stored payments that have changed: by a refund, dispute or alert, or because they were not final.

    Args:
        client: of the account.
        account_id: ``biz_…``; None for the account of the key.
        stored: every stored payment that may have changed.
        since: every refund and dispute created before it is stored, and no stored dispute that is still open was
            created before it. Alerts can't be asked for by time.
    """
    known = {payment.id: payment for payment in stored}
    changed = Changed()
    odd = changed.seen.odd
    for refund in client.refunds(account_id, created_after=since):
        payment = known.get(owner("refunds", refund, payment_of_refund, odd) or "")
        succeeded = refund.get("status") == catalog.REFUND_SUCCEEDED
        if payment and succeeded is (refund["id"] not in payment.refunds):
            changed.ids.add(payment.id)
    try:
        for dispute in client.disputes(account_id, created_after=since):
            payment = known.get(owner("disputes", dispute, payment_of_dispute, odd) or "")
            if payment and (dispute["id"], str(dispute.get("status"))) not in payment.disputes:
                changed.ids.add(payment.id)
    except NotFoundError:
        changed.seen.disputes_listed = False
        changed.ids |= _disputed(client, account_id, known, since - UNLISTED_DISPUTE_WINDOW)
    for alert in alerts(client.dispute_alerts(account_id), changed.seen):
        payment = known.get(owner("dispute_alerts", alert, payment_of_alert, odd) or "")
        if payment and not _is_stored(alert, payment):
            changed.alerted.add(payment.id)
    changed.ids |= changed.alerted | _no_longer_open(client, account_id, stored)
    return changed


def _is_stored(alert: Json, payment: StoredPayment) -> bool:
    try:
        entry = alert_entry(alert)
    except DataError:
        return False
    return (entry["id"], entry["fee_micros"]) in payment.alerts


def _disputed(
    client: WhopClient, account_id: str | None, known: Mapping[str, StoredPayment], since: datetime
) -> set[str]:
    """Payments made since ``since`` whose substatus names another dispute than is stored."""
    changed: set[str] = set()
    for payment in client.payments(account_id, created_after=since):
        stored = known.get(payment["id"])
        if stored is None:
            continue
        named = {(entry["id"], entry["status"]) for entry in dispute_of_substatus(payment)}
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
