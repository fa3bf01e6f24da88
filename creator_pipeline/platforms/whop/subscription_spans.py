"""Memberships of Whop from their first day to their last. One without an end of its period is no subscription."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select

from creator_pipeline.core.windows import now
from creator_pipeline.ledger.subscriptions import Price, Span, monthly, period_of
from creator_pipeline.platforms.contract import SubscriptionSpans
from creator_pipeline.store.tables import whop_subscriptions

_UNPAID = frozenset({"trialing", "drafted"})


def spans(connection: Connection, profile_id: str) -> Iterator[Span]:
    """Every membership that a profile's account sells and that renews.

    Args:
        connection: to the warehouse.
        profile_id: whose account.
    """
    table = whop_subscriptions.c
    mine = select(whop_subscriptions).where(
        table.account_profile_id == profile_id,
        table.current_period_start.is_not(None),
        table.current_period_end.is_not(None),
    )
    for row in connection.execute(mine.order_by(table.id)):
        period = period_of(row.current_period_start, row.current_period_end)
        price = None if row.status in _UNPAID or row.price_micros is None else monthly(row.price_micros, period)
        start = row.created_at.date()
        cancelled = row.canceled_at.date() if row.canceled_at else None
        yield Span(row.id, start, _end(row), cancelled, row.currency or "USD", [Price(start, price or 0)])


def _end(row: Row[Any]) -> date | None:
    if row.has_access:
        return row.current_period_end.date() if row.cancel_at_period_end else None
    over = [at for at in (row.current_period_end, row.updated_at) if at <= now()]
    return min(over or [row.updated_at]).date()


SPANS = SubscriptionSpans(("whop/memberships",), spans)
