"""The ledger's rows of a Gumroad sale. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from creator_pipeline.core.windows import partition_key
from creator_pipeline.ledger.events import LedgerEvent


class GumroadSale(NamedTuple):
    """What the ledger needs of a Gumroad sale. Amounts in micros of a US dollar.

    ``refunded_micros`` is None while a partial refund can't be derived: the refund's row is then missing, and the
    check ``refunds_known`` says so.
    """

    profile_id: str
    id: str
    created_at: datetime
    product_id: str | None
    product_name: str | None
    quantity: int
    price_micros: int
    fee_micros: int
    refunded_micros: int | None
    chargedback: bool
    disputed: bool
    dispute_won: bool
    kind: str


def gumroad_events(sale: GumroadSale, moment: datetime) -> list[LedgerEvent]:
    """The ledger rows of one sale: the sale, and a negative row for each way its money went back.

    A refund and a dispute are dated like the sale, because the API tells no other time. Gumroad's fee stays on the
    sale: the API doesn't reduce it. A lost dispute takes what a refund left. Trials, parts of bundles and the
    recipient's side of a gift carry no money of their own and give no row.
    """
    if sale.kind != "sale":
        return []
    day = sale.created_at.date()
    source = partition_key(day, sale.profile_id)

    def event(event_type: str, quantity: int, gross: int, fee: int = 0) -> LedgerEvent:
        return LedgerEvent(
            id=f"gumroad:{sale.profile_id}:{sale.id}:{event_type}",
            profile_id=sale.profile_id,
            platform="gumroad",
            event_type=event_type,
            external_id=sale.id,
            product_id=sale.product_id,
            product_name=sale.product_name,
            occurred_at=sale.created_at,
            occurred_on=day,
            quantity=quantity,
            gross_micros=gross,
            fee_micros=fee,
            net_micros=gross - fee,
            currency="USD",
            source=source,
            first_seen_at=moment,
            ingested_at=moment,
        )

    events = [event("sale", sale.quantity, sale.price_micros, sale.fee_micros)]
    refunded = sale.refunded_micros or 0
    if refunded:
        events.append(event("refund", -sale.quantity if refunded == sale.price_micros else 0, -refunded))
    left = sale.price_micros - refunded
    if left and (sale.chargedback or sale.dispute_won):
        events.append(event("chargeback", -sale.quantity, -left))
        if sale.dispute_won and not sale.chargedback:
            events.append(event("chargeback_reversal", sale.quantity, left))
    return events
