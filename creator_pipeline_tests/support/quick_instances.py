"""Dagster's instances for a fraction of the processor time.

``DagsterInstance.ephemeral`` makes its tables one by one and has Alembic stamp them, which takes 40 ms. Then each
statement opens a connection, and each event is three transactions of statements that SQLAlchemy builds anew. A test
makes an instance or two and stores some hundred events. What is read, and all that runs ask, stays Dagster's own;
``test_quick_instances`` compares the rows.

An instance in files has a new engine of SQLAlchemy for each connection, so that each statement is compiled anew, loads
some forty migration scripts for each storage that is opened and for each run, and starts four processes for what a run
prints.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
from alembic.runtime.migration import MigrationContext
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log.in_memory import InMemoryEventLogStorage
from dagster._core.storage.event_log.schema import AssetKeyTable, SqlEventLogStorageTable
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.runs.in_memory import InMemoryRunStorage
from dagster._core.storage.sql import check_alembic_revision, get_alembic_config
from dagster._core.storage.sqlite_storage import SqliteEventLogStorage, SqliteRunStorage, SqliteScheduleStorage
from sqlalchemy import Connection, Engine, Insert, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import Pool, QueuePool

CONNECTIONS = 20
ENGINES = 64
_begin_file_of_dagster = SqliteEventLogStorage._initdb


def make_cheaper() -> None:
    """Change Dagster's storages for the rest of this process."""
    with dg.DagsterInstance.ephemeral() as made:
        InMemoryRunStorage._template = _copy_of(made.run_storage)
        InMemoryEventLogStorage._template = _copy_of(made.event_log_storage)
    InMemoryRunStorage.__init__ = _begin_runs
    InMemoryRunStorage.connect = _locked_transaction
    InMemoryEventLogStorage.__init__ = _begin_events
    InMemoryEventLogStorage._connect = _locked_transaction
    InMemoryEventLogStorage._statements = _Statements()
    InMemoryEventLogStorage.store_event = _store_event
    # Both are looked up for each event of an asset.
    for kind in (InMemoryEventLogStorage, SqliteEventLogStorage):
        kind.has_table = lambda *_: True
        kind._has_asset_key_index_cols_on_connection = lambda *_: True
    for storage in (SqliteRunStorage, SqliteEventLogStorage, SqliteScheduleStorage):
        names = vars(sys.modules[storage.__module__])
        names["create_engine"] = _engine_of
        names["check_alembic_revision"] = _revision
    SqliteEventLogStorage._initdb = _begin_file
    LocalComputeLogManager.capture_logs = NoOpComputeLogManager.capture_logs


def _copy_of(storage: Any) -> sqlite3.Connection:
    template = sqlite3.connect(":memory:", check_same_thread=False)
    storage._held_conn.connection.driver_connection.backup(template)
    return template


def _begin_runs(self: Any, preload: object = None) -> None:
    assert preload is None
    # With a shared cache nobody waits: SQLite refuses at once to read a table that another thread has written to.
    self._db_lock = threading.RLock()
    _open(self, "runs")


def _begin_events(self: Any, inst_data: object = None, preload: object = None) -> None:
    assert preload is None
    self._inst_data = inst_data
    self._handlers = defaultdict(set)
    self._storage_id = 0
    self._db_lock = threading.Lock()
    _open(self, "events")


def _open(storage: Any, name: str) -> None:
    storage._engine = create_engine(
        f"sqlite:///file:{name}-{uuid4()}?mode=memory&uri=true&cache=shared",
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        connect_args={"check_same_thread": False},
    )
    event.listen(storage._engine, "connect", _with_foreign_keys)
    # The database lives as long as one connection to it.
    storage._held_conn = storage._engine.connect()
    storage._template.backup(storage._held_conn.connection.driver_connection)


def _with_foreign_keys(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def _locked_transaction(self: Any) -> Iterator[Connection]:
    with self._db_lock, _transaction(self._engine) as connection:
        yield connection


def _store_event(self: Any, entry: dg.EventLogEntry) -> None:
    """One transaction of prepared statements, where Dagster's has three."""
    assert not self._handlers[entry.run_id], "nobody watches an instance in memory"
    row = self._event_to_row(entry)
    kind = entry.dagster_event_type if entry.is_dagster_event else None
    of_asset = kind in ASSET_EVENTS and row["asset_key"] is not None
    with self._connect() as connection:
        storage_id = connection.execute(self._statements.event, row).inserted_primary_key[0]
        if of_asset:
            self._store_asset_event_tags(connection, [entry], [storage_id])
            values = self._get_asset_entry_values(entry, storage_id, True)
            if values:
                statement = self._statements.of_asset(tuple(values))
                connection.execute(statement, {"asset_key": row["asset_key"], **values})
    if kind in ASSET_CHECK_EVENTS:
        self.store_asset_check_event(entry, storage_id)
    self._storage_id += 1


class _Statements:
    """Built once: to build one costs more than to execute it."""

    def __init__(self) -> None:
        self.event = SqlEventLogStorageTable.insert()
        self._of_asset: dict[tuple[str, ...], Insert] = {}

    def of_asset(self, columns: tuple[str, ...]) -> Insert:
        """A new row of an asset, or these columns of the row that is there."""
        if columns not in self._of_asset:
            statement = insert(AssetKeyTable)
            self._of_asset[columns] = statement.on_conflict_do_update(
                index_elements=["asset_key"], set_={name: statement.excluded[name] for name in columns}
            )
        return self._of_asset[columns]


def _engine_of(url: str, *, poolclass: type[Pool], connect_args: Mapping[str, Any] | None = None) -> Engine:
    return _kept_engine(url, poolclass, tuple((connect_args or {}).items()))


@lru_cache(maxsize=ENGINES)
def _kept_engine(url: str, poolclass: type[Pool], connect_args: tuple[tuple[str, Any], ...]) -> Engine:
    return create_engine(url, poolclass=poolclass, connect_args=dict(connect_args))


def _revision(_config: object, connection: Connection) -> tuple[str | None, str]:
    """Of the database, and the newest of Dagster's."""
    found = MigrationContext.configure(connection).get_current_revision()
    return found, _newest_revision()


@cache
def _newest_revision() -> str:
    module = sys.modules[SqliteEventLogStorage.__module__]
    with create_engine("sqlite://").connect() as connection:
        newest = check_alembic_revision(get_alembic_config(str(module.__file__)), connection)[1]
    assert isinstance(newest, str)
    return newest


_empty_file: list[bytes] = []
"""What a run's file is before its first event, once it was made."""


def _begin_file(self: SqliteEventLogStorage, engine: Engine, for_index_shard: bool = False) -> None:
    file = Path(str(engine.url.database))
    if for_index_shard or file.exists():
        _begin_file_of_dagster(self, engine, for_index_shard)
    elif _empty_file:
        file.write_bytes(_empty_file[0])
    else:
        _begin_file_of_dagster(self, engine)
        with closing(sqlite3.connect(file)) as connection:
            _empty_file.append(connection.serialize())
