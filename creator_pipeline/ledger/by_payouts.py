"""Days whose sales are known from payouts only: their amounts are right, their details come with the sales."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import Connection, and_, select

from creator_pipeline.core.windows import contiguous
from creator_pipeline.ledger.closing import first_day, first_day_after
from creator_pipeline.store.tables import sales_events

SOURCE = "payout "
"""What ``sales_events.source`` begins with, of a sale that only a payout tells of."""


def days_by_payouts(connection: Connection, profile_id: str, month: str | None = None) -> dict[str, list[date]]:
    """By platform, the days whose sales, or some of them, rest on payouts only, oldest first; the others rest on the
    sales' details.

    Args:
        connection: to read with.
        profile_id: whose ledger.
        month: ``2026-11``; None for every day.
    """
    events = sales_events.c
    mine = and_(events.profile_id == profile_id, events.event_type == "sale", events.source.startswith(SOURCE))
    if month:
        mine = and_(mine, events.occurred_on >= first_day(month), events.occurred_on < first_day_after(month))
    found: dict[str, list[date]] = defaultdict(list)
    wanted = select(events.platform, events.occurred_on).where(mine).distinct()
    for platform, day in connection.execute(wanted.order_by(events.platform, events.occurred_on)):
        found[platform].append(day)
    return dict(found)


def as_spans(days: Sequence[date]) -> str:
    """Days for people: ``2026-10-02, 2026-10-05 to 2026-10-09``."""
    spans = [(window.start, window.end - timedelta(days=1)) for window in contiguous(days)]
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
