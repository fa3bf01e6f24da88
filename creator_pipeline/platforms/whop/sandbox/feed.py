"""The feed of money: which lines are in it, and how it pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from starlette.datastructures import QueryParams
from starlette.requests import Request

from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline.platforms.whop.sandbox.books import Line
from creator_pipeline.platforms.whop.sandbox.books_json import line_json
from creator_pipeline.platforms.whop.sandbox.object_json import Json
from creator_pipeline.platforms.whop.sandbox.readings import Readings
from creator_pipeline.platforms.whop.sandbox.refusals import (
    bad,
    cursor,
    day_of,
    moment_of,
    not_found,
    page_of,
    read_cursor,
)

Row = tuple[Line, Decimal]
"""A line, and what it changed in the balance that was asked for."""


def feed_page(request: Request, account: WhopAccount, readings: Readings, size: int) -> Json:
    """A page of the feed.

    Args:
        request: with the parameters.
        account: of the key.
        readings: of the world.
        size: rows of a page.

    Raises:
        RefusedError: parameters that don't go together, or another's account.
    """
    query, asked = request.query_params, request.query_params.get("cursor")
    rows = _rows(query, account, readings)
    rows.sort(key=_mark, reverse=readings.newest_first)
    start = 0
    if asked and readings.offset_cursors:
        start = int(read_cursor(asked, "cursor")["l"])
    elif asked:
        last = tuple(read_cursor(asked, "cursor"))
        start = sum(_mark(row) >= last if readings.newest_first else _mark(row) <= last for row in rows)
    page = rows[start : start + size]
    more = len(rows) > start + size
    end = cursor({"l": start + size} if readings.offset_cursors else _mark(page[-1])) if more else None
    if request.scope.get("sandbox_fault") == "repeat_key" and asked:
        end, more = asked, True
    data = [line_json(line, amount, account) for line, amount in page]
    return page_of(data, end, more=more, later=bool(asked))


def _mark(row: Row) -> tuple[str, int]:
    return row[0].posted_at.astimezone(UTC).isoformat(), row[0].number


def _rows(query: QueryParams, account: WhopAccount, readings: Readings) -> list[Row]:
    if "account_id" not in query:
        raise bad("account_id", "Provide account_id or user_id.")
    if query["account_id"] != account.id:
        raise not_found()
    kind, now = query.get("balance_type"), account.clock()
    if kind not in (None, "total", "available"):
        raise bad("balance_type")
    days = [day_of(query, "available_after"), day_of(query, "available_before")]
    if any(days) and (kind or "currency" not in query):
        raise bad("available_after")
    lines, statement = account.books.lines, query.get("withdrawal_id")
    if statement:
        if kind != "available":
            raise bad("withdrawal_id")
        payout = account.books.payouts.get(statement)
        if payout is None:
            raise not_found()
        lines = account.books.statement(payout, by_posting=readings.statement_by_posting)
    changed = _change(kind, now)
    rows = [(line, changed(line)) for line in lines if _is_told(line, now, readings)]
    chosen = _filter(query, overruled=bool(statement))
    words = set(query.getlist("line_types"))
    if kind is None:
        hidden = readings.left_out | (readings.only_when_asked - words)
        rows = [(line, amount) for line, amount in rows if not line.inner and line.line_type not in hidden]
    return [row for row in rows if row[1] and (not words or row[0].line_type in words) and chosen(row)]


def _is_told(line: Line, now: datetime, readings: Readings) -> bool:
    late = line.number % readings.late_every == 0
    return line.posted_at + timedelta(hours=readings.late_hours if late else 0) <= now


def _change(kind: str | None, now: datetime) -> Callable[[Line], Decimal]:
    if kind == "available":
        return lambda line: line.amount if line.available_at <= now else Decimal(0)
    return lambda line: line.total


def _filter(query: QueryParams, *, overruled: bool) -> Callable[[Row], bool]:
    direction = query.get("direction")
    if direction not in (None, "money_in", "money_out"):
        raise bad("direction")
    after, before = moment_of(query, "posted_after"), moment_of(query, "posted_before")
    first, last = day_of(query, "available_after"), day_of(query, "available_before")
    currency, payment = query.get("currency"), query.get("payment_id")
    resource, activity = query.get("resource_id"), query.get("activity_id")
    if overruled:
        after = before = currency = None

    def chosen(row: Row) -> bool:
        line, amount = row
        day = line.available_at.astimezone(UTC).date()
        return (
            (direction is None or (amount > 0) == (direction == "money_in"))
            and (currency is None or line.currency == currency)
            and (after is None or line.posted_at > after)
            and (before is None or line.posted_at < before)
            and (first is None or day >= first)
            and (last is None or day <= last)
            and (payment is None or line.payment_id == payment)
            and (activity is None or line.id == activity)
            and (resource is None or resource in (line.payment_id, *(line.source or ())))
        )

    return chosen
