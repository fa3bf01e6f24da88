"""The equations of Whop's payouts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

import orjson
from sqlalchemy import Connection, func, or_, select

from creator_pipeline.core.money import MICROS_PER_CENT, from_decimal, to_decimal
from creator_pipeline.platforms.books import Identity
from creator_pipeline.platforms.whop.ledger_store import OWNERS_AT_ONCE, PLATFORM, lines_of, stored_families
from creator_pipeline.platforms.whop.line_types import meaning_of
from creator_pipeline.platforms.whop.payout_lines import REST, Own, own_lines
from creator_pipeline.platforms.whop.payout_models import PayoutRow, net_micros
from creator_pipeline.platforms.whop.payout_store import stored_payouts
from creator_pipeline.store.tables import payout_lines, whop_financial_activity, whop_payout_statements


def payout_identities(connection: Connection, profile_id: str, *, feed: bool) -> Iterator[Identity]:
    """The equations of an account's payouts.

    Args:
        connection: to the warehouse.
        profile_id: whose account.
        feed: whether the money feed can be read.
    """
    known = stored_payouts(connection, profile_id)
    if not known:
        return
    families = stored_families(connection, profile_id)
    ids, owned = list(known), {}
    for start in range(0, len(ids), OWNERS_AT_ONCE):
        owned |= lines_of(connection, profile_id, ids[start : start + OWNERS_AT_ONCE])
    for payout in known.values():
        yield from _as_told(payout, own_lines(owned.get(payout.payout_id, ()), families))
    if feed:
        moved = [(row, own_lines(owned.get(row.payout_id, ()), families)) for row in known.values()]
        yield from _ties(connection, profile_id, moved)


def _as_told(payout: PayoutRow, own: Own) -> Iterator[Identity]:
    """A payout against its own lines, its rate, and its first reading."""
    own_currency = payout.balance_currency or payout.currency
    if own.left:
        net, taken = net_micros(orjson.loads(payout.raw)), -sum(line.amount_micros for line in own.left)
        why = "its fee is inside the line, or its amount is another's"
        yield Identity("payout_took_net", "payout", payout.payout_id, own_currency, net, taken, 0, why)
    if payout.rate is not None:
        net = net_micros(orjson.loads(payout.raw))
        found = from_decimal(to_decimal(net) * Decimal(payout.rate))
        why = "amount, rate and what arrives disagree by more than a cent"
        yield Identity(
            "payout_converted",
            "payout",
            payout.payout_id,
            payout.currency,
            payout.amount_micros,
            found,
            MICROS_PER_CENT,
            why,
        )
    if payout.state == "paid":
        # There is no second figure of what is said otherwise in words: any difference counts as its whole amount.
        now = 0 if payout.differs else payout.amount_micros
        yield Identity(
            "payout_stands",
            "payout",
            payout.payout_id,
            payout.currency,
            payout.amount_micros,
            now,
            0,
            payout.differs or "",
        )


def _ties(connection: Connection, profile_id: str, moved: list[tuple[PayoutRow, Own]]) -> Iterator[Identity]:
    """What stays after each payout, by the chain of statements and by what the feed says was available then."""
    rests = _rests(connection, profile_id)
    holds = _holds(connection, profile_id)
    feed = whop_financial_activity.c
    held: dict[str, int] = defaultdict(int)
    for payout, own in sorted(moved, key=lambda pair: (pair[1].at or pair[0].created_at, pair[0].payout_id)):
        at, currency = own.at, payout.balance_currency or payout.currency
        held[currency] += holds.get(payout.payout_id, 0)
        if at is None or payout.estimated:
            continue
        available = or_(feed.available_at <= at, feed.available_at.is_(None) & (feed.posted_at <= at))
        booked = connection.execute(
            select(func.sum(feed.amount_micros)).where(
                feed.profile_id == profile_id, feed.currency == currency, feed.posted_at <= at, available
            )
        ).scalar_one()
        yield Identity(
            "statement_ties",
            "payout",
            payout.payout_id,
            currency,
            rests.get(payout.payout_id, 0),
            int(booked or 0) + held[currency],
            0,
            "the statement has other lines than the feed had available then",
        )


def _rests(connection: Connection, profile_id: str) -> dict[str, int]:
    columns = payout_lines.c
    found = connection.execute(
        select(columns.payout_id, columns.net_micros).where(
            columns.provider == PLATFORM, columns.profile_id == profile_id, columns.type == REST
        )
    )
    return {payout_id: -micros for payout_id, micros in found}


def _holds(connection: Connection, profile_id: str) -> dict[str, int]:
    """Of each statement what was held or let go: the feed of the whole balance leaves that out."""
    columns = whop_payout_statements.c
    found = connection.execute(
        select(columns.payout_id, columns.line_type, func.sum(columns.amount_micros))
        .where(columns.profile_id == profile_id)
        .group_by(columns.payout_id, columns.line_type)
    )
    held: dict[str, int] = defaultdict(int)
    for payout_id, word, micros in found:
        if meaning_of(word, {}) == "hold":
            held[payout_id] += int(micros)
    return held
