"""Payouts and their lines, as tests of the books write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, insert

from creator_pipeline.store.tables import payout_lines, payouts

SEEN = datetime(2026, 10, 9, 12, tzinfo=UTC)


def put_payout(connection: Connection, payout_id: str, cents: int, day: date, **over: Any) -> None:
    """A payout of so many cents, made at 10:00 of a day; paid, in US dollars, unless ``over`` says otherwise."""
    made = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    values = {
        "provider": "gumroad", "profile_id": "alice", "payout_id": payout_id, "amount_micros": cents * 10_000,
        "currency": "USD", "status": "completed", "state": "paid", "created_at": made, "balance_micros": cents * 10_000,
        "balance_currency": "USD", "withheld_micros": 0, "estimated": False, "raw": "{}", "first_seen_at": SEEN,
        "ingested_at": SEEN,
    }  # fmt: skip
    connection.execute(insert(payouts).values(values | over))


def put_line(connection: Connection, payout_id: str, line: int, cents: int, **over: Any) -> None:
    """A line of a payout of alice's."""
    values = {
        "provider": "gumroad", "profile_id": "alice", "payout_id": payout_id, "line": line, "type": "Sale",
        "net_micros": cents * 10_000, "currency": "USD", "occurred_on": date(2026, 10, 1),
    }  # fmt: skip
    connection.execute(insert(payout_lines).values(values | over))
