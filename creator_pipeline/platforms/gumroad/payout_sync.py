"""From Gumroad's payouts to the tables and the ledger: which are read, and what a reading may change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, and_

from creator_pipeline.core.errors import DataError, RejectedError
from creator_pipeline.core.windows import now
from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.books import NotReadable
from creator_pipeline.platforms.gumroad import payout_catalog, payout_settled, payouts, unreadable
from creator_pipeline.platforms.gumroad.answers import Json, NoScopeError, NotFoundError
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.ledger_store import PLATFORM, rewrite_sales
from creator_pipeline.platforms.gumroad.odd_payouts import LISTED, PLANNED, READ, OddPayouts, is_kept, keep
from creator_pipeline.platforms.gumroad.payout_heads import (
    completed_when_read,
    loses_lines,
    new_row,
    stage,
    stored_lines,
    stored_rows,
    with_difference,
    with_head,
    with_lines,
)
from creator_pipeline.platforms.gumroad.payout_store import line_row, rewrite_payouts, sales_of
from creator_pipeline.platforms.gumroad.payouts import Head, Reading
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace, upsert
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import payout_lines, platform_balances
from creator_pipeline.store.tables import payouts as table


@dataclass
class PayoutsRead:
    """What a reading did.

    Attributes:
        listed: payouts that the list showed.
        read: payouts whose lines were read.
        stored: payouts of the profile, as they stand now.
        ledger: what became of the ledger.
        odd: payouts that couldn't be used.
        new_keys, new_statuses, new_types: names that this release doesn't know.
        not_readable: None where payouts can be read.
    """

    listed: int = 0
    read: int = 0
    stored: Sequence[PayoutRow] = ()
    ledger: Change = field(default_factory=Change)
    odd: OddPayouts = field(default_factory=OddPayouts)
    new_keys: set[str] = field(default_factory=set[str])
    new_statuses: set[str] = field(default_factory=set[str])
    new_types: set[str] = field(default_factory=set[str])
    not_readable: NotReadable | None = None


def load_payouts(
    warehouse: Warehouse, client: GumroadClient, profile_id: str, *, since: date | None = None
) -> PayoutsRead:
    """Read what can have changed: the newest page of the list, each payout that isn't final, and the planned ones.

    The first time all pages and all payouts. Each payout is a transaction over its lines and the ledger.

    Args:
        warehouse: where the tables are.
        client: of the profile's account.
        profile_id: whose payouts.
        since: read all payouts made on this day or later again.

    Raises:
        AuthError: the token is gone.
        TransientError: Gumroad can't answer now; what was read stays.
    """
    found = PayoutsRead()
    try:
        heads = _listed(warehouse, client, profile_id, since, found)
    except (NoScopeError, NotFoundError) as error:
        found.not_readable = (
            unreadable.refusal(profile_id, "payouts", error)
            if isinstance(error, NoScopeError)
            else NotReadable("payouts", unreadable.OLD_SERVER, unreadable.GOES_ON)
        )
        with warehouse.write() as connection:
            lock_profile(connection, profile_id)
            unreadable.remember(connection, profile_id, "payouts", found.not_readable, now())
            found.stored = list(stored_rows(connection, profile_id).values())
        return found
    rows, moment = _store_heads(warehouse, profile_id, heads, found), now()
    again = {head.payout_id for head in heads} if since else set[str]()
    # What a later payout was made after has settled, whatever our clock says.
    latest = max([moment, *(row.created_at for row in rows.values())])
    wanted = _wanted(rows.values(), again, latest)
    found.odd.read |= {(READ, row.payout_id) for row in rows.values() if stage(row, latest) == "final"}
    no_lines = False
    for row in sorted(wanted, key=lambda one: (one.created_at, one.payout_id)):
        reading = _reading(client, row.payout_id, found)
        if reading is None:
            continue
        found.read += 1
        if reading.lines is None:
            # The others would cost a request each and tell no more.
            no_lines = True
            break
        _store_reading(warehouse, profile_id, reading, found)
    with warehouse.read() as connection:
        left = payout_settled.is_left(connection, profile_id)
    if left:
        # What a later payout lists can be what an early one's adjustment was thought to be made of.
        with warehouse.write() as connection:
            lock_profile(connection, profile_id)
            found.ledger += rewrite_payouts(connection, profile_id, now())
            payout_settled.end(connection, profile_id, now())
    _store_rest(warehouse, client, profile_id, found, no_lines=no_lines if found.read else None)
    return found


def _wanted(rows: Iterable[PayoutRow], again: AbstractSet[str], moment: datetime) -> list[PayoutRow]:
    """Payouts to read: those that are open, and one a night of those that settle."""
    stages = {row: stage(row, moment) for row in rows}
    settling = [row for row, stage in stages.items() if stage == "settling" and row.payout_id not in again]
    settling.sort(key=lambda row: row.payout_id)
    turn = settling[moment.date().toordinal() % len(settling)] if settling else None
    return [row for row, stage in stages.items() if row.payout_id in again or stage == "open" or row == turn]


def _listed(
    warehouse: Warehouse, client: GumroadClient, profile_id: str, since: date | None, found: PayoutsRead
) -> list[Head]:
    """Heads of the list, down to the first page that shows one that is known."""
    with warehouse.read() as connection:
        known = stored_rows(connection, profile_id).keys()
        # What couldn't be used may be on any page.
        whole = not known or is_kept(connection, profile_id)
    heads: list[Head] = []
    since = since if known else None
    for page in client.payouts.pages(since):
        made = [head for item in page.payouts if (head := _head(item, found)) is not None]
        heads += made
        found.listed += len(page.payouts)
        if since is None and not whole and any(head.payout_id in known for head in made):
            return heads
    if since is None:
        found.odd.whole.add(LISTED)
    return heads


def _head(item: Json, found: PayoutsRead) -> Head | None:
    found.new_keys |= item.keys() - payout_catalog.PAYOUT_KEYS
    planned = str(item.get("status")).lower() in payout_catalog.UPCOMING_STATUSES
    if item.get("id") is None and planned:
        return None
    try:
        head = payouts.head(item)
    except DataError as error:
        found.odd.add(LISTED, item, error)
        return None
    found.odd.read.add((LISTED, head.payout_id))
    if head.status.lower() not in payout_catalog.PAYOUT_STATES:
        found.new_statuses.add(head.status)
    return head


def _store_heads(
    warehouse: Warehouse, profile_id: str, heads: Sequence[Head], found: PayoutsRead
) -> dict[str, PayoutRow]:
    """Store what the list says: new payouts without their lines, and states that changed."""
    moment = now()
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        rows = stored_rows(connection, profile_id)
        moved: set[str] = set()
        for head in heads:
            before = rows.get(head.payout_id)
            if before is None:
                rows[head.payout_id] = new_row(profile_id, head, moment)
                continue
            after = with_head(before, head, moment)
            if after.state != before.state:
                moved.add(head.payout_id)
            rows[head.payout_id] = after
        upsert(connection, table, [rows[head.payout_id] for head in heads])
        if moved:
            payout_settled.begin(connection, profile_id)
            found.ledger += _rewrite_sales_of(connection, profile_id, moved, moment)
    return rows


def _reading(client: GumroadClient, payout_id: str, found: PayoutsRead) -> Reading | None:
    try:
        item = client.payouts.payout(payout_id)
        if item is None:
            found.odd.add(READ, {"id": payout_id}, DataError("been listed, and isn't found by its id"))
            return None
        made = payouts.reading(item)
    except (DataError, RejectedError) as error:
        if isinstance(error, NoScopeError):
            raise
        found.odd.add(READ, {"id": payout_id}, error)
        return None
    found.odd.read.add((READ, payout_id))
    found.new_keys |= made.new_keys
    found.new_types |= {line.type for line in made.lines or () if not payouts.is_known(line.type)}
    return made


def _store_reading(warehouse: Warehouse, profile_id: str, reading: Reading, found: PayoutsRead) -> None:
    """Store what a payout tells, if it counts; the rows of all payouts are made anew once all are read.

    Args:
        warehouse: where the tables are.
        profile_id: whose payout.
        reading: of the payout by its id.
        found: is added to.
    """
    moment, payout_id = now(), reading.head.payout_id
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        before = stored_rows(connection, profile_id).get(payout_id) or new_row(profile_id, reading.head, moment)
        lines = stored_lines(connection, before) if before.lines_read_at else None
        counts = lines is None or not (completed_when_read(before) or loses_lines(lines, reading))
        after = with_lines(before, reading, moment) if counts else with_difference(before, lines or [], reading, moment)
        new = lines is None or (counts and payouts.difference(lines, reading.lines or ()) is not None)
        upsert(connection, table, [after._replace(lines_read_at=moment) if new else after])
        if new:
            _replace_lines(connection, profile_id, reading)
        elif after.state == before.state:
            return
        payout_settled.begin(connection, profile_id)
        found.ledger += _rewrite_sales_of(connection, profile_id, {payout_id}, moment)


def _replace_lines(connection: Connection, profile_id: str, reading: Reading) -> None:
    columns, payout_id = payout_lines.c, reading.head.payout_id
    mine = and_(columns.provider == PLATFORM, columns.profile_id == profile_id, columns.payout_id == payout_id)
    told = [line for line in reading.lines or () if line.sale_id is not None]
    rows = [line_row(profile_id, payout_id, number, line) for number, line in enumerate(told, 1)]
    replace(connection, payout_lines, rows, mine, what=f"lines of payout {payout_id}", allow_shrink=True)


def _rewrite_sales_of(connection: Connection, profile_id: str, payout_ids: set[str], moment: datetime) -> Change:
    return rewrite_sales(connection, profile_id, sales_of(connection, profile_id, payout_ids), moment)[0]


def _store_rest(
    warehouse: Warehouse, client: GumroadClient, profile_id: str, found: PayoutsRead, *, no_lines: bool | None
) -> None:
    """The planned payouts, and which parts can be read."""
    upcoming, moment = client.payouts.upcoming(), now()
    balances: dict[tuple[str, str], int] = {}
    if upcoming is not None:
        found.odd.whole.add(PLANNED)
        # What is planned is told in dollars, whatever the payout's currency; nothing planned is told as nothing.
        balances = {} if upcoming else {("USD", "upcoming"): 0}
    for item in upcoming or ():
        try:
            currency, amount, unsold = payouts.planned(item)
        except DataError as error:
            found.odd.add(PLANNED, item, error)
            continue
        for part, micros in (("upcoming", amount), ("upcoming_credits", unsold)):
            if micros or part == "upcoming":
                balances[currency, part] = balances.get((currency, part), 0) + micros
    columns = platform_balances.c
    parts = columns.part.in_(("upcoming", "upcoming_credits"))
    mine = and_(columns.provider == PLATFORM, columns.profile_id == profile_id, parts)
    rows = [(PLATFORM, profile_id, *key, micros, moment) for key, micros in balances.items()]
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        replace(connection, platform_balances, rows, mine, what=f"planned payouts of {profile_id}", allow_shrink=True)
        unreadable.remember(connection, profile_id, "payouts", None, moment)
        keep(connection, profile_id, found.odd, moment)
        if no_lines is not None:
            told = NotReadable("transactions", unreadable.NO_LINES, unreadable.GOES_ON) if no_lines else None
            unreadable.remember(connection, profile_id, "transactions", told, moment)
        found.stored = sorted(stored_rows(connection, profile_id).values(), key=lambda row: row.created_at)
