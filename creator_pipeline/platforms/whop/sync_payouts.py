"""Payouts and their statements from the API to the tables. Running anything again is safe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, and_, select

from creator_pipeline.core.json_fields import Json, unknown_keys
from creator_pipeline.core.windows import now
from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.whop import money_catalog as catalog
from creator_pipeline.platforms.whop import money_client
from creator_pipeline.platforms.whop.answers import NoIdError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.ledger_store import lock_ledger, rewrite_owners
from creator_pipeline.platforms.whop.money_fetch import midnight
from creator_pipeline.platforms.whop.money_models import StatementLine, statement_row
from creator_pipeline.platforms.whop.money_reads import Reads, account_known, store_reads
from creator_pipeline.platforms.whop.odd import earliest, good, keep_odd, unreadable
from creator_pipeline.platforms.whop.payout_models import difference, payout_row
from creator_pipeline.platforms.whop.payout_store import derive, statement_of, stored_payouts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace, upsert
from creator_pipeline.store.tables import payouts, whop_financial_activity, whop_payout_statements
from creator_pipeline.store.unreadable import Unreadable

BACK = timedelta(days=60)
"""Read again before the newest payout: one can come back weeks after it was completed."""


@dataclass
class LoadedPayouts:
    """Payouts and their lines, committed.

    Attributes:
        payouts: all of the account, as they stand now.
        refused: why a part can't be read, by part.
        odd: payouts and lines that can't be read.
        statements: number of statements that were read.
        new_keys: keys of payouts that this code doesn't know.
    """

    payouts: Sequence[PayoutRow] = ()
    change: Change = field(default_factory=Change)
    lines_change: Change = field(default_factory=Change)
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    odd: Sequence[Unreadable] = ()
    statements: int = 0
    new_keys: frozenset[str] = frozenset()


def load_payouts(
    warehouse: Warehouse, client: WhopClient, profile_id: str, account_id: str | None, since: date | None = None
) -> LoadedPayouts:
    """Read the payouts that are new or may have changed, and the statements that aren't read yet.

    Args:
        warehouse: where the tables are.
        client: of the account.
        profile_id: whose payouts.
        account_id: ``biz_…``; None where it isn't known.
        since: read all payouts made since then again, with their statements.
    """
    reads, moment = Reads(), now()
    account = account_known(reads, client, account_id, "payouts")
    with warehouse.read() as connection:
        stored = stored_payouts(connection, profile_id)
        moved = _moved(connection, profile_id)
        bound = midnight(since) if since else _bound(stored.values(), earliest(connection, profile_id, "payouts"))
    odd: list[Unreadable] = []
    listed = reads.of("payouts", lambda: _read(client, account, stored, moved, bound, odd)) if account else None
    heads = good("payouts", listed or [], lambda each: payout_row(profile_id, each, moment), odd)
    read = {row.payout_id: row for row in heads}
    known = {**stored, **{id_: merged(stored.get(id_), row) for id_, row in read.items()}}
    statements: dict[str, list[StatementLine]] = {}
    for payout_id in _without_statement(known, moved, since) if account else ():
        odd_before = len(odd) + len(client.listed.odd)
        lines = reads.of(
            "financial_activity",
            lambda id_=payout_id: list(money_client.activity(client, account or "", payout_id=id_)),
        )
        if lines is None:
            break
        made = list(
            good("financial_activity", lines, lambda each, id_=payout_id: statement_row(profile_id, id_, each), odd)
        )
        # Without one of its lines a statement isn't that of its payout: it is read again next time.
        if len(odd) + len(client.listed.odd) == odd_before:
            statements[payout_id] = made
    new_keys = unknown_keys(listed or [], catalog.PAYOUT_KEYS)
    without_id = client.take_listed()
    with warehouse.write() as connection:
        lock_ledger(connection, profile_id)
        before = stored_payouts(connection, profile_id)
        rows = {**before, **{id_: merged(before.get(id_), row) for id_, row in read.items()}}
        rows = _with_statements(connection, profile_id, rows, statements, moment)
        touched = {id_ for id_, row in rows.items() if row != before.get(id_)} | statements.keys()
        change = upsert(connection, payouts, [rows[id_] for id_ in sorted(touched)])
        rewrite_owners(connection, profile_id, touched, moment)
        lines_change = derive(connection, profile_id, touched, moment)
        # What a statement's permission says is said by the feed's own reading.
        store_reads(connection, profile_id, reads, ["payouts"], moment)
        whole = [("payouts", id_) for id_ in read]
        whole += [("financial_activity", line.line_id) for lines in statements.values() for line in lines]
        keep_odd(connection, profile_id, odd, whole, moment, without_id)
        after = stored_payouts(connection, profile_id)
    return LoadedPayouts(
        list(after.values()), change, lines_change, reads.refused, [*odd, *without_id.odd], len(statements), new_keys
    )


def merged(stored: PayoutRow | None, read: PayoutRow) -> PayoutRow:
    """What is kept of a payout that was read again.

    Amounts of a completed one stand, and a reading that differs is a finding; its status follows.

    Args:
        stored: as it was; None where it is new.
        read: as it was read now.
    """
    if stored is None:
        return read
    kept = read._replace(
        balance_micros=stored.balance_micros,
        estimated=stored.estimated,
        lines_read_at=stored.lines_read_at,
        released_on=read.released_on or stored.released_on,
        first_seen_at=stored.first_seen_at,
        differs=stored.differs,
    )
    if stored.state == "paid":
        names = ("amount_micros", "currency", "balance_currency", "rate", "created_at")
        kept = kept._replace(
            differs="; ".join(filter(None, [difference(stored, read), *_of_lines(stored.differs)])) or None,
            **{name: getattr(stored, name) for name in names},
            raw=stored.raw if difference(stored, read) else read.raw,
        )
    return kept if kept._replace(ingested_at=stored.ingested_at) != stored else stored


def _moved(connection: Connection, profile_id: str) -> dict[str, bool]:
    """Payouts that the feed names, and whether it says that they came back."""
    feed = whop_financial_activity.c
    found = connection.execute(
        select(feed.resource_id, feed.line_type, feed.amount_micros).where(
            feed.profile_id == profile_id,
            feed.payment_id.is_(None),
            feed.resource_id.like(f"{catalog.PAYOUT_PREFIX}%"),
        )
    )
    moved: dict[str, bool] = {}
    for payout_id, _, micros in found:
        moved[payout_id] = moved.get(payout_id, False) or micros > 0
    return moved


def _read(
    client: WhopClient,
    account_id: str,
    stored: Mapping[str, PayoutRow],
    moved: Mapping[str, bool],
    bound: datetime | None,
    odd: list[Unreadable],
) -> list[Json]:
    """Payouts made since the oldest that isn't final, and those of which the feed says something new."""
    listed = list(client.payouts(account_id, created_after=bound))
    seen = {str(each["id"]) for each in listed}
    wanted = [
        id_
        for id_, back in sorted(moved.items())
        if id_ not in seen and (id_ not in stored or (back and stored[id_].state != "released"))
    ]
    for id_ in wanted:
        try:
            found = client.payout(id_)
        except NoIdError as error:
            odd.append(unreadable("payouts", {"id": id_}, error))
            continue
        if found is not None:
            listed.append(found)
    return listed


def _bound(stored: Iterable[PayoutRow], odd: Iterable[datetime]) -> datetime | None:
    rows = list(stored)
    if not rows:
        return None
    waiting = [row.created_at for row in rows if row.state == "on_the_way"]
    return min([max(row.created_at for row in rows) - BACK, *waiting, *odd])


def _without_statement(known: Mapping[str, PayoutRow], moved: Mapping[str, bool], since: date | None) -> list[str]:
    return [
        id_
        for id_, row in sorted(known.items(), key=lambda pair: pair[1].created_at)
        if (row.state == "paid" or id_ in moved)
        and (row.lines_read_at is None or (since is not None and row.created_at.date() >= since))
    ]


def _with_statements(
    connection: Connection,
    profile_id: str,
    rows: dict[str, PayoutRow],
    statements: Mapping[str, Sequence[StatementLine]],
    moment: datetime,
) -> dict[str, PayoutRow]:
    """Store statements; one that was read before stands, and a reading that differs is a finding."""
    made = dict(rows)
    for id_, lines in statements.items():
        row = made[id_]
        before = statement_of(connection, row)
        if before is None:
            where = and_(whop_payout_statements.c.profile_id == profile_id, whop_payout_statements.c.payout_id == id_)
            replace(connection, whop_payout_statements, lines, where, what=f"statement of {id_}", allow_shrink=True)
            made[id_] = row._replace(lines_read_at=moment)
        elif set(before) == set(lines):
            others = [said for said in (row.differs or "").split("; ") if said not in _of_lines(row.differs)]
            made[id_] = row._replace(differs="; ".join(filter(None, others)) or None)
        else:
            amounts = sum(line.amount_micros for line in before), sum(line.amount_micros for line in lines)
            said = f"lines: {len(before)} of {amounts[0]} micros were read, now {len(lines)} of {amounts[1]}"
            others = [each for each in (row.differs or "").split("; ") if each not in _of_lines(row.differs)]
            made[id_] = row._replace(differs="; ".join(filter(None, [*others, said])))
    return made


def _of_lines(differs: str | None) -> list[str]:
    return [said for said in (differs or "").split("; ") if said.startswith("lines: ")]
