"""The equations of Whop's payouts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import orjson
from sqlalchemy import Connection, and_, func, or_, select

from creator_pipeline.core.money import MICROS_PER_CENT, from_decimal, to_decimal
from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.books import Identity
from creator_pipeline.platforms.whop.ledger_lines import Booked
from creator_pipeline.platforms.whop.ledger_store import OWNERS_AT_ONCE, PLATFORM, lines_of, stored_families
from creator_pipeline.platforms.whop.line_types import meaning_of
from creator_pipeline.platforms.whop.payout_lines import REST, Own, own_lines
from creator_pipeline.platforms.whop.payout_models import net_micros, own_fee_of
from creator_pipeline.platforms.whop.payout_store import stored_payouts
from creator_pipeline.store.tables import payout_lines, whop_financial_activity, whop_payout_statements


def payout_identities(connection: Connection, profile_id: str, *, feed: bool) -> Iterator[Identity]:
    """The equations of an account's payouts.

    Args:
        connection: to the warehouse.
        profile_id: whose account.
        feed: whether the money feed can be read.
    """
    moved = _with_own(connection, profile_id)
    for payout, own in moved:
        yield from _as_told(payout, own)
    if feed and moved:
        yield from _ties(connection, profile_id, moved)


def fees_inside(connection: Connection, profile_id: str) -> Iterator[tuple[date, str, int]]:
    """Fees that a payout's line holds, as (day, currency, what they added to the balance in micros).

    The ledger has rows of them, and the feed has no lines.

    Args:
        connection: to the warehouse.
        profile_id: whose account.
    """
    for payout, own in _with_own(connection, profile_id):
        inside = own.fee_inside(net_micros(orjson.loads(payout.raw)), own_fee_of(payout))
        if inside and own.at:
            currency = payout.balance_currency or payout.currency
            yield own.at.date(), currency, -inside
            if sum(line.amount_micros for line in own.back) == own.taken:
                yield max(line.posted_on for line in own.back), currency, inside


def _with_own(connection: Connection, profile_id: str) -> list[tuple[PayoutRow, Own]]:
    """Each payout with its own lines of the feed."""
    known, families = stored_payouts(connection, profile_id), stored_families(connection, profile_id)
    ids: list[str] = list(known)
    owned: dict[str, list[Booked]] = {}
    for start in range(0, len(ids), OWNERS_AT_ONCE):
        owned |= lines_of(connection, profile_id, ids[start : start + OWNERS_AT_ONCE])
    return [(row, own_lines(owned.get(row.payout_id, ()), families)) for row in known.values()]


def _as_told(payout: PayoutRow, own: Own) -> Iterator[Identity]:
    """A payout against its own lines, its rate, and its first reading."""
    own_currency = payout.balance_currency or payout.currency
    if own.left:
        net = net_micros(orjson.loads(payout.raw))
        taken = own.taken - own.fee_inside(net, own_fee_of(payout))
        why = "a part of its fee is inside the line, or its amount is another's"
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
    held: dict[str, int] = defaultdict(int)
    for payout, own in sorted(moved, key=lambda pair: (pair[1].at or pair[0].created_at, pair[0].payout_id)):
        at, currency = own.at, payout.balance_currency or payout.currency
        held[currency] += holds.get(payout.payout_id, 0)
        if at is None or payout.estimated:
            continue
        yield Identity(
            "statement_ties",
            "payout",
            payout.payout_id,
            currency,
            rests.get(payout.payout_id, 0),
            _available(connection, profile_id, currency, at) + held[currency],
            0,
            "the statement has other lines than the feed had available then",
        )


def _available(connection: Connection, profile_id: str, currency: str, cut: datetime) -> int:
    """What the lines of the feed say was available at a moment."""
    feed = whop_financial_activity.c
    when = or_(feed.available_at <= cut, and_(feed.available_at.is_(None), feed.posted_at <= cut))
    booked = connection.execute(
        select(func.sum(feed.amount_micros)).where(
            feed.profile_id == profile_id, feed.currency == currency, feed.posted_at <= cut, when
        )
    ).scalar_one()
    return int(booked or 0)


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
