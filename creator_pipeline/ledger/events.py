"""A row of the ledger."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple


class LedgerEvent(NamedTuple):
    """A row of ``sales_events``, in the order of its columns. Amounts in micros of ``currency``."""

    id: str
    profile_id: str
    platform: str
    event_type: str
    external_id: str
    product_id: str | None
    product_name: str | None
    occurred_at: datetime
    occurred_on: date
    quantity: int
    gross_micros: int
    fee_micros: int
    net_micros: int
    currency: str
    source: str
    first_seen_at: datetime
    ingested_at: datetime
