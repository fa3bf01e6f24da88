"""The one way rows get in: stage them, then make exactly one scope of a table equal to what was staged.

Rows that are already there and equal are left alone, so a second load of the same rows writes nothing and the
``ingested_at`` of a row is the moment its content changed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.text import number
from creator_pipeline.store.engine import is_postgres
from creator_pipeline.store.load_statements import (
    known_and_equal,
    missing,
    same_content,
    same_key,
    stage_of,
    written_of,
)
from creator_pipeline.store.pg_copy import copy

BATCH = 500
"""Rows handed to the database at once: bounds memory, and costs no speed (see benchmarks)."""

GUARD_ROWS = 50
GUARD_SHARE = 0.5
_UNIQUE_VIOLATION = "23505"


@dataclass(frozen=True, slots=True)
class Change:
    """What a load did to its scope, in rows; ``touched`` is what it was asked to tell of those that changed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    touched: frozenset[tuple[Any, ...]] = frozenset()

    @property
    def any(self) -> bool:
        """Whether the table is different now."""
        return bool(self.inserted or self.updated or self.deleted)

    def __add__(self, other: Change) -> Change:
        return Change(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
            self.touched | other.touched,
        )

    def metadata(self) -> dict[str, int]:
        """For a materialization."""
        return {
            "rows_inserted": self.inserted,
            "rows_updated": self.updated,
            "rows_deleted": self.deleted,
            "rows_unchanged": self.unchanged,
        }


Row = Sequence[Any]
"""Values in the order of the table's columns."""


def replace(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    scope: ColumnElement[bool],
    *,
    what: str,
    allow_shrink: bool = False,
    tell: Sequence[Column[Any]] = (),
    before: int | None = None,
) -> Change:
    """Make the rows of ``table`` within ``scope`` equal to ``rows``, inside the transaction of ``connection``.

    Args:
        rows: values in column order; keys must be unique.
        scope: which rows of the table are this load's to replace.
        what: names the unit in an error, e.g. ``sales of alice, 2026-11-22``.
        allow_shrink: accept a load that drops sharply more rows than it brings.
        tell: columns that :attr:`Change.touched` has of each row that differs now, as it was and as it is.
        before: how many rows the scope has, where that was asked already.

    Raises:
        DataError: the load would leave less than half of :data:`GUARD_ROWS` or more rows; nothing is written.
    """
    if before is None:
        before = connection.execute(select(func.count()).select_from(table).where(scope)).scalar_one()
    if not before and isinstance(rows, Sequence) and (not rows or _copied(connection, table, rows)):
        places = [table.c.keys().index(column.name) for column in tell]
        told = zip(*(map(itemgetter(place), rows) for place in places), strict=True)
        return Change(inserted=len(rows), touched=frozenset(told))
    with staged(connection, table, rows) as (stage, count):
        if before >= GUARD_ROWS and count < before * GUARD_SHARE and not allow_shrink:
            raise DataError(
                f"{what}: {number(count, 'row')} would replace {before}; nothing was written.",
                hint="If it is the right account and really has so few now, run again with --allow-shrink, "
                "or with the run tag creator_pipeline/allow_shrink: true.",
                found=f"{number(count, 'row')}",
                expected=f"about {number(before, 'row')}",
            )
        found = _compared(connection, table, stage, count, scope)
        gone = _delete_missing(connection, table, stage, scope, tell) if before > found.inside else Change()
        return gone + _merge(connection, table, stage, found, count, tell)


def upsert(connection: Connection, table: Table, rows: Iterable[Row]) -> Change:
    """Insert or update the named rows and delete nothing."""
    with staged(connection, table, rows) as (stage, count):
        return _merge(connection, table, stage, _compared(connection, table, stage, count), count)


def row_of(table: Table, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row in column order; a column that is not named is null.

    Raises:
        KeyError: a name is no column of the table.
    """
    unknown = values.keys() - table.c.keys()
    if unknown:
        raise KeyError(f"{table.name} has no column {', '.join(sorted(unknown))}")
    return tuple(values.get(name) for name in table.c.keys())  # noqa: SIM118 - a collection of columns, not a dict


@contextmanager
def staged(connection: Connection, table: Table, rows: Iterable[Row]) -> Generator[tuple[Table, int]]:
    """A temporary table with the columns of ``table`` that holds ``rows``, and their number; dropped at the end."""
    stage, create = stage_of(table, postgres=is_postgres(connection))
    connection.exec_driver_sql(create)
    try:
        source, count = iter(rows), 0
        while batch := list(islice(source, BATCH)):
            count += len(batch)
            if is_postgres(connection):
                copy(connection, stage, batch)
            else:
                names = stage.c.keys()
                connection.execute(insert(stage), [dict(zip(names, row, strict=True)) for row in batch])
        yield stage, count
    finally:
        if not connection.invalidated and connection.in_transaction() and _usable(connection):
            connection.exec_driver_sql(f"DROP TABLE {stage.name}")


def _usable(connection: Connection) -> bool:
    if not is_postgres(connection):
        return True
    # A failed statement aborts PostgreSQL's transaction: the rollback drops the table, a DROP would hide the cause.
    driver: Any = connection.connection.driver_connection
    return driver.info.transaction_status == 2


def _copied(connection: Connection, table: Table, rows: Sequence[Row]) -> bool:
    """Whether the rows could go straight into PostgreSQL's table: no row of theirs lies outside the empty scope."""
    if not is_postgres(connection):
        return False
    try:
        with connection.begin_nested():
            for start in range(0, len(rows), BATCH):
                copy(connection, table, rows[start : start + BATCH])
    except IntegrityError as error:
        if getattr(error.orig, "pgcode", None) != _UNIQUE_VIOLATION:
            raise
        return False
    return True


class _Found(NamedTuple):
    """Staged rows whose key the table has, those of them within the scope, and those that are equal."""

    known: int
    inside: int
    equal: int


@contextmanager
def _hashing(connection: Connection) -> Generator[None]:
    """PostgreSQL knows nothing of how many rows a stage has, and would compare every row with every row."""
    postgres = is_postgres(connection)
    if postgres:
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
    yield
    if postgres:
        connection.exec_driver_sql("SET LOCAL enable_nestloop = on")


def _compared(
    connection: Connection, table: Table, stage: Table, count: int, scope: ColumnElement[bool] | None = None
) -> _Found:
    def found(*where: ColumnElement[bool]) -> tuple[int, int]:
        known, same = connection.execute(known_and_equal(table, stage).where(*where)).one()
        return known, int(same or 0)

    if scope is None:
        known, equal = found()
        return _Found(known, known, equal)
    # The scope's index finds them; by key alone PostgreSQL would read the whole table for each load.
    with _hashing(connection):
        inside, equal = found(scope)
    if inside == count:
        return _Found(inside, inside, equal)
    known, equal = found()
    return _Found(known, inside, equal)


def _delete_missing(
    connection: Connection, table: Table, stage: Table, scope: ColumnElement[bool], tell: Sequence[Column[Any]]
) -> Change:
    count, touched = _done(connection, table.delete().where(scope, missing(table, stage)), tell)
    return Change(deleted=count, touched=touched)


def _done(connection: Connection, statement: Any, tell: Sequence[Column[Any]]) -> tuple[int, frozenset[Any]]:
    if not tell:
        return connection.execute(statement).rowcount, frozenset()
    told = connection.execute(statement.returning(*tell)).all()
    return len(told), frozenset(tuple(row) for row in told)


def _merge(
    connection: Connection, table: Table, stage: Table, found: _Found, count: int, tell: Sequence[Column[Any]] = ()
) -> Change:
    if count == found.equal:
        return Change(unchanged=count)
    before = _told_before(connection, table, stage, tell) if tell and found.known > found.equal else frozenset[Any]()
    written, touched = _done(connection, written_of(table, stage, postgres=is_postgres(connection)), tell)
    inserted = count - found.known
    updated = max(0, written - inserted)
    return Change(inserted, updated, 0, found.known - updated, touched | before)


def _told_before(connection: Connection, table: Table, stage: Table, tell: Sequence[Column[Any]]) -> frozenset[Any]:
    """What is to be told of the rows that the stage is about to change, as they are."""
    both = stage.join(table, same_key(table, stage))
    with _hashing(connection):
        rows = connection.execute(select(*tell).select_from(both).where(~same_content(table, stage)))
        return frozenset(tuple(row) for row in rows)
