"""Dagster's storage in PostgreSQL keeps its connections, and each process its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import Engine, event, text

from creator_pipeline.runtime.postgres_events import KEPT_CONNECTIONS
from creator_pipeline.runtime.storage import postgres_storage
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support import servers


@pytest.fixture
def url() -> Iterator[str]:
    made = servers.postgres().fresh_database()
    yield made
    servers.postgres().drop(made)


@pytest.fixture
def opened() -> Iterator[list[object]]:
    """What is connected while the test runs, in this process."""
    seen: list[object] = []

    def note(connection: object, _record: object) -> None:
        seen.append(connection)

    event.listen(Engine, "connect", note)
    yield seen
    event.remove(Engine, "connect", note)


def use(url: str) -> None:
    """What a tick and a run do: the storage is made anew, and asked for runs, events and schedules."""
    storage = postgres_storage(url)
    storage.run_storage.get_runs_count()
    storage.event_log_storage.all_asset_keys()
    storage.event_log_storage.has_asset_key(dg.AssetKey("sales_events"))
    storage.schedule_storage.all_instigator_state()


def test_statements_share_a_connection(url: str, opened: list[object]) -> None:
    """Incident: a connection for each statement: PostgreSQL worked longer for a night than all of its runs."""
    for _ in range(5):
        use(url)
    assert len(opened) <= KEPT_CONNECTIONS


def test_a_fork_opens_its_own_and_the_parent_keeps_its(url: str) -> None:
    """Guards: a run, which is a fork, that speaks over the connection of the process it was forked from."""
    storage = postgres_storage(url).run_storage

    def backend() -> int:
        with storage.connect() as connection:
            return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    before = {backend() for _ in range(2 * KEPT_CONNECTIONS)}
    for _ in range(2):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            # No end of pytest's may run in it.
            try:
                os.write(writer, str(backend()).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        theirs = int(os.read(reader, 20))
        os.close(reader)
        os.close(writer)
        assert theirs not in before
        assert backend() in before


def test_a_server_that_came_back_is_asked_again(url: str) -> None:
    """Guards: a kept connection of before the restart, which would fail one tick, run or event for each."""
    storage = postgres_storage(url).run_storage
    assert storage.get_runs_count() == 0
    with open_warehouse(url).engine.begin() as connection:
        killed = connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        assert 1 <= len(killed.all()) <= KEPT_CONNECTIONS
    open_warehouse(url).engine.dispose()
    assert storage.get_runs_count() == 0
