"""Dagster's SQLite files, opened with less work.

Dagster makes a new engine of SQLAlchemy for each connection, which forgets the statements that it has compiled. It
loads some forty migration scripts to open each of its three storages and to make the file of each run. That was a third
of a short run's processor time.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.pool import Pool

    Revisions = tuple[str | None, Any]

ENGINES = 32
"""Kept at most: of the files of as many runs. None holds a file open."""
_INDEX = "index.db"
_MAKES_FILE, _CHANGED = "_initdb", "_copies_tables"
_SECONDS = 30.0
"""Longest wait for another process that writes, as in Dagster."""


def keep_engines(storage: type) -> None:
    """Change Dagster's storages in SQLite files for the rest of this process; a second call changes nothing.

    Args:
        storage: the class that unites those of events, runs and schedules. The file of a run's events becomes a copy of
            the tables of the file of all events.
    """
    parts = vars(sys.modules[storage.__module__])
    events = parts["SqliteEventLogStorage"]
    if hasattr(events, _CHANGED):
        return
    for part in (events, parts["SqliteRunStorage"], parts["SqliteScheduleStorage"]):
        names = vars(sys.modules[part.__module__])
        names["create_engine"] = _engine_of
        names["check_alembic_revision"] = _with_one_head(names["check_alembic_revision"])
    of_dagster = vars(events)[_MAKES_FILE]

    def begin(self: object, engine: Engine, **options: bool) -> None:
        if options.get("for_index_shard") or not copy_tables(Path(str(engine.url.database))):
            of_dagster(self, engine, **options)

    setattr(events, _MAKES_FILE, begin)
    setattr(events, _CHANGED, True)


def _engine_of(url: str, *, poolclass: type[Pool], connect_args: Mapping[str, Any] | None = None) -> Engine:
    return _kept_engine(url, poolclass, tuple((connect_args or {}).items()))


@lru_cache(maxsize=ENGINES)
def _kept_engine(url: str, poolclass: type[Pool], connect_args: tuple[tuple[str, Any], ...]) -> Engine:
    return create_engine(url, poolclass=poolclass, connect_args=dict(connect_args))


_head: list[Any] = []
"""The newest revision of Dagster's tables, which all storages have in common; empty until it was looked up."""


def _with_one_head(of_dagster: Callable[[Config, Connection], Revisions]) -> Callable[[Config, Connection], Revisions]:
    def check(config: Config, connection: Connection) -> Revisions:
        if not _head:
            found, head = of_dagster(config, connection)
            _head.append(head)
            return found, head
        from alembic.runtime.migration import MigrationContext

        return MigrationContext.configure(connection).get_current_revision(), _head[0]

    return check


def copy_tables(file: Path) -> bool:
    """Make a run's file with the tables of the file of all runs; False where Dagster has to look at it itself.

    Another process may make it at the same moment: one of the two is kept, and none that is half made.
    """
    index = file.with_name(_INDEX)
    if file.exists() or not index.exists():
        return False
    with closing(sqlite3.connect(index, timeout=_SECONDS)) as source:
        revisions = source.execute("SELECT version_num FROM alembic_version").fetchall()
        made_by = source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        statements = [str(sql) for (sql,) in made_by]
    half_made = file.with_suffix(f".{os.getpid()}.made")
    half_made.unlink(missing_ok=True)
    with closing(sqlite3.connect(half_made, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("BEGIN")
        for statement in statements:
            made.execute(statement)
        made.executemany("INSERT INTO alembic_version VALUES (?)", revisions)
        made.execute("COMMIT")
    try:
        os.link(half_made, file)
    except OSError:  # it is there meanwhile, or the disk has no hard links
        return False
    finally:
        half_made.unlink()
    return True
