"""A row of ``payouts``."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple


class PayoutRow(NamedTuple):
    """A row of ``payouts``, in the order of its columns."""

    provider: str
    profile_id: str
    payout_id: str
    amount_micros: int
    currency: str
    status: str
    state: str
    created_at: datetime
    processed_at: datetime | None
    period_end: date | None
    balance_micros: int | None
    balance_currency: str | None
    withheld_micros: int
    rate: str | None
    released_on: date | None
    estimated: bool
    lines_read_at: datetime | None
    differs: str | None
    raw: str
    first_seen_at: datetime
    ingested_at: datetime
