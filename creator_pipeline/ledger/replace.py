"""Writing the ledger, and remembering which of its days changed."""

from __future__ import annotations

import operator
import uuid
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Date,
    Text,
    and_,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    union,
)
from sqlalchemy.sql.elements import BooleanClauseList

from creator_pipeline.core import json_fields
from creator_pipeline.core.windows import DayWindow, now, partition_key
from creator_pipeline.ledger.closing import Scope, with_closed_months
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.store.engine import is_postgres
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.tables import ledger_changes, sales_events
from creator_pipeline.store.upserts import insert_into


def replace_events(
    connection: Connection,
    platform: str,
    profile_id: str,
    scope: Scope,
    events: Sequence[LedgerEvent],
    *,
    what: str,
    allow_shrink: bool = False,
) -> Change:
    """Make the rows of the ledger in a scope equal to ``events``, and remember the days that changed.

    Rows of closed months stand: see :mod:`.closing`.

    Args:
        connection: of the transaction.
        platform: as the ledger calls it.
        profile_id: whose rows.
        scope: which rows of this platform and profile: (columns) to the condition. It must find a row wherever it is
            booked: by the day it belongs to (:func:`own_days`), by its sale or by its source.
        events: what they are to be.
        what: the scope in words, for an error.
        allow_shrink: accept that most rows of the scope go away.

    Returns:
        what changed; of each row that differs now :func:`places_of` tells where it comes from.

    Raises:
        DataError: far fewer rows than are stored.
    """
    rows = with_closed_months(connection, platform, profile_id, scope, events)
    columns = sales_events.c
    mine, within = and_(columns.platform == platform, columns.profile_id == profile_id), scope(columns)
    before = _stored_by_day(connection, mine, within)
    change = replace(
        connection,
        sales_events,
        rows,
        and_(mine, within),
        what=what,
        allow_shrink=allow_shrink,
        tell=[columns[name] for name in ("event_type", "source", "occurred_on", "belongs_to")],
        before=sum(before.values()),
    )
    if change.any:
        note_changes(connection, platform, profile_id, before.keys() | {row.occurred_on for row in rows})
    return change


def _stored_by_day(connection: Connection, mine: ColumnElement[bool], within: ColumnElement[bool]) -> dict[date, int]:
    columns = sales_events.c
    # Each part of an OR by itself, by its own index: before the table has statistics, and a first load ends before
    # that, PostgreSQL would look at all rows of the profile.
    either = isinstance(within, BooleanClauseList) and within.operator is operator.or_
    parts = within.clauses if either else [within]
    each = union(*(select(columns.id, columns.occurred_on).where(mine, part) for part in parts)).subquery().c
    rows = connection.execute(select(each.occurred_on, func.count()).group_by(each.occurred_on))
    return {day: count for day, count in rows}  # noqa: C416 - a Row is no tuple to the checker


class Place(NamedTuple):
    """Where a row of the ledger comes from, as its columns say; ``day`` is the day that it belongs to."""

    event_type: str
    source: str
    day: date


def places_of(change: Change) -> frozenset[Place]:
    """Where the rows come from that a change of the ledger touched, as they were and as they are."""
    return frozenset(Place(kind, source, own or booked) for kind, source, booked, own in change.touched)


def own_days(window: DayWindow) -> Scope:
    """Rows that belong to the days of a window, also those that were booked later.

    Args:
        window: half-open UTC days.
    """

    def scope(columns: Any) -> ColumnElement[bool]:
        here = and_(columns.belongs_to.is_(None), _in(columns.occurred_on, window))
        # Each part has its index.
        return or_(here, _in(columns.belongs_to, window))

    return scope


def own_partitions(window: DayWindow) -> Scope:
    """Sales of the days of a window, and what followed from them on whatever day; by their source.

    Args:
        window: half-open UTC days of the sales.
    """

    def scope(columns: Any) -> ColumnElement[bool]:
        source, on_its_day = columns.source, columns.belongs_to.is_(None)
        # Word for word what the index holds, so that the databases see that it fits.
        elsewhere = or_(columns.event_type != literal_column("'sale'"), columns.belongs_to.is_not(None))
        return or_(
            and_(columns.event_type == "sale", on_its_day, _in(columns.occurred_on, window)),
            and_(elsewhere, source >= partition_key(window.start, ""), source < partition_key(window.end, "")),
        )

    return scope


def replace_window(
    connection: Connection,
    platform: str,
    profile_id: str,
    window: DayWindow,
    events: Sequence[LedgerEvent],
    *,
    allow_shrink: bool = False,
) -> Change:
    """Make the ledger of one platform and profile equal to ``events`` for the days of a window.

    Args:
        connection: of the transaction.
        platform: as the ledger calls it.
        profile_id: whose rows.
        window: half-open UTC days, by the day that a row belongs to.
        events: what the rows are to be.
        allow_shrink: accept that most rows go away.

    Raises:
        DataError: far fewer rows than are stored.
    """
    what = f"sales_events/{platform} {window.start} to {window.end} of {profile_id}"
    scope = own_days(window)
    return replace_events(connection, platform, profile_id, scope, events, what=what, allow_shrink=allow_shrink)


def note_changes(connection: Connection, platform: str, profile_id: str, days: Iterable[date]) -> None:
    """Remember, in the same transaction, that these days of the ledger must be rolled up again.

    Args:
        connection: of the transaction that changes the ledger.
        platform: as the ledger calls it.
        profile_id: whose days.
        days: UTC days, by ``occurred_on``; in any order, each once.
    """
    # In one order for everyone: two loads of one profile would wait for each other for ever.
    given = [day.isoformat() for day in sorted(days)]
    # One value holds all days: a statement for each, or a stage, costs several times as much as the sales' own rows.
    if is_postgres(connection):
        day = func.unnest(cast(literal("{" + ",".join(given) + "}", Text), ARRAY(Date))).column_valued("day")
    else:
        day = func.json_each(json_fields.dumps(given)).table_valued("value").c.value
    said = {"profile_id": profile_id, "platform": platform, "change_id": uuid.uuid4().hex, "changed_at": now()}
    values = [literal(value, ledger_changes.c[name].type) for name, value in said.items()]
    statement = insert_into(connection, ledger_changes).from_select(
        ["occurred_on", *said], select(day, *values).order_by(day)
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(ledger_changes.primary_key),
            set_={name: statement.excluded[name] for name in ("change_id", "changed_at")},
        )
    )


def replace_sales(
    connection: Connection, platform: str, profile_id: str, external_ids: Sequence[str], events: Sequence[LedgerEvent]
) -> Change:
    """Make the ledger rows of the named sales, and of no others, equal to ``events``.

    Args:
        connection: of the transaction.
        platform: as the ledger calls it.
        profile_id: whose sales.
        external_ids: the platform's ids of the sales.
        events: what their rows are to be.
    """

    def scope(columns: Any) -> ColumnElement[bool]:
        return columns.external_id.in_(external_ids)

    what = f"sales of {profile_id}"
    return replace_events(connection, platform, profile_id, scope, events, what=what, allow_shrink=True)


def _in(day: ColumnElement[Any], window: DayWindow) -> ColumnElement[bool]:
    return and_(day >= window.start, day < window.end)
