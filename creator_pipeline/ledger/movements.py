"""What moves the balances of a profile: rows of the ledger and payouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from creator_pipeline.ledger.closing import first_day, first_day_after, month_of
from creator_pipeline.store.tables import balance_movements, closed_months, payouts, sales_events

LIVE = ("paid", "on_the_way")
"""States of a payout whose money is not in the balance."""
BY_PROCESSOR = "by_processor"
"""Kind of a movement that takes out what a payment processor paid to the seller by itself, past the balance."""
GROSS_OF = {
    "sale": "sales",
    "royalty": "sales",
    "pages_read": "sales",
    "refund": "refunds",
    "chargeback": "chargebacks",
    "chargeback_reversal": "chargebacks",
    "affiliate_credit": "affiliate_credits",
    "affiliate_share": "affiliate_shares",
    "payout_fee": "payout_fees",
    "tax": "tax",
}
FEE_OF = {
    "refund": "fees_returned",
    "chargeback": "fees_returned",
    "chargeback_reversal": "fees_returned",
    "fee_refund": "fees_returned",
    "payout_fee": "payout_fees",
    "affiliate_credit": "affiliate_credits",
    "affiliate_share": "affiliate_shares",
}


class Entry(NamedTuple):
    """A movement of a balance, in micros of ``currency``: positive where money came in.

    Attributes:
        kind: one of those of :mod:`.statement`.
        estimated_micros: the part of the amount that is an estimate, without its sign.
        reference: the row of the ledger, or the payout.
        belongs_to: day of a closed month that it belongs to.
    """

    day: date
    platform: str
    currency: str
    kind: str
    amount_micros: int
    estimated_micros: int
    reference: str
    text: str
    belongs_to: date | None


def entries(connection: Connection, profile_id: str, month: str | None = None) -> list[Entry]:
    """Every movement of a profile's balances, oldest first.

    Args:
        connection: to read with.
        profile_id: whose.
        month: ``2026-11``; None for everything.
    """
    found = [
        *_of_ledger(connection, profile_id, month),
        *of_payouts(connection, profile_id),
        *of_seller(connection, profile_id),
    ]
    return sorted(entry for entry in found if month is None or month_of(entry.day) == month)


def _of_ledger(connection: Connection, profile_id: str, month: str | None) -> Iterator[Entry]:
    events = sales_events.c
    wanted = select(
        events.occurred_on,
        events.platform,
        events.currency,
        events.event_type,
        events.gross_micros,
        events.fee_micros,
        events.fee_exact,
        events.id,
        events.product_name,
        events.belongs_to,
        events.past_balance,
    ).where(events.profile_id == profile_id)
    if month:
        wanted = wanted.where(events.occurred_on >= first_day(month), events.occurred_on < first_day_after(month))
    for row in connection.execute(wanted):
        day, platform, currency, event_type, gross, fee, exact, id_, name, belongs_to, past = row
        text = f"{event_type.replace('_', ' ')}{f' · {name}' if name else ''}"
        if gross:
            # A row without a fee that is not exact is itself what was estimated.
            guessed = 0 if exact or fee else abs(gross)
            kind = GROSS_OF.get(event_type, "adjustments")
            yield Entry(day, platform, currency, kind, gross, guessed, id_, text, belongs_to)
        if fee:
            kind = FEE_OF.get(event_type, "fees")
            yield Entry(day, platform, currency, kind, -fee, 0 if exact else abs(fee), id_, text, belongs_to)
        if past and gross != fee:
            yield Entry(day, platform, currency, BY_PROCESSOR, fee - gross, 0, id_, text, belongs_to)


def of_payouts(connection: Connection, profile_id: str) -> Iterator[Entry]:
    table = payouts.c
    closings = dict(
        connection.execute(
            select(closed_months.c.month, closed_months.c.closed_at).where(
                closed_months.c.profile_id == profile_id, closed_months.c.reopened_at.is_(None)
            )
        ).all()
    )
    # The gateway may read no more of a payout than this.
    names = (
        "provider",
        "payout_id",
        "amount_micros",
        "currency",
        "status",
        "state",
        "created_at",
        "balance_micros",
        "balance_currency",
        "withheld_micros",
        "released_on",
        "estimated",
        "first_seen_at",
        "ingested_at",
    )
    mine = select(*(table[name] for name in names)).where(table.profile_id == profile_id, table.state != "planned")
    rows = connection.execute(mine)
    for row in rows:
        made = _booked_on(row.created_at.astimezone(UTC).date(), row.first_seen_at, closings)
        currency = row.balance_currency or row.currency
        taken = row.amount_micros if row.balance_micros is None else row.balance_micros
        guessed = abs(taken) if row.estimated else 0
        moves = [(made, 1)]
        if row.state not in LIVE:
            moves.append((max(made, _booked_on(row.released_on or made, row.ingested_at, closings)), -1))
        for day, sign in moves:
            text = f"payout {row.status}" if sign > 0 else f"payout {row.status}: back in the balance"
            for kind, micros in (("payouts", taken), ("withheld", row.withheld_micros)):
                if micros:
                    part = guessed if kind == "payouts" else 0
                    yield Entry(day, row.provider, currency, kind, -sign * micros, part, row.payout_id, text, None)


def of_seller(connection: Connection, profile_id: str) -> Iterator[Entry]:
    """What the seller put in, moved, exchanged or spent.

    Args:
        connection: to read with.
        profile_id: whose.
    """
    table = balance_movements.c
    for row in connection.execute(select(balance_movements).where(table.profile_id == profile_id)):
        text = row.kind.replace("_", " ")
        yield Entry(
            *(row.occurred_on, row.provider, row.currency, "transfers", row.amount_micros, 0),
            *(row.movement_id, text, None),
        )


def _booked_on(day: date, seen_at: datetime, closings: Mapping[str, datetime]) -> date:
    """The day, or the one on which it was seen where its month had been closed by then."""
    closed_at = closings.get(month_of(day))
    return day if closed_at is None or seen_at <= closed_at else seen_at.astimezone(UTC).date()
