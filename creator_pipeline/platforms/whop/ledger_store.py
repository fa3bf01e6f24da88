"""Whop's part of the ledger: made anew of everything that is stored, whichever part of it has just come.

Payments, the money feed and payouts come at different times and in any order. Whoever stores one of them lets the rows
of what it touched be made here, within its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from creator_pipeline.core.text import number
from creator_pipeline.core.windows import DayWindow, partition_key
from creator_pipeline.ledger.closing import Scope
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import own_days, replace_events
from creator_pipeline.platforms.whop.ledger import WhopPayment, WhopPayout, payout_events, whop_events
from creator_pipeline.platforms.whop.ledger_lines import Booked, feed_source, line_events, origin_of
from creator_pipeline.platforms.whop.line_types import Family, is_known
from creator_pipeline.platforms.whop.money_models import families_of
from creator_pipeline.platforms.whop.payout_models import net_micros, own_fee
from creator_pipeline.store.load import Change
from creator_pipeline.store.locks import lock, lock_profile
from creator_pipeline.store.tables import payouts, whop_financial_activity, whop_financial_reports, whop_payments

PLATFORM = "whop"
OWNERS_AT_ONCE = 2_000
"""Owners whose rows are made in one statement: ids are bound values, whose number SQLite limits."""

_LINES = [whop_financial_activity.c[name] for name in Booked._fields]
_PAYMENTS = [whop_payments.c[name] for name in WhopPayment._fields]


def lock_ledger(connection: Connection, profile_id: str) -> None:
    """Let nobody else make rows of this account before the transaction ends.

    Two that came at once, each with what the other stores, would both leave their rows.
    """
    lock_profile(connection, profile_id)
    lock(connection, f"whop ledger {profile_id}")


def payments_in(profile_id: str, window: DayWindow) -> ColumnElement[bool]:
    """Stored payments that were created on the days of a window."""
    columns = whop_payments.c
    return and_(
        columns.profile_id == profile_id,
        columns.partition_day >= window.start,
        columns.partition_day < window.end,
    )


def ledger_of_payments(profile_id: str, window: DayWindow) -> Scope:
    """Rows of the payments of a window: by the partition they came from, as a refund has a day of its own; and rows of
    these payments that were known from the feed before.

    Args:
        profile_id: whose account.
        window: half-open UTC days of the payments' creation.
    """
    known = select(whop_payments.c.id).where(payments_in(profile_id, window))
    return lambda columns: or_(
        and_(columns.source >= partition_key(window.start, ""), columns.source < partition_key(window.end, "")),
        and_(columns.source == feed_source(profile_id), columns.external_id.in_(known)),
    )


def events_of_payments(
    connection: Connection, profile_id: str, where: ColumnElement[bool], moment: datetime
) -> list[LedgerEvent]:
    """Rows of the stored payments that ``where`` finds.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        where: condition on ``whop_payments``.
        moment: of the load.
    """
    feed = whop_financial_activity.c
    ids = select(whop_payments.c.id).where(where)
    lines = _by_owner(connection, and_(feed.profile_id == profile_id, feed.payment_id.in_(ids)))
    families = families_stored(connection, profile_id, lines)
    return [
        event
        for row in connection.execute(select(*_PAYMENTS).where(where))
        for event in whop_events(WhopPayment(*row), moment, lines.get(row.id, ()), families)
    ]


def rewrite_owners(connection: Connection, profile_id: str, owners: Iterable[str], moment: datetime) -> Change:
    """Make the rows of these owners, and of no others, equal to what is stored.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        owners: ids of payments, payouts, and of lines that belong to neither.
        moment: of the load.
    """
    change = Change()
    for named in _parts(owners):
        events = [event for _, rows in events_of_owners(connection, profile_id, named, moment) for event in rows]
        change += replace_events(
            connection,
            PLATFORM,
            profile_id,
            lambda columns, named=named: columns.external_id.in_(named),
            events,
            what=f"ledger of {number(len(named), 'payment')} and lines of {profile_id}",
            allow_shrink=True,
        )
    return change


def events_of_owners(
    connection: Connection, profile_id: str, owners: Sequence[str], moment: datetime
) -> Iterator[tuple[str, list[LedgerEvent]]]:
    """Each owner with its rows.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        owners: ids of payments, payouts, and of lines that belong to neither.
        moment: of the load.
    """
    paid = whop_payments.c
    known = {
        row.id: WhopPayment(*row)
        for row in connection.execute(select(*_PAYMENTS).where(paid.profile_id == profile_id, paid.id.in_(owners)))
    }
    sent = {payout.payout_id: payout for payout in _payouts(connection, profile_id, owners)}
    lines = lines_of(connection, profile_id, owners)
    families = families_stored(connection, profile_id, lines)
    for owner in owners:
        mine = lines.get(owner, [])
        if owner in known:
            yield owner, whop_events(known[owner], moment, mine, families)
        elif owner in sent:
            yield owner, payout_events(profile_id, sent[owner], moment, mine, families)
        else:
            yield owner, line_events(origin_of(profile_id, owner, mine, moment), mine, families)


def lines_of(connection: Connection, profile_id: str, owners: Sequence[str]) -> dict[str, list[Booked]]:
    """Stored lines by their owner.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        owners: at most :data:`OWNERS_AT_ONCE`.
    """
    feed = whop_financial_activity.c
    alone = and_(feed.payment_id.is_(None), or_(feed.resource_id.in_(owners), feed.id.in_(owners)))
    return _by_owner(connection, and_(feed.profile_id == profile_id, or_(feed.payment_id.in_(owners), alone)))


def families_stored(
    connection: Connection, profile_id: str, lines: Mapping[str, Sequence[Booked]]
) -> dict[str, Family]:
    """What Whop's reports say of words that this release doesn't know; nothing where the lines have none.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        lines: by owner.
    """
    if all(is_known(line.line_type) for mine in lines.values() for line in mine):
        return {}
    return stored_families(connection, profile_id)


def stored_families(connection: Connection, profile_id: str) -> dict[str, Family]:
    """What the stored reports of an account say of each word."""
    reports = whop_financial_reports.c
    told = connection.execute(select(reports.rows).where(reports.profile_id == profile_id).order_by(reports.currency))
    return families_of([orjson.loads(text) for text in told.scalars()])


def rebuild_rest(connection: Connection, profile_id: str, window: DayWindow, moment: datetime) -> Change:
    """Make the rows of a window that are known from the feed or a payout only equal to what is stored.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        window: half-open UTC days that the rows belong to.
        moment: of the load.
    """
    feed, sent = whop_financial_activity.c, payouts.c
    within = and_(feed.posted_on >= window.start, feed.posted_on < window.end)
    booked = connection.execute(select(*_LINES).where(feed.profile_id == profile_id, within))
    owners = {Booked(*row).owner for row in booked}
    owners |= set(
        connection.execute(
            select(sent.payout_id).where(sent.provider == PLATFORM, sent.profile_id == profile_id)
        ).scalars()
    )
    owners -= set(
        connection.execute(select(whop_payments.c.id).where(whop_payments.c.profile_id == profile_id)).scalars()
    )
    events = [
        event
        for named in _parts(owners)
        for _, rows in events_of_owners(connection, profile_id, named, moment)
        for event in rows
        if window.start <= event.occurred_on < window.end
    ]
    return replace_events(
        connection,
        PLATFORM,
        profile_id,
        lambda columns: and_(columns.source == feed_source(profile_id), own_days(window)(columns)),
        events,
        what=f"ledger of the feed {window.start} to {window.end} of {profile_id}",
        allow_shrink=True,
    )


def rebuild_payments(connection: Connection, profile_id: str, window: DayWindow, moment: datetime) -> Change:
    """Make the rows of the payments of a window equal to what is stored.

    Args:
        connection: of the transaction.
        profile_id: whose ledger.
        window: half-open UTC days of the payments' creation.
        moment: of the load.
    """
    events = events_of_payments(connection, profile_id, payments_in(profile_id, window), moment)
    return replace_events(
        connection,
        PLATFORM,
        profile_id,
        ledger_of_payments(profile_id, window),
        events,
        what=f"ledger of whop/payments {window.start} to {window.end} of {profile_id}",
        allow_shrink=True,
    )


def _parts(owners: Iterable[str]) -> Iterator[list[str]]:
    whole = sorted(set(owners))
    return (whole[start : start + OWNERS_AT_ONCE] for start in range(0, len(whole), OWNERS_AT_ONCE))


def _by_owner(connection: Connection, where: ColumnElement[bool]) -> dict[str, list[Booked]]:
    found: dict[str, list[Booked]] = {}
    for row in connection.execute(select(*_LINES).where(where)):
        line = Booked(*row)
        found.setdefault(line.owner, []).append(line)
    return found


def _payouts(connection: Connection, profile_id: str, owners: Sequence[str]) -> Iterator[WhopPayout]:
    columns = payouts.c
    found = connection.execute(
        select(
            columns.payout_id,
            columns.state,
            columns.created_at,
            columns.balance_currency,
            columns.currency,
            columns.raw,
        ).where(columns.provider == PLATFORM, columns.profile_id == profile_id, columns.payout_id.in_(owners))
    )
    for payout_id, state, created_at, balance, currency, raw in found:
        told = orjson.loads(raw)
        yield WhopPayout(payout_id, state, created_at, balance or currency, net_micros(told), own_fee(told))
