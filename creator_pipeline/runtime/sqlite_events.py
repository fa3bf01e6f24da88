"""Dagster's storage in SQLite files, which keeps its files open and writes many events at once.

Dagster's own opens a file, compiles its statements and writes it back to the disk for each event, three times: two
thirds of the time of ``make demo``. What is in the files is the same, so either can go on with the other's.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, NullPool, StaticPool, create_engine, event

from creator_pipeline.runtime.dagster_internals import (
    DagsterSqliteStorage,
    SqliteEventLogStorage,
    SqliteRunStorage,
    SqliteScheduleStorage,
)
from creator_pipeline.runtime.dagster_internals.records import event_rows
from creator_pipeline.runtime.event_batches import BATCHED

if TYPE_CHECKING:
    import dagster as dg

    from creator_pipeline.runtime.dagster_internals import ConfigurableClassData

FILES = 4
"""Files that are kept open: that of all assets, and those of the last runs."""
BUSY_SECONDS = 20.0
"""How long a write waits for another process's."""


class SqliteEvents(SqliteEventLogStorage):
    """As Dagster's, with connections that are kept, and batches."""

    def __init__(self, base_dir: str) -> None:
        self._opened = OrderedDict[str, Engine]()
        self._owner, self._empty, self._one_at_a_time = os.getpid(), b"", threading.RLock()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        """A transaction in the file of a run, or of all assets; Dagster calls it for whatever it reads or writes."""
        with self._one_at_a_time:
            if shard not in self._initialized_dbs:
                self._make(shard)
            with self._engine(shard).connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Write the events of one batch; Dagster calls it with them in their order."""
        batched, table = [one for one in events if one.dagster_event_type in BATCHED], event_rows()
        for run_id in dict.fromkeys(one.run_id for one in batched):
            rows = [self._event_to_row(one) for one in batched if one.run_id == run_id]
            with self.run_connection(run_id) as connection:
                connection.execute(table.insert(), rows)
        if batched:
            insert = table.insert().values([self._event_to_row(one) for one in batched]).returning(table.c.id)
            with self.index_transaction() as connection:
                # Rows get their numbers in their order; SQLite may tell them in another.
                told = sorted(int(row[0]) for row in connection.execute(insert))
                self._store_asset_event_tags(connection, batched, told)
                # The row of an asset says what its last event says.
                for at in {one.get_dagster_event().asset_key: at for at, one in enumerate(batched)}.values():
                    self._store_asset_event(connection, batched[at], told[at])
        for one in events:
            if one.dagster_event_type not in BATCHED:
                self.store_event(one)

    def delete_events(self, run_id: str) -> None:
        """Empty the file of a run, which is deleted afterwards."""
        super().delete_events(run_id)
        with self._one_at_a_time:
            self._close(run_id)

    def wipe(self) -> None:
        """Delete everything."""
        self._close_all()
        super().wipe()

    def dispose(self) -> None:
        """Close the files; Dagster calls it when it has done with the storage."""
        super().dispose()
        self._close_all()

    def _make(self, shard: str) -> None:
        """Let there be the file, with tables."""
        path = Path(self.path_for_shard(shard))
        is_new = not path.exists()
        if is_new and self._empty:
            # Whole or not at all, whoever else makes it at this moment.
            part = path.with_name(f"{path.name}-{uuid4().hex}")
            part.write_bytes(self._empty)
            with contextlib.suppress(FileExistsError):
                os.link(part, path)
            part.unlink()
            self._initialized_dbs.add(shard)
            return
        with super()._connect(shard) as connection:
            if is_new:
                # To make a file anew takes Dagster sixty milliseconds of the processor's time, a copy one.
                raw: Any = connection.connection.driver_connection
                self._empty = raw.serialize()

    def _engine(self, shard: str) -> Engine:
        if self._owner != os.getpid():
            # This is a fork: SQLite's connections are the other process's, and even to close them would harm it.
            _left.append(self._opened)
            self._opened, self._owner = OrderedDict(), os.getpid()
        if shard not in self._opened:
            # Whoever uses it waits for its turn, so that it may be another thread.
            arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False}
            engine = create_engine(self.conn_string_for_shard(shard), poolclass=StaticPool, connect_args=arguments)
            event.listen(engine, "connect", _trust_the_system)
            self._opened[shard] = engine
            if len(self._opened) > FILES:
                self._close(next(iter(self._opened)))
        self._opened.move_to_end(shard)
        return self._opened[shard]

    def _close(self, shard: str) -> None:
        if self._owner == os.getpid() and (engine := self._opened.pop(shard, None)):
            engine.dispose()

    def _close_all(self) -> None:
        with self._one_at_a_time:
            for shard in list(self._opened):
                self._close(shard)


_left = list[Any]()


def _trust_the_system(connection: Any, _record: object) -> None:
    # Dagster's WAL is whole after a crash of the machine too, but for the events of the last moment.
    connection.execute("PRAGMA synchronous = NORMAL")


@lru_cache(maxsize=FILES)
def _kept_engine(url: str) -> Engine:
    # Compiled statements and no connection: each tick of a sensor opens the storage anew, and forks take it over.
    return create_engine(url, poolclass=NullPool)


class _KeptEngine:
    """For a storage that compiles its statements anew with each connection."""

    _conn_string: str

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """A transaction; Dagster calls it for whatever it reads or writes."""
        with _kept_engine(self._conn_string).connect() as connection, connection.begin():
            yield connection


class SqliteRuns(_KeptEngine, SqliteRunStorage):
    """As Dagster's."""


class SqliteSchedules(_KeptEngine, SqliteScheduleStorage):
    """As Dagster's."""


class SqliteStorage(DagsterSqliteStorage):
    """Dagster's storage in SQLite files below a folder, which is made if it doesn't exist."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        Path(base_dir).mkdir(parents=True, exist_ok=True)
        super().__init__(base_dir, inst_data)
        self._run_storage = SqliteRuns(vars(self._run_storage)["_conn_string"])
        self._schedule_storage = SqliteSchedules(vars(self._schedule_storage)["_conn_string"])
        self._event_log_storage = SqliteEvents(str(Path(self._event_log_storage.path_for_shard("any")).parent))
