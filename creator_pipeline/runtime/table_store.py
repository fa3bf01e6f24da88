"""Storing the declared tables: a list is replaced as a whole, and what is gone keeps its row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select, tuple_, update

from creator_pipeline import settings
from creator_pipeline.core.errors import DataError
from creator_pipeline.core.text import number
from creator_pipeline.runtime.table_rows import Row
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import GUARD_ROWS, GUARD_SHARE, Change, replace, row_of, upsert
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.table_streams import ParentRow, TableStream
from creator_pipeline.store.tables import stream_reads

_READS = stream_reads.c
_SAME_NIGHT = timedelta(hours=12)
"""What was read since then was read tonight."""


def due(
    connection: Connection,
    stream: TableStream,
    provider: str,
    profile_id: str,
    parents: Sequence[ParentRow],
    moment: datetime,
) -> list[ParentRow]:
    """The lists to read: those never read, those that may differ, and of the others the oldest few.

    Args:
        connection: to the warehouse.
        stream: whose lists.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose account.
        parents: of the lists.
        moment: of the reading.
    """
    if stream.turns or stream.told_by:
        return _in_turn(connection, stream, provider, profile_id, parents, moment)
    rule = stream.parents
    if rule is None or rule.again is None:
        return list(parents)
    mine = select(_READS.parent, _READS.hint, _READS.read_at).where(_reads_of(provider, profile_id, stream.name))
    read = {row.parent: row for row in connection.execute(mine)}
    fresh: list[ParentRow] = []
    old: list[tuple[datetime, ParentRow]] = []
    for parent in parents:
        last = read.get(name_of(stream, parent))
        if last is None or last.hint != parent.hint:
            fresh.append(parent)
        elif last.read_at <= moment - rule.again:
            old.append((last.read_at, parent))
    oldest = sorted(old, key=lambda one: (one[0], name_of(stream, one[1])))
    return [*fresh, *(parent for _, parent in oldest[: rule.a_night])]


def _in_turn(
    connection: Connection,
    stream: TableStream,
    provider: str,
    profile_id: str,
    parents: Sequence[ParentRow],
    moment: datetime,
) -> list[ParentRow]:
    names = stream.turns.streams if stream.turns else (stream.name,)
    mine = and_(_READS.provider == provider, _READS.profile_id == profile_id, _READS.stream.in_(names))
    read = connection.execute(select(_READS.read_at, _READS.stream, _READS.parent).where(mine)).all()
    waiting = sorted(tuple(row) for row in read if row.read_at <= moment - _SAME_NIGHT)
    left = (stream.turns.a_night if stream.turns else 1) - (len(read) - len(waiting))
    known = {(row.stream, row.parent) for row in read}
    due_now = {(name, parent) for _, name, parent in waiting[: max(0, left)]}
    lists = [(stream.name, name_of(stream, parent)) for parent in parents]
    return [parent for parent, key in zip(parents, lists, strict=True) if key not in known or key in due_now]


def mark_of(connection: Connection, stream: TableStream, provider: str, profile_id: str) -> str | None:
    """How far back a list was read at its last turn, empty where to its end; None where it was never read.

    Args:
        connection: to the warehouse.
        stream: of the list.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose account.
    """
    return connection.execute(select(_READS.hint).where(_reads_of(provider, profile_id, stream.name))).scalar()


def name_of(stream: TableStream, parent: ParentRow) -> str:
    """The name of a list in ``stream_reads``."""
    return "/".join(parent.values[name] for name in stream.parents.columns) if stream.parents else ""


def present(
    connection: Connection, stream: TableStream, profile_id: str, parent: ParentRow
) -> dict[tuple[Any, ...], Row]:
    """Stored rows of a list that aren't gone, by key.

    Args:
        connection: to the warehouse.
        stream: of the list.
        profile_id: whose account.
        parent: of the list.
    """
    table = stream.table
    asked = select(table).where(_listed(stream, profile_id, parent), table.c.removed_at.is_(None))
    rows = [dict(row) for row in connection.execute(asked).mappings()]
    return {tuple(row[name] for name in stream.key): row for row in rows}


def guard(stream: TableStream, profile_id: str, before: int, after: int, *, allow_shrink: bool) -> None:
    """Refuse a list that lost most of its rows.

    Args:
        stream: of the list.
        profile_id: whose account.
        before: rows that were there.
        after: those of them that still are.
        allow_shrink: accept it.

    Raises:
        DataError: less than half is left of many.
    """
    if before >= GUARD_ROWS and after < before * GUARD_SHARE and not allow_shrink:
        raise DataError(
            f"{stream.asset} of {profile_id}: {after} of {number(before, 'row')} are left; nothing was written.",
            hint="If it really shrank, run again with the tag creator_pipeline/allow_shrink: true.",
        )


def store_list(
    warehouse: Warehouse,
    stream: TableStream,
    provider: str,
    profile_id: str,
    parent: ParentRow,
    rows: Sequence[Row],
    moment: datetime,
    *,
    turn: bool = True,
) -> Change:
    """Make the stored list equal to what was read; rows that were gone before, and those in doubt, stay as they are.

    Args:
        warehouse: where the tables are.
        stream: of the list.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose account.
        parent: of the list.
        rows: that were read, and those that are gone now.
        moment: of the reading.
        turn: it was read as far as a night reads it; else its next reading comes as if this hadn't been.
    """
    table = stream.table
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        written = {tuple(row[name] for name in stream.key): row for row in rows}
        mine = _listed(stream, profile_id, parent)
        for row in connection.execute(select(table).where(mine)).mappings():
            key = tuple(row[name] for name in stream.key)
            written[key] = _still_blank(stream, dict(row), written[key], moment) if key in written else dict(row)
        what = f"{stream.asset} of {profile_id}"
        # Rows whose parent changed lie outside the scope and are updated by their key.
        change = replace(connection, table, [row_of(table, row) for row in written.values()], mine, what=what)
        read = (provider, profile_id, stream.name, name_of(stream, parent), parent.hint, moment)
        if turn:
            upsert(connection, stream_reads, [read])
    return change


def store_one(warehouse: Warehouse, stream: TableStream, row: Row, *, there: bool) -> Change:
    """Insert or update one row.

    Args:
        warehouse: where the tables are.
        stream: of the row.
        row: as it was read.
        there: whether the platform's list should have it.
    """
    table = stream.table
    mine = and_(table.c.profile_id == row["profile_id"], *(table.c[name] == row[name] for name in stream.key))
    with warehouse.write() as connection:
        lock_profile(connection, row["profile_id"])
        before = connection.execute(select(table).where(mine)).mappings().first()
        if before:
            row = _still_blank(stream, dict(before), row, row["ingested_at"])
        removed = None if there else (before and before["removed_at"]) or row["ingested_at"]
        return upsert(connection, table, [row_of(table, row | {"removed_at": removed})])


def _still_blank(stream: TableStream, before: Mapping[str, Any], row: Row, moment: datetime) -> Row:
    """A row as it was read, without the person whom ``KEEP_BUYERS_DAYS`` has taken out of it."""
    days = settings.load().keep_buyers_days
    if not days or not stream.address or any(before[name] is not None for name in stream.of_buyer):
        return row
    # A change of the row begins no new time.
    since = "first_seen_at" if stream.last_used == "ingested_at" else stream.last_used
    return row | dict.fromkeys(stream.of_buyer) if before[since] < moment - timedelta(days=days) else row


def without_parents(
    warehouse: Warehouse,
    stream: TableStream,
    provider: str,
    profile_id: str,
    parents: Collection[tuple[str, ...]],
    moment: datetime,
) -> Change:
    """Mark rows as gone whose parent is.

    Args:
        warehouse: where the tables are.
        stream: of the rows.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose account.
        parents: values of the columns that name one, of those that there are.
        moment: of the reading.
    """
    assert stream.parents is not None  # noqa: S101 - asked for by its caller
    table = stream.table
    with warehouse.read() as connection:
        these = [table.c[name] for name in stream.parents.columns]
        here = table.c.profile_id == profile_id
        held = connection.execute(select(*these).where(here, table.c.removed_at.is_(None)).distinct())
        lost = [tuple(row) for row in held if tuple(row) not in parents]
        read = connection.execute(select(_READS.parent).where(_reads_of(provider, profile_id, stream.name))).scalars()
        forgotten = set(read) - {"/".join(parent) for parent in parents}
    if not lost and not forgotten:
        return Change()
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        gone = and_(here, table.c.removed_at.is_(None), tuple_(*these).in_(lost))
        stamps = {"removed_at": moment, "ingested_at": moment}
        count = connection.execute(update(table).where(gone).values(stamps)).rowcount if lost else 0
        old = and_(_reads_of(provider, profile_id, stream.name), _READS.parent.in_(forgotten))
        connection.execute(stream_reads.delete().where(old))
    return Change(updated=count)


def counts(connection: Connection, stream: TableStream, profile_id: str) -> tuple[int, int]:
    """Rows of a profile that are there, and those that are gone."""
    table = stream.table
    asked = select(func.count(), func.count(table.c.removed_at)).where(table.c.profile_id == profile_id)
    every, gone = connection.execute(asked).one()
    return every - gone, gone


def first_rows(connection: Connection, stream: TableStream, profile_id: str, most: int) -> Sequence[Mapping[str, Any]]:
    """A few rows that are there, without what tells of persons.

    Args:
        connection: to the warehouse.
        stream: of the rows.
        profile_id: whose.
        most: how many.
    """
    table = stream.table
    shown = [table.c[one.name] for one in stream.fields if one.name not in stream.of_buyer]
    mine = and_(table.c.profile_id == profile_id, table.c.removed_at.is_(None))
    asked = select(*shown).where(mine).order_by(*table.primary_key).limit(most)
    return [dict(row) for row in connection.execute(asked).mappings()]


def _listed(stream: TableStream, profile_id: str, parent: ParentRow) -> ColumnElement[bool]:
    table, names = stream.table, stream.parents.columns if stream.parents else ()
    return and_(table.c.profile_id == profile_id, *(table.c[name] == parent.values[name] for name in names))


def _reads_of(provider: str, profile_id: str, stream: str) -> ColumnElement[bool]:
    return and_(_READS.provider == provider, _READS.profile_id == profile_id, _READS.stream == stream)
