"""The money feed, balances and reports from the API to the tables. Running anything again is safe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from creator_pipeline.core.money import MICROS
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.whop import money_catalog as catalog
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.ledger_store import OWNERS_AT_ONCE, PLATFORM, lock_ledger, rewrite_owners
from creator_pipeline.platforms.whop.line_types import is_known
from creator_pipeline.platforms.whop.money_fetch import OVERLAP, Before, Money, midnight, read_money
from creator_pipeline.platforms.whop.money_models import Line
from creator_pipeline.platforms.whop.money_reads import Reads, account_known, store_reads
from creator_pipeline.platforms.whop.movements import store_movements
from creator_pipeline.platforms.whop.odd import earliest, keep_odd
from creator_pipeline.platforms.whop.payout_store import derive
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace, upsert
from creator_pipeline.store.tables import (
    platform_balances,
    whop_financial_activity,
    whop_financial_reports,
    whop_payout_statements,
)

PARTS = ("financial_activity", "ledger_accounts", "financial_reports")
_FEED = whop_financial_activity.c


class _Said(NamedTuple):
    """What may not change of a line that is booked."""

    line_type: str
    posted_at: datetime
    amount_exact: str
    currency: str


@dataclass
class LoadedMoney:
    """Lines of the feed, balances and reports, committed.

    Attributes:
        money: what was read.
        refused: why a part can't be read, by part.
        gone: stored lines that Whop no longer has; they stay.
        altered: lines that say another amount, time or word than when they were read before.
        unknown: number and sum of the stored lines whose word this code doesn't know, by word and currency.
    """

    money: Money = field(default_factory=Money)
    change: Change = field(default_factory=Change)
    ledger_change: Change = field(default_factory=Change)
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    gone: Sequence[str] = ()
    altered: Sequence[str] = ()
    unknown: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    stored: int = 0

    @property
    def residue(self) -> dict[str, Decimal]:
        """By currency, what rounding each of the lines that were read to micros left out."""
        left: dict[str, Decimal] = defaultdict(Decimal)
        for line in self.money.lines.values():
            left[line.currency] += Decimal(line.amount_exact) - Decimal(line.amount_micros) / MICROS
        return {currency: amount for currency, amount in sorted(left.items()) if amount}


def load_money(
    warehouse: Warehouse, client: WhopClient, profile_id: str, account_id: str | None, since: date | None = None
) -> LoadedMoney:
    """Read the lines that are new, the balance and the reports, and make the ledger of what the lines are of.

    The lines of one run are stored together at its end: the order of the feed isn't stated, and a part of it would
    hide what is older than its newest line.

    Args:
        warehouse: where the tables are.
        client: of the account.
        profile_id: whose money.
        account_id: ``biz_…``; None where it isn't known.
        since: read all lines posted since then again.
    """
    reads, moment, found = Reads(), now(), Money()
    account = account_known(reads, client, account_id, *PARTS)
    with warehouse.read() as connection:
        before = _before(connection, profile_id, since)
    if account is not None:
        found = read_money(reads, client, account, profile_id, before, moment)
    without_id = client.take_listed()
    with warehouse.write() as connection:
        lock_ledger(connection, profile_id)
        stored = _stored(connection, profile_id, before.bound)
        change = upsert(connection, whop_financial_activity, list(found.lines.values()))
        _store_rest(connection, profile_id, found, moment)
        store_reads(connection, profile_id, reads, PARTS, moment)
        read = [("financial_activity", id_) for id_ in found.lines]
        keep_odd(connection, profile_id, found.odd, read, moment, without_id)
        altered = [id_ for id_, line in found.lines.items() if id_ in stored and _said(line) != stored[id_]]
        fresh = [line for id_, line in found.lines.items() if id_ not in stored or id_ in altered]
        owners = {line.owner for line in fresh} | _owners_of_unknown(connection, profile_id)
        ledger_change = rewrite_owners(connection, profile_id, owners, moment)
        touched = {id_ for id_ in owners if id_.startswith(catalog.PAYOUT_PREFIX)}
        derive(connection, profile_id, touched | _payouts_with(connection, profile_id, fresh), moment)
        store_movements(connection, profile_id)
        unknown = _unknown(connection, profile_id)
        count = connection.execute(select(func.count()).where(_FEED.profile_id == profile_id)).scalar_one()
    odd = {one.object_id for one in found.odd}
    found.odd += without_id.odd
    gone = sorted(stored.keys() - found.lines.keys() - odd) if "financial_activity" in reads.read else []
    return LoadedMoney(found, change, ledger_change, reads.refused, gone, altered, unknown, count)


def _before(connection: Connection, profile_id: str, since: date | None) -> Before:
    mine = _FEED.profile_id == profile_id
    first, newest = connection.execute(select(func.min(_FEED.posted_at), func.max(_FEED.posted_at)).where(mine)).one()
    if newest is None:
        return Before(None, None, {})
    # What can't be read stays in reach, or it would never count.
    bound = min([newest - OVERLAP, *earliest(connection, profile_id, "financial_activity")])
    if since is not None:
        bound = min(bound, midnight(since) - timedelta(milliseconds=1))
    sums = connection.execute(
        select(_FEED.currency, func.sum(_FEED.amount_micros))
        .where(mine, _FEED.posted_at <= bound)
        .group_by(_FEED.currency)
    )
    every = connection.execute(select(_FEED.currency).where(mine).distinct()).scalars()
    return Before(bound, first, {**dict.fromkeys(every, 0), **{currency: int(micros) for currency, micros in sums}})


def _stored(connection: Connection, profile_id: str, bound: datetime | None) -> dict[str, _Said]:
    where = [_FEED.profile_id == profile_id, *([_FEED.posted_at > bound] if bound else [])]
    columns = (_FEED[name] for name in ("id", *_Said._fields))
    return {id_: _Said(*said) for id_, *said in connection.execute(select(*columns).where(*where))}


def _said(line: Line) -> _Said:
    return _Said(line.line_type, line.posted_at, line.amount_exact, line.currency)


def _store_rest(connection: Connection, profile_id: str, found: Money, moment: datetime) -> None:
    """Store balances and reports; what can't be read now stays as it was last seen."""
    if found.balances is not None:
        columns = platform_balances.c
        rows = [(PLATFORM, profile_id, part.currency, part.part, part.micros, moment) for part in found.balances]
        scope = and_(columns.provider == PLATFORM, columns.profile_id == profile_id)
        replace(connection, platform_balances, rows, scope, what=f"balances of {profile_id}", allow_shrink=True)
    upsert(connection, whop_financial_reports, found.reports)


def _owners_of_unknown(connection: Connection, profile_id: str) -> set[str]:
    """Owners of lines whose word only a report of Whop can tell, which may just have come."""
    mine = _FEED.profile_id == profile_id
    every = connection.execute(select(_FEED.line_type).where(mine).distinct()).scalars()
    words = [word for word in every if not is_known(word)]
    if not words:
        return set()
    found = connection.execute(select(whop_financial_activity).where(mine, _FEED.line_type.in_(words)))
    return {Line(*row).owner for row in found}


def _unknown(connection: Connection, profile_id: str) -> dict[str, tuple[int, int]]:
    found = connection.execute(
        select(_FEED.line_type, _FEED.currency, func.count(), func.sum(_FEED.amount_micros))
        .where(_FEED.profile_id == profile_id)
        .group_by(_FEED.line_type, _FEED.currency)
    )
    return {f"{word} {currency}": (count, int(micros)) for word, currency, count, micros in found if not is_known(word)}


def _payouts_with(connection: Connection, profile_id: str, lines: Iterable[Line]) -> set[str]:
    """Payouts whose statements have one of these lines."""
    columns, ids = whop_payout_statements.c, sorted(line.id for line in lines)
    return {
        payout_id
        for start in range(0, len(ids), OWNERS_AT_ONCE)
        for payout_id in connection.execute(
            select(columns.payout_id)
            .where(columns.profile_id == profile_id, columns.line_id.in_(ids[start : start + OWNERS_AT_ONCE]))
            .distinct()
        ).scalars()
    }
