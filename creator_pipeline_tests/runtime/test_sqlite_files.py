"""Dagster's SQLite files are what Dagster makes them, whoever made them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.sqlite_storage import SqliteEventLogStorage

from creator_pipeline.runtime import sqlite_files
from creator_pipeline.runtime.dagster_internals import sqlite_storage

RUN = "0a8f9b3e-6f0f-4f7e-9d0c-1c8e7f3f7a10"


@pytest.fixture
def events(tmp_path: Path) -> Iterator[SqliteEventLogStorage]:
    storage = sqlite_storage(str(tmp_path), None)
    assert isinstance(storage.event_log_storage, SqliteEventLogStorage)
    yield storage.event_log_storage
    storage.dispose()


def contents(file: Path) -> tuple[set[tuple[str, str]], list[str], str]:
    """Tables and indexes, revisions, and how the file is written to."""
    with closing(sqlite3.connect(file)) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        tables = {(name, " ".join(sql.split())) for name, sql in made}
        revisions = [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]
        return tables, revisions, connection.execute("PRAGMA journal_mode").fetchone()[0]


def test_the_file_of_a_run_is_the_one_that_dagster_would_have_made(
    events: SqliteEventLogStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a run whose events can't be written, or can't be migrated by the next release of Dagster."""
    mine = Path(events.path_for_shard(RUN))
    assert events.get_logs_for_run(RUN) == []
    monkeypatch.setattr(sqlite_files, "copy_tables", lambda _: False)
    assert events.get_logs_for_run("by-dagster") == []
    assert contents(mine) == contents(Path(events.path_for_shard("by-dagster")))
    assert events.alembic_version()[0] == events.alembic_version()[1] == contents(mine)[1][0]
    assert sorted(path.suffix for path in mine.parent.iterdir() if RUN in path.name) == [".db"]


def test_a_file_that_is_there_is_left_as_it_is(events: SqliteEventLogStorage) -> None:
    """Guards: a run's events that another process had written, gone."""
    file = Path(events.path_for_shard(RUN))
    assert sqlite_files.copy_tables(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO event_logs (run_id, event) VALUES ('r', 'told')")
    made = [sqlite_files.copy_tables(file) for _ in range(2)]
    assert made == [False, False]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT event FROM event_logs").fetchall() == [("told",)]


def test_two_who_make_the_file_at_once_write_to_one(
    events: SqliteEventLogStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: the first events of a run, lost where the web server looked at it in the same moment."""
    file = Path(events.path_for_shard(RUN))
    real = sqlite_files.os.link

    def somebody_was_faster(half_made: Path, target: Path) -> None:
        monkeypatch.setattr(sqlite_files.os, "link", real)
        other = threading.Thread(target=lambda: created(target))
        other.start()
        other.join()
        real(half_made, target)

    def created(target: Path) -> None:
        with closing(sqlite3.connect(target)) as connection, connection:
            connection.execute("CREATE TABLE of_the_other (one)")

    monkeypatch.setattr(sqlite_files.os, "link", somebody_was_faster)
    assert not sqlite_files.copy_tables(file)
    assert {name for name, _ in contents_without_revision(file)} == {"of_the_other"}
    assert [path.name for path in file.parent.glob(f"{RUN}*.made")] == []


def contents_without_revision(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master").fetchall()


def test_an_engine_is_made_once_for_a_file(events: SqliteEventLogStorage) -> None:
    """Guards: each event of a run in 8 ms, for its statements are compiled anew."""
    made = sqlite_files._kept_engine.cache_info().misses
    entry = dg.EventLogEntry(
        error_info=None, level="debug", user_message="", run_id=RUN, timestamp=1.0, dagster_event=None
    )
    for _ in range(5):
        events.store_event(entry)
    assert sqlite_files._kept_engine.cache_info().misses == made + 1
    assert len(events.get_logs_for_run(RUN)) == 5
