"""The one way rows get in: stage them, then make exactly one scope of a table equal to what was staged.

Rows that are already there and equal are left alone, so a second load of the same rows writes nothing and the
``ingested_at`` of a row is the moment its content changed.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    and_,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from creator_pipeline.core.errors import DataError

BATCH = 2_000
"""Rows handed to the database at once: bounds memory, and costs no speed (see benchmarks)."""

STAMPS = frozenset({"ingested_at"})
"""Columns that say when a row changed, so they can't be what changed."""
KEPT = frozenset({"first_seen_at"})
"""Columns that keep the value of the first load."""

GUARD_ROWS = 50
GUARD_SHARE = 0.5

# COPY's text format: these bytes have a meaning of their own. PostgreSQL can't hold NUL in a text.
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\0": "\ufffd"})


@dataclass(frozen=True, slots=True)
class Change:
    """What a load did to its scope, in rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

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
) -> Change:
    """Make the rows of ``table`` within ``scope`` equal to ``rows``, inside the transaction of ``connection``.

    Args:
        rows: values in column order; keys must be unique.
        scope: which rows of the table are this load's to replace.
        what: names the unit in an error, e.g. ``gumroad/sales 2026-11-22|alice``.
        allow_shrink: accept a load that drops sharply more rows than it brings.

    Raises:
        DataError: the load would leave less than half of :data:`GUARD_ROWS` or more rows; nothing is written.
    """
    with staged(connection, table, rows) as stage:
        before = connection.execute(select(func.count()).select_from(table).where(scope)).scalar_one()
        count = connection.execute(select(func.count()).select_from(stage)).scalar_one()
        if before >= GUARD_ROWS and count < before * GUARD_SHARE and not allow_shrink:
            raise DataError(
                f"{what}: {count} rows would replace {before}; nothing was written.",
                hint="If the platform really has so few now, run again with --allow-shrink, "
                "or with the run tag creator_pipeline/allow_shrink: true.",
                found=f"{count} rows",
                expected=f"about {before} rows",
            )
        deleted = _delete_missing(connection, table, stage, scope) if before else 0
        return _merge(connection, table, stage, deleted, count)


def upsert(connection: Connection, table: Table, rows: Iterable[Row]) -> Change:
    """Insert or update the named rows and delete nothing."""
    with staged(connection, table, rows) as stage:
        count = connection.execute(select(func.count()).select_from(stage)).scalar_one()
        return _merge(connection, table, stage, 0, count)


def row_of(table: Table, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row in column order; a column that is not named is null."""
    unknown = values.keys() - table.c.keys()
    if unknown:
        raise KeyError(f"{table.name} has no column {', '.join(sorted(unknown))}")
    return tuple(values.get(name) for name in table.c.keys())  # noqa: SIM118 - a collection of columns, not a dict


@contextmanager
def staged(connection: Connection, table: Table, rows: Iterable[Row]) -> Generator[Table]:
    """A temporary table with the columns of ``table`` that holds ``rows``; dropped at the end."""
    indexed = connection.dialect.name == "sqlite"
    stage = Table(
        f"stage_{table.name}",
        MetaData(),
        # PostgreSQL joins an unindexed stage by hashing; SQLite would compare every row with every row.
        *(
            Column(column.name, column.type, primary_key=column.primary_key and indexed, nullable=True)
            for column in table.c
        ),
        prefixes=["TEMPORARY"],
    )
    connection.execute(CreateTable(stage))
    try:
        source = iter(rows)
        while batch := list(islice(source, BATCH)):
            if connection.dialect.name == "postgresql":
                copy(connection, stage, batch)
            else:
                names = stage.c.keys()
                connection.execute(
                    insert(stage), [dict(zip(names, map(_without_nul, row), strict=True)) for row in batch]
                )
        yield stage
    finally:
        if not connection.invalidated and connection.in_transaction() and _usable(connection):
            stage.drop(connection)


def _without_nul(value: Any) -> Any:
    # As COPY's escapes do it: the same row must be the same text on both databases.
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _usable(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return True
    # A failed statement aborts PostgreSQL's transaction: the rollback drops the table, a DROP would hide the cause.
    driver: Any = connection.connection.driver_connection
    return driver.info.transaction_status == 2


def copy(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """COPY rows into a PostgreSQL table over the connection's own transaction."""
    buffer = io.StringIO("\n".join("\t".join(map(_cell, row)) for row in rows) + "\n")
    columns = ", ".join(f'"{name}"' for name in table.c.keys())  # noqa: SIM118 - a collection of columns, not a dict
    cursor: Any = connection.connection.cursor()
    try:
        cursor.copy_expert(f'COPY "{table.name}" ({columns}) FROM STDIN', buffer)
    finally:
        cursor.close()


def _cell(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value)


def _same_key(table: Table, stage: Table) -> ColumnElement[bool]:
    return and_(*(stage.c[column.name] == column for column in table.primary_key))


def _delete_missing(connection: Connection, table: Table, stage: Table, scope: ColumnElement[bool]) -> int:
    present = exists(select(1).select_from(stage).where(_same_key(table, stage)))
    return connection.execute(table.delete().where(scope, ~present)).rowcount


def _merge(connection: Connection, table: Table, stage: Table, deleted: int, count: int) -> Change:
    known = connection.execute(
        select(func.count()).select_from(stage.join(table, _same_key(table, stage)))
    ).scalar_one()
    names = table.c.keys()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # "WHERE true": SQLite's parser takes the ON of ON CONFLICT for a join's without it.
    statement = dialect.insert(table).from_select(names, select(stage).where(true()))
    compared = [name for name in names if not table.c[name].primary_key and name not in STAMPS | KEPT]
    changed = [name for name in names if not table.c[name].primary_key and name not in KEPT]
    statement = statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: statement.excluded[name] for name in changed},
        where=or_(false(), *(table.c[name].is_distinct_from(statement.excluded[name]) for name in compared)),
    )
    written = connection.execute(statement).rowcount
    inserted = count - known
    updated = max(0, written - inserted)
    return Change(inserted, updated, deleted, known - updated)
