"""Memberships of Gumroad from their first day to their last, from sales and subscribers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, select

from creator_pipeline.core.money import from_cents
from creator_pipeline.core.windows import now
from creator_pipeline.ledger.subscriptions import MONTHS, Price, Span, monthly
from creator_pipeline.platforms.contract import SubscriptionSpans
from creator_pipeline.platforms.gumroad.tables import SUBSCRIBERS
from creator_pipeline.store.tables import gumroad_sales

_DAYS_OF_MONTH = 365.25 / 12
_NOT_RECURRING = ("tip_cents", "tax_cents", "shipping_cents")


def spans(connection: Connection, profile_id: str) -> Iterator[Span]:
    """Every membership with a stored sale.

    Args:
        connection: to the warehouse.
        profile_id: whose memberships.
    """
    sales, table = gumroad_sales.c, SUBSCRIBERS.table.c
    asked = (
        select(sales.subscription_id, sales.created_at, sales.price_micros, sales.kind, sales.raw)
        .where(sales.profile_id == profile_id, sales.subscription_id.is_not(None))
        .order_by(sales.subscription_id, sales.created_at, sales.id)
    )
    known = {row.id: row for row in connection.execute(select(SUBSCRIBERS.table).where(table.profile_id == profile_id))}
    for name, group in groupby(connection.execute(asked), key=lambda row: row.subscription_id):
        yield _span(name, list(group), known.get(name))


def _span(name: str, charges: Sequence[Any], subscriber: Row[Any] | None) -> Span:
    raws = [json.loads(row.raw) for row in charges]
    told = next((raw["subscription_duration"] for raw in reversed(raws) if raw.get("subscription_duration")), None)
    period = (subscriber.recurrence if subscriber else None) or told
    prices = [
        Price(row.created_at.date(), (monthly(_recurring(row, raw), period) or 0) if row.kind == "sale" else 0)
        for row, raw in zip(charges, raws, strict=True)
    ]
    paid_until = charges[-1].created_at + timedelta(days=_DAYS_OF_MONTH * MONTHS.get(period or "", 1))
    end, cancelled = _end(subscriber, paid_until, over=any(raws[-1].get(key) for key in ("cancelled", "dead", "ended")))
    return Span(name, charges[0].created_at.date(), end, cancelled, "USD", prices)


def _recurring(row: Row[Any], raw: dict[str, Any]) -> int:
    """What of a charge comes again: a tip, tax and shipping are no recurring revenue."""
    besides = (raw.get(key) for key in _NOT_RECURRING)
    return max(0, row.price_micros - sum(from_cents(cents) for cents in besides if isinstance(cents, int)))


def _end(subscriber: Row[Any] | None, paid_until: datetime, *, over: bool) -> tuple[date | None, date | None]:
    """First day without access, and the day on which the end was asked for."""
    if subscriber is None:
        # Nobody has seen it in a list: it lasts as long as it is paid for.
        return (paid_until.date(), None) if over or paid_until < now() else (None, None)
    asked = subscriber.cancel_asked_at.date() if subscriber.cancel_asked_at else None
    told = [at for at in (subscriber.cancelled_at, subscriber.ended_at, subscriber.failed_at) if at is not None]
    if told:
        return min(told).date(), asked
    return (subscriber.removed_at.date(), asked) if subscriber.removed_at else (None, asked)


SPANS = SubscriptionSpans(("gumroad/sales", "gumroad/subscribers"), spans)
