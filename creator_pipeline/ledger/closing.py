"""Closed months: their rows of the ledger stand, and what comes later for them is booked on the day it became known."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from creator_pipeline.core.windows import now
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.store.tables import closed_ledger, closed_months, ledger_first_seen, sales_events
from creator_pipeline.store.upserts import insert_into

Scope = Callable[[Any], ColumnElement[bool]]
"""(columns of the ledger or of its closed rows) to which of them."""

_LATER = re.compile(r":later\d+$")
_AMOUNTS = ("quantity", "gross_micros", "fee_micros", "net_micros")


def month_of(day: date) -> str:
    """``2026-11``."""
    return f"{day:%Y-%m}"


def closed(connection: Connection, profile_id: str) -> frozenset[str]:
    """The months of a profile that are closed now, as ``2026-11``."""
    months = closed_months.c
    rows = connection.execute(select(months.month).where(months.profile_id == profile_id, months.reopened_at.is_(None)))
    return frozenset(rows.scalars())


def first_seen(
    connection: Connection,
    platform: str,
    profile_id: str,
    seen: Mapping[str, int | None],
    moment: datetime,
) -> dict[str, datetime]:
    """When each of these rows of the ledger was first seen; what wasn't seen before is seen now.

    Args:
        connection: of the transaction.
        platform: as the ledger calls it.
        profile_id: whose rows.
        seen: id of the row to what had gone back by then, in micros, or None.
        moment: of the reading.
    """
    known = dict(
        connection.execute(
            select(ledger_first_seen.c.id, ledger_first_seen.c.first_seen_at).where(
                ledger_first_seen.c.profile_id == profile_id,
                ledger_first_seen.c.platform == platform,
                ledger_first_seen.c.id.in_(list(seen)),
            )
        ).all()
    )
    note_first_seen(connection, platform, profile_id, {id_: seen[id_] for id_ in seen if id_ not in known}, moment)
    return {id_: known.get(id_, moment) for id_ in seen}


def note_first_seen(
    connection: Connection, platform: str, profile_id: str, new: Mapping[str, int | None], moment: datetime
) -> None:
    """Remember rows of the ledger that were never seen before.

    Args:
        connection: of the transaction.
        platform: as the ledger calls it.
        profile_id: whose rows.
        new: id of the row to what had gone back by then, in micros, or None.
        moment: of the reading.
    """
    rows = [
        {"id": id_, "profile_id": profile_id, "platform": platform, "gross_micros": micros, "first_seen_at": moment}
        for id_, micros in sorted(new.items())
    ]
    if rows:
        connection.execute(insert_into(connection, ledger_first_seen).on_conflict_do_nothing(), rows)


def with_closed_months(
    connection: Connection,
    platform: str,
    profile_id: str,
    scope: Scope,
    events: Sequence[LedgerEvent],
) -> Sequence[LedgerEvent]:
    """What the ledger is to hold so that closed months stand.

    A row of a closed month stays as it was. Where it should be another now, the difference is a row of its own
    (``ID:later1``), and so is what the month lacks; both are booked on the day on which they were first seen, and
    ``belongs_to`` names the day they belong to.

    Args:
        connection: of the transaction.
        platform: as the ledger calls it.
        profile_id: whose rows.
        scope: which rows; by the day they belong to, their sale or their source.
        events: what they would be if no month were closed.
    """
    months = closed(connection, profile_id)
    if not months:
        return events
    columns = closed_ledger.c
    rows = connection.execute(
        select(closed_ledger).where(columns.platform == platform, columns.profile_id == profile_id, scope(columns))
    )
    frozen: dict[str, list[LedgerEvent]] = defaultdict(list)
    for row in rows:
        event = LedgerEvent(*row)
        frozen[_LATER.sub("", event.id)].append(event)
    standing = [event for stored in frozen.values() for event in stored]
    wanted: list[LedgerEvent] = []
    late: list[LedgerEvent] = []
    for event in events:
        stored = frozen.pop(event.id, None)
        if stored is not None:
            late += _difference(event, stored)
        elif month_of(event.occurred_on) in months:
            late.append(event)
        else:
            wanted.append(event)
    for id_, stored in frozen.items():
        nothing = stored[0]._replace(id=id_, belongs_to=None, **dict.fromkeys(_AMOUNTS, 0))
        late += _difference(nothing._replace(occurred_on=stored[0].own_day), stored)
    return [*standing, *wanted, *_booked(connection, platform, profile_id, late)]


def _difference(event: LedgerEvent, stored: Sequence[LedgerEvent]) -> list[LedgerEvent]:
    late: list[LedgerEvent] = []
    # Money that is known only now to be in no balance is taken out of it by two rows that add up to nothing.
    for past in (False, True):
        amounts = {
            name: (getattr(event, name) if event.past_balance == past else 0)
            - sum(getattr(row, name) for row in stored if row.past_balance == past)
            for name in _AMOUNTS
        }
        if any(amounts.values()):
            id_ = f"{event.id}:later{len(stored) + len(late)}"
            late.append(event._replace(id=id_, past_balance=past, **amounts))
    return late


def _booked(connection: Connection, platform: str, profile_id: str, late: Iterable[LedgerEvent]) -> list[LedgerEvent]:
    rows = list(late)
    if not rows:
        return []
    known = first_seen(connection, platform, profile_id, {row.id: None for row in rows}, now())
    return [
        row._replace(occurred_at=known[row.id], occurred_on=known[row.id].date(), belongs_to=row.occurred_on)
        for row in rows
    ]


def close(connection: Connection, profile_id: str, month: str, statement: str, moment: datetime) -> int:
    """Close a month of a profile: its rows of the ledger stand from now on.

    Args:
        connection: of the transaction.
        profile_id: whose month.
        month: ``2026-11``.
        statement: JSON of its figures.
        moment: of the closing.

    Returns:
        number of rows that stand.
    """
    mine = and_(sales_events.c.profile_id == profile_id, *_within(sales_events.c.occurred_on, month))
    connection.execute(
        insert(closed_months).values(profile_id=profile_id, month=month, closed_at=moment, statement=statement)
    )
    return connection.execute(
        insert(closed_ledger).from_select(closed_ledger.c.keys(), select(sales_events).where(mine))
    ).rowcount


def reopen(connection: Connection, profile_id: str, month: str, moment: datetime) -> int:
    """Open a closed month again. The ledger is to be made anew afterwards: late rows go back to their days.

    Args:
        connection: of the transaction.
        profile_id: whose month.
        month: ``2026-11``.
        moment: of the opening.

    Returns:
        number of rows that stood.
    """
    months = closed_months.c
    connection.execute(
        closed_months.update()
        .where(months.profile_id == profile_id, months.month == month, months.reopened_at.is_(None))
        .values(reopened_at=moment)
    )
    rows = closed_ledger.c
    return connection.execute(
        delete(closed_ledger).where(rows.profile_id == profile_id, *_within(rows.occurred_on, month))
    ).rowcount


def _within(column: ColumnElement[Any], month: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return column >= first_day(month), column < first_day_after(month)


def first_day(month: str) -> date:
    """Of ``2026-11``.

    Raises:
        ValueError: it names no month.
    """
    return date.fromisoformat(f"{month}-01")


def first_day_after(month: str) -> date:
    """The first day of the month after ``2026-11``.

    Raises:
        ValueError: it names no month.
    """
    first = first_day(month)
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
