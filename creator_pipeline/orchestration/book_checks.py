"""The equations of the books: those that hold for every platform, and what becomes of those that don't hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, and_, func, select

from creator_pipeline.core.windows import now
from creator_pipeline.ledger.movements import LIVE
from creator_pipeline.platforms.books import Books, Identity
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.locks import lock
from creator_pipeline.store.tables import payout_lines, payouts, sales_events, unexplained

NAMES = {
    "lines_equal_payout": "The lines of each payout add up to its amount, where both are in one currency.",
    "lines_have_a_row": "Each line of a payout settles a row of the ledger, or says why it is none.",
    "rows_are_there": "Each line of a payout that settles a row of the ledger has the row's amount.",
    "paid_once": "No row of the ledger is settled by two payouts that count.",
}
"""Equations of every platform, and what each means."""


def names_of(books: Books) -> dict[str, str]:
    """Every equation of a platform's books, and what each means."""
    return {**NAMES, **books.names}


def identities(connection: Connection, platform: Platform, profile_id: str) -> list[Identity]:
    """Every equation of a profile's books on one platform, with its figures.

    Args:
        connection: to read with.
        platform: whose books.
        profile_id: whose account.
    """
    found = [
        *_lines_equal_payout(connection, platform.in_ledger, profile_id),
        *_lines_have_a_row(connection, platform.in_ledger, profile_id),
        *_rows_are_there(connection, platform.in_ledger, profile_id),
        *_paid_once(connection, platform.in_ledger, profile_id),
    ]
    return found if platform.books is None else [*found, *platform.books.get().identities(connection, profile_id)]


def _lines_equal_payout(connection: Connection, provider: str, profile_id: str) -> Iterator[Identity]:
    head, line = payouts.c, payout_lines.c
    rows = connection.execute(
        select(head.payout_id, head.currency, head.amount_micros, func.sum(line.net_micros))
        .select_from(payouts.join(payout_lines, _of_payout()))
        .where(
            head.provider == provider,
            head.profile_id == profile_id,
            head.state.in_(LIVE),
            head.currency == line.currency,
            head.currency == head.balance_currency,
        )
        .group_by(head.payout_id, head.currency, head.amount_micros)
    )
    for payout_id, currency, amount, lines in rows:
        reason = "its lines add up to another amount"
        yield Identity("lines_equal_payout", "payout", payout_id, currency, amount, int(lines), reason=reason)


def _lines_have_a_row(connection: Connection, provider: str, profile_id: str) -> Iterator[Identity]:
    head, line = payouts.c, payout_lines.c
    rows = connection.execute(
        select(line.payout_id, line.currency, line.type, func.sum(line.net_micros))
        .select_from(payouts.join(payout_lines, _of_payout()))
        .where(
            head.provider == provider,
            head.profile_id == profile_id,
            head.state.in_(LIVE),
            line.ledger_id.is_(None),
            line.reason.is_(None),
        )
        .group_by(line.payout_id, line.currency, line.type)
    )
    for payout_id, currency, type_, amount in rows:
        reason = f"lines of the type {type_!r} settle nothing that is known"
        yield Identity("lines_have_a_row", "payout", payout_id, currency, int(amount), 0, reason=reason)


def _rows_are_there(connection: Connection, provider: str, profile_id: str) -> Iterator[Identity]:
    """What payouts settled of a row of the ledger beside its net; only where the two differ."""
    head, line, event = payouts.c, payout_lines.c, sales_events.c
    settled = (
        select(line.ledger_id, line.currency, func.min(line.payout_id).label("payout_id"), _net().label("net"))
        .select_from(payouts.join(payout_lines, _of_payout()))
        .where(
            head.provider == provider,
            head.profile_id == profile_id,
            head.state.in_(LIVE),
            line.ledger_id.is_not(None),
            line.reason.is_(None),
        )
        .group_by(line.ledger_id, line.currency)
        .subquery()
    )
    columns = settled.c
    rows = connection.execute(
        select(columns.payout_id, columns.currency, func.sum(columns.net), func.sum(func.coalesce(event.net_micros, 0)))
        .select_from(settled.outerjoin(sales_events, event.id == columns.ledger_id))
        .where(func.coalesce(event.net_micros, 0) != columns.net)
        .group_by(columns.payout_id, columns.currency)
    )
    for payout_id, currency, paid, booked in rows:
        reason = "rows of the ledger have another amount than the lines that settle them"
        yield Identity("rows_are_there", "payout", payout_id, currency, int(paid), int(booked), reason=reason)


def _paid_once(connection: Connection, provider: str, profile_id: str) -> Iterator[Identity]:
    head, line = payouts.c, payout_lines.c
    rows = connection.execute(
        select(line.ledger_id, line.currency, func.max(line.payout_id), _net(), func.min(line.net_micros))
        .select_from(payouts.join(payout_lines, _of_payout()))
        .where(
            head.provider == provider,
            head.profile_id == profile_id,
            head.state.in_(LIVE),
            line.ledger_id.is_not(None),
            line.reason.is_(None),
        )
        .group_by(line.ledger_id, line.currency)
        .having(func.count(line.payout_id.distinct()) > 1)
    )
    for ledger_id, currency, payout_id, all_, once in rows:
        reason = f"{ledger_id} is settled by more than one payout"
        yield Identity("paid_once", "payout", payout_id, currency, int(all_), int(once), reason=reason)


def _net():
    return func.sum(payout_lines.c.net_micros)


def _of_payout():
    return and_(*(payout_lines.c[name] == payouts.c[name] for name in ("provider", "profile_id", "payout_id")))


def keep_unexplained(connection: Connection, platform: Platform, profile_id: str, found: Sequence[Identity]) -> Change:
    """Make the table ``unexplained`` say what does not hold; ``since`` stays with what was known.

    Args:
        connection: of the transaction.
        platform: whose books.
        profile_id: whose account.
        found: of :func:`identities`.
    """
    sums: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for identity in found:
        if not identity.holds:
            reason = identity.reason or identity.name
            sums[identity.scope, identity.key, identity.currency, reason] += identity.difference_micros
    moment = now()
    rows = [
        (platform.in_ledger, profile_id, scope, key, currency, reason, amount, moment)
        for (scope, key, currency, reason), amount in sums.items()
    ]
    lock(connection, f"{unexplained.name} {platform.in_ledger} {profile_id}")
    columns = unexplained.c
    mine = and_(columns.provider == platform.in_ledger, columns.profile_id == profile_id)
    return replace(connection, unexplained, rows, mine, what=f"unexplained of {profile_id}", allow_shrink=True)
