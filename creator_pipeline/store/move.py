"""Everything of one warehouse into another, empty one: in one transaction, and compared before it is committed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Boolean, Connection, Integer, Table, case, func, inspect, select, text
from sqlalchemy.sql.elements import ColumnElement

from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.store import locks
from creator_pipeline.store.engine import Warehouse, is_postgres, translated
from creator_pipeline.store.pg_copy import copy
from creator_pipeline.store.tables import metadata

CHUNK = 5_000
"""Rows that are in memory at once."""
_LOCK = 7_215_009
_HALF = 1_000_000_000


class Moved(NamedTuple):
    """What stands in the new warehouse.

    Attributes:
        rows: of each table that has any.
        copied: False where all of it was there already.
    """

    rows: dict[str, int]
    copied: bool


def move(source: Warehouse, target: Warehouse) -> Moved:
    """Copy every table; the source can be read and not written meanwhile. Nothing of it is changed.

    A target that holds exactly the source's rows is what a former call made: that is no error.

    Raises:
        ConfigError: both are one database, or the target holds something else; names its tables.
        DataError: what arrived isn't what was sent; names table and column. Nothing was written.
        TransientError: one of them can't be reached, or somebody writes to the source.
    """
    if _place(source) == _place(target):
        raise ConfigError("This is the warehouse itself.", hint="--to names the new one: an empty database.")
    for one in (source, target):
        one.ensure_migrated()
    # A write transaction on either side: SQLite lets nobody else write then.
    with translated(source.engine), source.engine.begin() as old:
        if is_postgres(old):
            names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
            old.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))
        _refuse_unknown(old)
        with translated(target.engine), target.engine.begin() as new:
            locks.lock(new, _LOCK)
            there = _rows(new)
            if there:
                _refuse_other(old, new, there)
                return Moved(there, copied=False)
            for table in metadata.sorted_tables:
                for rows in _chunks(old, table):
                    _insert(new, table, rows)
            if found := differences(old, new):
                raise DataError(f"Not the same after copying: {'; '.join(found)}. Nothing was written.")
            return Moved(_rows(new), copied=True)


def who_has_it_open(warehouse: Warehouse) -> list[str]:
    """Other processes of this machine that have a warehouse's file open, by number and name.

    None where it is no file, or where the system doesn't tell (no ``/proc``; processes of others for who is not root).
    """
    engine = warehouse.engine
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return []
    file, found = Path(engine.url.database).resolve(), list[str]()
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):
            if any(each.readlink() == file for each in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                found.append(f"process {process.name} ({' '.join(words[:4]).strip()})")
    return found


def differences(old: Connection, new: Connection) -> list[str]:
    """Tables whose rows, or the sums of whose columns, aren't the same on both sides."""
    found = list[str]()
    for table in metadata.sorted_tables:
        here, there = _sums(old, table), _sums(new, table)
        found += [f"{table.name}.{name}: {here[name]}, now {there[name]}" for name in here if here[name] != there[name]]
    return found


def _place(warehouse: Warehouse) -> tuple[object, ...]:
    url = warehouse.engine.url
    return url.get_backend_name(), url.host, url.port or 5432, url.database


def _refuse_unknown(old: Connection) -> None:
    known = {*metadata.tables, "alembic_version"}
    if unknown := sorted(set(inspect(old).get_table_names()) - known):
        raise ConfigError(
            f"The warehouse has tables that are not of this release: {', '.join(unknown)}.",
            hint="Move them yourself, or drop them; then move again.",
        )


def _refuse_other(old: Connection, new: Connection, there: dict[str, int]) -> None:
    if differences(old, new):
        names = ", ".join(f"{name} ({count})" for name, count in sorted(there.items()))
        told = f"The new warehouse isn't empty: {names}. Nothing was changed."
        raise ConfigError(told, hint="Name an empty database.")


def _rows(connection: Connection) -> dict[str, int]:
    counts = {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }
    return {name: count for name, count in counts.items() if count}


def _chunks(old: Connection, table: Table) -> Iterator[Sequence[Sequence[Any]]]:
    # On PostgreSQL a cursor at the server: the driver would take a whole table else.
    with old.execute(select(table), execution_options={"yield_per": CHUNK}) as found:
        for rows in found.partitions():
            yield [tuple(row) for row in rows]


def _insert(new: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    if is_postgres(new):
        copy(new, table, rows)
        return
    names = [column.name for column in table.columns]
    new.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])


def _sums(connection: Connection, table: Table) -> dict[str, int]:
    columns: dict[str, ColumnElement[Any]] = {"rows": func.count()}
    for column in table.columns:
        columns[f"{column.name} (filled)"] = func.count(column)
        if isinstance(column.type, Boolean):
            columns[column.name] = func.sum(case((column, 1), else_=0))
        elif isinstance(column.type, BigInteger | Integer):
            # In two halves: SQLite's own sum ends at 64 bits, where PostgreSQL's has no end.
            columns[column.name] = func.sum(column // _HALF)
            columns[f"{column.name} (rest)"] = func.sum(column % _HALF)
        elif column.type.python_type is str:
            columns[f"{column.name} (characters)"] = func.sum(func.length(column))
        else:
            columns[column.name] = func.count(column.distinct())
    row = connection.execute(select(*(value.label(name) for name, value in columns.items())).select_from(table)).one()
    return {name: int(value or 0) for name, value in zip(columns, row, strict=True)}
