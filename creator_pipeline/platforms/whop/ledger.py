"""Pure: a stored Whop payment to rows of the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import orjson

from creator_pipeline.core.windows import partition_key
from creator_pipeline.ledger.events import LedgerEvent


class WhopPayment(NamedTuple):
    """What the ledger needs of a row of ``whop_payments``. Amounts in micros of ``currency``.

    ``refunds`` and ``disputes`` are the JSON lists of that table.
    """

    profile_id: str
    id: str
    created_at: datetime
    paid_at: datetime | None
    product_id: str | None
    product_name: str | None
    status: str
    currency: str
    total_micros: int
    fee_micros: int | None
    refunds: str
    disputes: str


def whop_events(payment: WhopPayment, moment: datetime) -> list[LedgerEvent]:
    """The ledger rows of one payment, each at Whop's own time, in the settlement currency.

    A payment that was never paid gives none. Every refund that succeeded is a row of its own; so is every dispute
    that took money (an inquiry doesn't), its fee where Whop tells one, and the reversal of one that was won. All of
    them name the partition of the payment as their source, whatever day they happened on.
    """
    if payment.status != "paid" or payment.paid_at is None:
        return []
    source = partition_key(payment.created_at.date(), payment.profile_id)

    def event(
        event_type: str, at: datetime, quantity: int, gross: int, fee: int = 0, *, part: str = "", currency: str = ""
    ) -> LedgerEvent:
        return LedgerEvent(
            id=f"whop:{payment.profile_id}:{payment.id}:{event_type}{':' if part else ''}{part}",
            profile_id=payment.profile_id,
            platform="whop",
            event_type=event_type,
            external_id=payment.id,
            product_id=payment.product_id,
            product_name=payment.product_name,
            occurred_at=at,
            occurred_on=at.date(),
            quantity=quantity,
            gross_micros=gross,
            fee_micros=fee,
            net_micros=gross - fee,
            currency=currency or payment.currency,
            source=source,
            first_seen_at=moment,
            ingested_at=moment,
        )

    events = [event("sale", payment.paid_at, 1, payment.total_micros, payment.fee_micros or 0)]
    left = payment.total_micros
    for refund in _entries(payment.refunds):
        if refund["status"] != "succeeded" or not refund["micros"]:
            continue
        left -= refund["micros"]
        # The unit is back with the refund that gives the rest back.
        whole = -1 if left <= 0 < left + refund["micros"] else 0
        events.append(event("refund", _at(refund["at"]), whole, -refund["micros"], part=refund["id"]))
    for dispute in _entries(payment.disputes):
        part, at, micros = dispute["id"], _at(dispute["at"]), dispute["micros"]
        if dispute["inquiry"]:
            continue
        if micros > 0:
            events.append(event("chargeback", at, -1, -micros, part=part))
            if dispute["status"] == "won":
                events.append(event("chargeback_reversal", _at(dispute["changed_at"]), 1, micros, part=part))
        if dispute["fee_micros"]:
            fee = dispute["fee_micros"]
            events.append(event("fee", at, 0, 0, fee, part=part, currency=dispute["fee_currency"]))
    return events


def _entries(text: str) -> list[dict[str, Any]]:
    return orjson.loads(text)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
