"""Dagster's storage in SQLite files that stay open: its files are Dagster's, and nobody else's process closes them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alembic.util
import dagster as dg
import pytest
from alembic.script import ScriptDirectory
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.storage import sql, sqlite_storage
from sqlalchemy import create_engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.compiler import SQLCompiler

from creator_pipeline.runtime import storage
from creator_pipeline.runtime.dagster_internals import DagsterSqliteStorage, read_migrations_once
from creator_pipeline.runtime.dagster_internals.records import event_rows
from creator_pipeline.runtime.sqlite_events import FILES, SqliteEvents

KEY = dg.AssetKey("one")


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteEvents]:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    made = storage.sqlite_storage(str(tmp_path)).event_log_storage
    assert isinstance(made, SqliteEvents)
    yield made
    made.dispose()


def landed(run_id: str, number: int = 0) -> dg.EventLogEntry:
    """An asset's materialization by a run."""
    told = StepMaterializationData(dg.AssetMaterialization(KEY, partition=str(number)))
    kind = DagsterEventType.ASSET_MATERIALIZATION
    event = DagsterEvent(kind.value, "a_job", event_specific_data=told, step_key="a_step")
    return dg.EventLogEntry(None, 10, "", run_id, 1_700_000_000.0 + number, dagster_event=event, job_name="a_job")


def open_files(tmp_path: Path) -> list[str]:
    """Names of the databases that this process has open."""
    there = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sorted({Path(one).name for one in there if one.startswith(str(tmp_path)) and one.endswith(".db")})


def test_dagsters_own_storage_reads_what_this_one_wrote(events: SqliteEvents, tmp_path: Path) -> None:
    """Guards: a history that is lost on the way back to the storage of Dagster's, or to an older release."""
    for run in range(3):
        events.store_event(landed(f"run-{run}"))
        events.store_event_batch([landed(f"run-{run}", number) for number in range(1, 4)])
    events.dispose()
    own = DagsterSqliteStorage(str(tmp_path)).event_log_storage
    for run in range(3):
        assert [one.timestamp % 10 for one in own.get_logs_for_run(f"run-{run}")] == [0, 1, 2, 3]
    assert own.get_materialized_partitions(KEY) == {"0", "1", "2", "3"}
    newest = own.get_latest_materialization_events([KEY])[KEY]
    assert newest is not None
    assert (newest.run_id, newest.timestamp % 10) == ("run-2", 3)


def test_few_files_are_open_and_none_of_a_run_that_is_deleted(events: SqliteEvents, tmp_path: Path) -> None:
    """Guards: a daemon that has a thousand files open after a thousand runs, and room on the disk that no deletion
    gives back.
    """
    for run in range(2 * FILES):
        events.store_event(landed(f"run-{run}"))
    last = f"run-{2 * FILES - 1}"
    assert len(open_files(tmp_path)) <= FILES
    assert {"index.db", f"{last}.db"} <= set(open_files(tmp_path))
    events.delete_events(last)
    assert f"{last}.db" not in open_files(tmp_path)
    events.dispose()
    assert open_files(tmp_path) == []
    # What a run wrote is in its file and in none beside it.
    assert [path for path in tmp_path.rglob("*") if path.suffix in (".db-wal", ".db-shm")] == []


def test_a_fork_opens_the_files_itself(events: SqliteEvents) -> None:
    """Guards: a lock of the parent's that is gone as soon as its child closes the file, and two that write at once."""
    events.store_event(landed("run"))
    own = events._engine("run")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            events.store_event(landed("run", 1))
            code = int(events._engine("run") is own)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    events.store_event(landed("run", 2))
    assert [one.timestamp % 10 for one in events.get_logs_for_run("run")] == [0, 1, 2]


def test_threads_and_storages_write_at_once(events: SqliteEvents, tmp_path: Path) -> None:
    """Guards: a connection that two threads use at the same moment, and a writer that is told "database is locked"."""
    other = storage.sqlite_storage(str(tmp_path)).event_log_storage
    failed = list[BaseException]()

    def write(one: Any, first: int) -> None:
        try:
            for number in range(first, first + 10):
                one.store_event(landed("run", number))
        except BaseException as error:  # noqa: BLE001 - of a thread nobody hears
            failed.append(error)

    threads = [threading.Thread(target=write, args=(one, 10 * n)) for n, one in enumerate((events, events, other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(events.get_logs_for_run("run")) == 30
    with events.index_connection() as connection:
        assert len(connection.execute(event_rows().select()).all()) == 30
    other.dispose()


def test_the_newest_migration_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: an installation at rest used a third of a processor, most of it to look which migration is the newest."""
    read, load = list[str](), alembic.util.load_python_file

    def note(folder: str, name: str) -> object:
        read.append(name)
        return load(folder, name)

    monkeypatch.setattr(sql, "ScriptDirectory", ScriptDirectory)
    monkeypatch.setattr(alembic.util, "load_python_file", note)
    read_migrations_once()
    config, known = sql.get_alembic_config(str(sqlite_storage.__file__)), list[Any]()
    with create_engine("sqlite://").connect() as connection:
        known += [sql.check_alembic_revision(config, connection) for _ in range(2)]
        assert len(read) == len(set(read)) > 10
        monkeypatch.setattr(sql, "ScriptDirectory", ScriptDirectory)
        assert known == [sql.check_alembic_revision(config, connection)] * 2


def test_runs_and_ticks_compile_a_statement_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a daemon whose work is to build the same statement for each look at a sensor."""
    compiled, compile_ = list[str](), SQLCompiler.__init__
    # What the tests' engines share would have been compiled before.
    monkeypatch.delattr(SQLiteDialect_pysqlite, "engine_created")

    def note(self: SQLCompiler, *given: Any, **named: Any) -> None:
        compile_(self, *given, **named)
        compiled.append(self.string)

    monkeypatch.setattr(SQLCompiler, "__init__", note)
    for number in range(2):
        made = storage.sqlite_storage(str(tmp_path))
        begun = len(compiled)
        assert made.run_storage.get_runs(limit=1) == []
        assert made.schedule_storage.all_instigator_state() == []
        assert (len(compiled) > begun) is (number == 0), compiled[begun:]
