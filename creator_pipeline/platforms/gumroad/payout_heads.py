"""Rows of ``payouts``: what is stored of a payout, and what a newer answer makes of it. Pure but for the table."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import orjson
from sqlalchemy import Connection, and_, select

from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.gumroad import payout_catalog, payouts
from creator_pipeline.platforms.gumroad.ledger_store import PLATFORM, about_sales
from creator_pipeline.platforms.gumroad.payouts import Head, Line, Reading
from creator_pipeline.store.tables import payout_lines
from creator_pipeline.store.tables import payouts as table

SETTLING = timedelta(days=7)
"""A completed payout is read again for so long: what it lists can still change, and a bank sends money back late."""


def completed_when_read(row: PayoutRow) -> bool:
    """Whether a payout's lines were read after it was completed: that reading counts for good."""
    told = orjson.loads(row.raw).get(payouts.READ_AS)
    return isinstance(told, str) and payout_catalog.PAYOUT_STATES.get(told.lower()) == "paid"


def stage(row: PayoutRow, moment: datetime) -> Literal["open", "settling", "final"]:
    """Whether a payout's lines must be read again, may differ by now, or count for good."""
    if row.lines_read_at is None or row.state == "on_the_way":
        return "open"
    if row.state == "released":
        return "final"
    if not completed_when_read(row):
        return "open"
    return "final" if moment - (row.processed_at or row.created_at) >= SETTLING else "settling"


def new_row(profile_id: str, head: Head, moment: datetime) -> PayoutRow:
    """A payout of the list, whose lines aren't read yet.

    Args:
        profile_id: whose.
        head: as the list tells it.
        moment: of the reading.
    """
    released = head.state == "released"
    return PayoutRow(
        provider=PLATFORM,
        profile_id=profile_id,
        payout_id=head.payout_id,
        amount_micros=head.amount_micros,
        currency=head.currency,
        status=head.status,
        state=head.state,
        created_at=head.created_at,
        processed_at=head.processed_at,
        period_end=None,
        balance_micros=None,
        balance_currency=None,
        withheld_micros=0,
        rate=None,
        released_on=payouts.released_on(head, moment, known_before=False) if released else None,
        estimated=True,
        lines_read_at=None,
        differs=None,
        raw=payouts.with_head({}, head),
        first_seen_at=moment,
        ingested_at=moment,
    )


def with_head(row: PayoutRow, head: Head, moment: datetime) -> PayoutRow:
    """A stored payout with what the list says of it now; its lines stay.

    Args:
        row: as stored.
        head: as the list tells it.
        moment: of the reading.
    """
    released_on = None
    if head.state == "released":
        was = row.state != "released"
        released_on = payouts.released_on(head, moment, known_before=True) if was else row.released_on
    return row._replace(
        amount_micros=head.amount_micros,
        currency=head.currency,
        status=head.status,
        state=head.state,
        processed_at=head.processed_at,
        released_on=released_on,
        raw=payouts.with_head(orjson.loads(row.raw), head),
        ingested_at=moment,
    )


def with_lines(row: PayoutRow, reading: Reading, moment: datetime) -> PayoutRow:
    """A stored payout with its lines: this reading counts from now on.

    Args:
        row: as stored.
        reading: of the payout by its id.
        moment: of the reading.
    """
    lines = reading.lines or ()
    fresh = with_head(row, reading.head, moment)
    usd = reading.head.currency == "USD"
    return fresh._replace(
        period_end=payouts.period_end(lines),
        # What a processor paid by itself is among the lines, and taken out by one of them.
        balance_micros=reading.head.amount_micros if usd else sum(line.net_micros for line in lines),
        balance_currency="USD",
        estimated=False,
        lines_read_at=row.lines_read_at or moment,
        differs=None,
        raw=payouts.raw(reading),
    )


def stored_rows(connection: Connection, profile_id: str) -> dict[str, PayoutRow]:
    """Every payout of a profile, by id."""
    mine = and_(table.c.provider == PLATFORM, table.c.profile_id == profile_id)
    return {row.payout_id: row for row in (PayoutRow(*row) for row in connection.execute(select(table).where(mine)))}


def stored_lines(connection: Connection, row: PayoutRow) -> list[Line]:
    """The lines of a stored payout, as they were read."""
    columns = payout_lines.c
    rows = connection.execute(
        select(
            columns.type,
            columns.occurred_on,
            columns.sale_id,
            columns.gross_micros,
            columns.fee_micros,
            columns.net_micros,
        ).where(
            columns.provider == PLATFORM,
            columns.profile_id == row.profile_id,
            columns.payout_id == row.payout_id,
            about_sales(),
        )
    )
    return [*(Line(*found) for found in rows), *payouts.lines_without_sale(orjson.loads(row.raw))]


def with_difference(row: PayoutRow, lines: list[Line], reading: Reading, moment: datetime) -> PayoutRow:
    """A stored payout whose lines count, with what a later reading says otherwise.

    Args:
        row: as stored.
        lines: that count.
        reading: the later one.
        moment: of that.
    """
    found = payouts.difference(lines, reading.lines or ())
    return with_head(row, reading.head, moment)._replace(differs=found.describe() if found else None)


def loses_lines(before: list[Line], reading: Reading) -> bool:
    """Whether a reading lacks something that an earlier one told."""
    found = payouts.difference(before, reading.lines or ())
    return found is not None and found.gone > 0
