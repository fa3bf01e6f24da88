"""A row of the ledger."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple


class LedgerEvent(NamedTuple):
    """A row of ``sales_events``, in the order of its columns. Amounts in micros of ``currency``.

    Attributes:
        fee_exact: False while the fee is estimated.
        belongs_to: day of a closed month that it belongs to, where it was booked later.
        settled_on: the platform's own day of it, where it tells another than ``occurred_on``.
        past_balance: whether a payment processor moved the money by itself: it is in no balance of the platform.
    """

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
    fee_exact: bool = True
    belongs_to: date | None = None
    settled_on: date | None = None
    past_balance: bool = False

    @property
    def own_day(self) -> date:
        """The day it belongs to, whether or not that day's month was closed when it became known."""
        return self.belongs_to or self.occurred_on
