"""Makes a row of the ledger of the stored rows of one event. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from creator_pipeline.ledger.events import LedgerEvent

PLATFORM = "amazon_kdp"
NO_CURRENCY = "XXX"
"""ISO 4217's code for no currency: that of pages in a shop whose currency is not known."""
PARTITION_DIGITS = 16
"""A partition's key is so many first digits of its content's SHA-256."""


class KdpGroup(NamedTuple):
    """Sums over all counted rows of one slice and event key. The royalty is in micros of ``currency``.

    Attributes:
        event_key: month, format, product id, marketplace, royalty type, transaction, currency; joined by ``|``.
        kind: ``sales`` or ``kenp``.
        day: the day, or the first of the month in monthly reports.
        currency: None where the report has no money (estimated pages).
    """

    upload_id: str
    slice: str
    event_key: str
    kind: str
    day: date
    title: str | None
    units_sold: int
    units_refunded: int
    pages_read: int
    royalty_micros: int
    currency: str | None


def kdp_event(profile_id: str, group: KdpGroup, moment: datetime) -> LedgerEvent:
    """Make the ledger row of one event key in one slice.

    Sales become ``royalty``. Their quantity is net units; gross and net are the royalty, because KDP tells what it pays
    and no fee. KDP subtracts returns from the royalty and doesn't tell when they happened, so a refund is no row of
    its own; a key with more refunds than sales gives a negative row. Pages become ``pages_read``. Their quantity is the
    number of pages; they have money only in the final report. The id doesn't contain the upload, so the same event of
    a better report is the same row.
    """
    month, _, product, shop, *_, shop_currency = group.event_key.split("|")
    pages = group.kind == "kenp"
    digest = hashlib.sha256(group.event_key.encode()).hexdigest()[:20]
    return LedgerEvent(
        id=f"{PLATFORM}:{profile_id}:{group.slice}:{digest}",
        profile_id=profile_id,
        platform=PLATFORM,
        event_type="pages_read" if pages else "royalty",
        external_id=group.event_key,
        product_id=product or None,
        product_name=group.title or f"{product} {shop} {month}",
        occurred_at=datetime.combine(group.day, time(), UTC),
        occurred_on=group.day,
        quantity=group.pages_read if pages else group.units_sold - group.units_refunded,
        gross_micros=group.royalty_micros,
        fee_micros=0,
        net_micros=group.royalty_micros,
        currency=group.currency or shop_currency or NO_CURRENCY,
        source=group.upload_id[:PARTITION_DIGITS],
        first_seen_at=moment,
        ingested_at=moment,
    )
