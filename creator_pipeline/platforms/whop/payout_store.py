"""Stored payouts: what each took from the balance and is made of, made anew of everything that is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, Connection, and_, select

from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.whop.ledger_lines import Booked, origin_of, row_of_line
from creator_pipeline.platforms.whop.ledger_store import (
    OWNERS_AT_ONCE,
    PLATFORM,
    events_of_owners,
    lines_of,
    stored_families,
)
from creator_pipeline.platforms.whop.money_models import StatementLine
from creator_pipeline.platforms.whop.payout_lines import REST, Own, Part, PayoutLine, Standing, own_lines
from creator_pipeline.platforms.whop.payout_lines import lines_of as made_of
from creator_pipeline.platforms.whop.payout_models import net_micros, own_fee_of
from creator_pipeline.store.load import Change, replace, upsert
from creator_pipeline.store.tables import payout_lines, payouts, whop_financial_activity, whop_payout_statements


def stored_payouts(connection: Connection, profile_id: str) -> dict[str, PayoutRow]:
    """The payouts of an account by id, oldest first."""
    columns = payouts.c
    found = connection.execute(
        select(payouts)
        .where(columns.provider == PLATFORM, columns.profile_id == profile_id)
        .order_by(columns.created_at, columns.payout_id)
    )
    return {row.payout_id: PayoutRow(*row) for row in found}


def derive(connection: Connection, profile_id: str, touched: Iterable[str], moment: datetime) -> Change:
    """Make balances and lines of these payouts, and of those after them, equal to what is stored.

    Args:
        connection: of the transaction.
        profile_id: whose payouts.
        touched: ids of payouts of which something changed; others that are not stored are left out.
        moment: of the load.
    """
    known = stored_payouts(connection, profile_id)
    names = set(touched) & known.keys()
    if not names:
        return Change()
    families = stored_families(connection, profile_id)
    owned = _owned(connection, profile_id, list(known))
    parts: list[Part] = []
    for id_, row in known.items():
        own = own_lines(owned.get(id_, ()), families)
        parts.append(Part(_settled(row, own), own, None))
    parts.sort(key=lambda part: (part.own.at or part.payout.created_at, part.payout.payout_id))
    change = Change()
    for currency in sorted({part.payout.balance_currency or "" for part in parts}):
        chain = [part for part in parts if (part.payout.balance_currency or "") == currency and _in_chain(part)]
        first = next((n for n, part in enumerate(chain) if part.payout.payout_id in names), None)
        if first is None:
            continue
        while first and chain[first - 1].payout.state == "released":
            first -= 1
        standing = _standing_after(connection, chain[first - 1].payout) if first else Standing()
        for part in chain[first:]:
            statement = statement_of(connection, part.payout)
            ids = _ledger_ids(connection, profile_id, part, statement or (), moment)
            whole = part._replace(statement=statement)
            known_whole = statement is not None and standing.opening is not None and bool(part.own.left)
            lines, standing = made_of(whole, standing, ids, families)
            row = part.payout._replace(estimated=not known_whole)
            change += _store_lines(connection, row, lines)
            known[row.payout_id] = row
    for part in parts:
        if not _in_chain(part):
            known[part.payout.payout_id] = part.payout
            change += _store_lines(connection, part.payout, [])
    upsert(connection, payouts, list(known.values()))
    return change


def _in_chain(part: Part) -> bool:
    """Whether its money has left the balance, as far as is known."""
    return bool(part.own.left) or part.payout.state == "paid"


def _settled(row: PayoutRow, own: Own) -> PayoutRow:
    """The payout with what it took from the balance: by its lines, else, of a completed one, as it says itself."""
    net, taken = net_micros(orjson.loads(row.raw)), None
    if own.left:
        taken = own.taken - own.fee_inside(net, own_fee_of(row))
    elif row.state == "paid":
        taken = net
    returned = row.released_on
    if row.state == "released" and returned is None and own.back:
        returned = max(line.posted_on for line in own.back)
    return row._replace(balance_micros=taken, released_on=returned)


def _standing_after(connection: Connection, payout: PayoutRow) -> Standing:
    if payout.estimated:
        return Standing(None)
    columns = payout_lines.c
    rest = connection.execute(
        select(columns.net_micros).where(_lines_where(payout), columns.type == REST)
    ).scalar_one_or_none()
    return Standing(-(rest or 0))


def _lines_where(payout: PayoutRow) -> ColumnElement[bool]:
    columns = payout_lines.c
    return and_(
        columns.provider == PLATFORM,
        columns.profile_id == payout.profile_id,
        columns.payout_id == payout.payout_id,
    )


def _store_lines(connection: Connection, payout: PayoutRow, lines: Sequence[PayoutLine]) -> Change:
    what = f"lines of payout {payout.payout_id} of {payout.profile_id}"
    return replace(connection, payout_lines, lines, _lines_where(payout), what=what, allow_shrink=True)


def statement_of(connection: Connection, payout: PayoutRow) -> list[StatementLine] | None:
    """The stored statement of a payout; None where it isn't read."""
    if payout.lines_read_at is None:
        return None
    columns = whop_payout_statements.c
    found = connection.execute(
        select(whop_payout_statements).where(
            columns.profile_id == payout.profile_id, columns.payout_id == payout.payout_id
        )
    )
    return [StatementLine(*row) for row in found]


def _ledger_ids(
    connection: Connection, profile_id: str, part: Part, statement: Sequence[StatementLine], moment: datetime
) -> dict[str, str]:
    """Row of the ledger by the id of the line that it holds; of a fee without a line, by the payout's id."""
    named = {line.line_id for line in statement} | {line.id for line in part.own.fees}
    owners = {line.payment_id or "" for line in statement} | {part.payout.payout_id, *named}
    # Lines of other payouts, which came back meanwhile, belong to those.
    owners |= {line.owner for line in _booked(connection, profile_id, named)}
    families = stored_families(connection, profile_id)
    found: dict[str, str] = {}
    whole = sorted(owners - {""})
    for start in range(0, len(whole), OWNERS_AT_ONCE):
        some = whole[start : start + OWNERS_AT_ONCE]
        lines = lines_of(connection, profile_id, some)
        for owner, events in events_of_owners(connection, profile_id, some, moment):
            mine = lines.get(owner, [])
            origin = origin_of(profile_id, owner, mine, moment)
            for line in mine:
                row = row_of_line(line, origin, events, families)
                if row and line.id in named:
                    found[line.id] = row
            if owner == part.payout.payout_id:
                for event in events:
                    if event.id.endswith(f":{owner}:payout_fee"):
                        found[owner] = event.id
    return found


def _booked(connection: Connection, profile_id: str, ids: Iterable[str]) -> list[Booked]:
    feed, whole = whop_financial_activity.c, sorted(ids)
    return [
        Booked(*row)
        for start in range(0, len(whole), OWNERS_AT_ONCE)
        for row in connection.execute(
            select(*(feed[name] for name in Booked._fields)).where(
                feed.profile_id == profile_id, feed.id.in_(whole[start : start + OWNERS_AT_ONCE])
            )
        )
    ]


def _owned(connection: Connection, profile_id: str, ids: Sequence[str]) -> dict[str, list[Booked]]:
    found: dict[str, list[Booked]] = {}
    for start in range(0, len(ids), OWNERS_AT_ONCE):
        found |= lines_of(connection, profile_id, ids[start : start + OWNERS_AT_ONCE])
    return found
