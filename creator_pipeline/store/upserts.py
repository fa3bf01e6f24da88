"""INSERT … ON CONFLICT, which each database's dialect of SQLAlchemy has for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table

from creator_pipeline.store.engine import is_postgres

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of the connection's dialect; both have ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return insert_for(table, postgres=is_postgres(connection))


def insert_for(table: Table, *, postgres: bool) -> postgresql.Insert | sqlite.Insert:
    """As :func:`insert_into`, for PostgreSQL or for SQLite."""
    # The engine has loaded its own dialect; the other one, with all of its drivers, need not be.
    if postgres:
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert
    return insert(table)


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert ``row`` unless its key is known; whether it was new: how the first of several tellers wins."""
    return bool(connection.execute(insert_into(connection, table).values(dict(row)).on_conflict_do_nothing()).rowcount)
