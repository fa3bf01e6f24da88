"""``creator-pipeline move``: an installation on SQLite goes to PostgreSQL, and nothing of it is lost or doubled."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.scheduler.instigation import ScheduleInstigatorData, SensorInstigatorData
from dagster._daemon.types import DaemonHeartbeat
from sqlalchemy import insert, select, update

from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.runtime import move_history
from creator_pipeline.runtime.dagster_internals import moving
from creator_pipeline.store import move, profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import email_messages, metadata, platform_connections, sales_events
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.filling import fill
from creator_pipeline_tests.support.tables import rows

SALES = dg.AssetKey(["gumroad", "sales"])
BIG = 9_000_000_000_000_000_000
ODD = "tab\t, line\nend, back\\slash, \\N, quote', 書籍 \U0001f600"


@pytest.fixture
def filled(sqlite_warehouse: Warehouse, ring: KeyRing) -> Warehouse:
    """Rows of two profiles in every table, with what is hard to copy."""
    with sqlite_warehouse.write() as connection:
        for name in ("alice", "bea"):
            fill(connection, name)
        connection.execute(update(email_messages).values(payload=ODD, provider_id=None))
        connection.execute(update(sales_events).values(net_micros=-BIG, gross_micros=BIG))
        connection.execute(platform_connections.delete())
        profiles.connect(connection, ring, "gumroad", "alice", "her token")
    return sqlite_warehouse


@pytest.fixture
def target() -> Iterator[str]:
    url = servers.postgres().fresh_database()
    yield url
    open_warehouse(url).engine.dispose()


def test_every_row_of_every_table_arrives_as_it_was(filled: Warehouse, target: str, ring: KeyRing) -> None:
    """Incident: an installation that had outgrown SQLite had no way on but to begin anew: uploads, mails, who had turned
    them off, and the days on which refunds were first seen were lost."""
    moved = move.move(filled, open_warehouse(target))
    assert moved.copied
    there = open_warehouse(target)
    for table in metadata.sorted_tables:
        assert rows(there, table, stamps=True) == rows(filled, table, stamps=True), table.name
    assert moved.rows["profiles"] == 2
    assert profiles.get_connection(there, ring, "gumroad", "alice").access_token == "her token"
    # After a kill behind the commit the same command finds its own work.
    assert move.move(filled, there) == moved._replace(copied=False)


def test_what_is_killed_in_the_middle_leaves_nothing_and_can_be_run_again(
    filled: Warehouse, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: half of an installation in the new database, and a command that refuses because it isn't empty."""
    insert_rows, calls = move._insert, list[str]()

    def die(new, table, some) -> None:
        calls.append(table.name)
        if len(calls) == 30:
            raise KeyboardInterrupt
        insert_rows(new, table, some)

    monkeypatch.setattr(move, "_insert", die)
    with pytest.raises(KeyboardInterrupt):
        move.move(filled, open_warehouse(target))
    assert all(rows(open_warehouse(target), table) == [] for table in metadata.sorted_tables)
    monkeypatch.undo()
    assert move.move(filled, open_warehouse(target)).copied


ALTERED = {
    "sales_events.net_micros (rest)": update(sales_events).values(net_micros=-BIG + 1),
    "email_messages.payload (characters)": update(email_messages).values(payload=ODD[:-1]),
    "email_messages.provider_id (filled)": update(email_messages).values(provider_id="x"),
    "sales_events.rows": sales_events.delete().where(sales_events.c.profile_id == "bea"),
}


def test_what_arrives_otherwise_is_named_and_not_written(
    filled: Warehouse, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a copy that is taken for whole because it ended without an error: a millionth, a character, a row less."""
    compare = move.differences
    for told, change in ALTERED.items():

        def altered(old, new, change=change) -> list[str]:
            new.execute(change)
            return compare(old, new)

        monkeypatch.setattr(move, "differences", altered)
        with pytest.raises(DataError, match=r"Nothing was written") as refused:
            move.move(filled, open_warehouse(target))
        assert told in refused.value.message
        assert rows(open_warehouse(target), sales_events) == []


def test_another_installation_is_not_written_over(filled: Warehouse, target: str) -> None:
    """Guards: two installations in one database."""
    with open_warehouse(target).write() as connection:
        profiles.add_profile(connection, "someone", "someone@example.com")
    with pytest.raises(ConfigError, match=r"isn't empty: profiles \(1\)"):
        move.move(filled, open_warehouse(target))
    with pytest.raises(ConfigError, match="the warehouse itself"):
        move.move(filled, filled)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance on SQLite with a profile, two days that landed, a schedule that is on and a sensor with a cursor."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("DAGSTER_POSTGRES_URL", raising=False)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as it:
        it.add_dynamic_partitions("gumroad_profiles", ["alice"])
        for day in ("2026-01-01", "2026-01-02", "2026-01-02"):
            it.report_runless_asset_event(
                dg.AssetMaterialization(SALES, partition=f"{day}|alice", metadata={"dagster/partition_row_count": 3})
            )
        it.report_runless_asset_event(dg.AssetMaterialization("products"))
        yield it


def test_dagster_knows_the_days_that_landed_and_when(home: dg.DagsterInstance, target: str) -> None:
    """Incident: after a move all days were shown as missing, and a backfill that goes on began anew."""
    told = move_history.move_history(home, target, ["gumroad_profiles", "kdp_uploads"])
    assert told == (1, 3, 0)
    new = move_history.postgres_storage(target).event_log_storage
    assert new.get_dynamic_partitions("gumroad_profiles") == ["alice"]
    assert new.get_materialized_partitions(SALES) == {"2026-01-01|alice", "2026-01-02|alice"}
    for key in (SALES, dg.AssetKey("products")):
        before = home.get_latest_materialization_event(key)
        after = new.get_latest_materialization_events([key])[key]
        assert before is not None
        assert after is not None
        assert (after.timestamp, after.asset_materialization) == (before.timestamp, before.asset_materialization)
    assert move_history.move_history(home, target, ["gumroad_profiles"]) == (1, 0, 0)


def test_it_refuses_while_somebody_works(home: dg.DagsterInstance) -> None:
    """Guards: a day that a run wrote into the old warehouse after it had been copied."""
    move_history.require_quiet(home)
    home.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 10, "SENSOR", "one"))
    with pytest.raises(ConfigError, match="dagster-daemon is at work: it told of itself 10 s ago"):
        move_history.require_quiet(home)
    home.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 100, "SENSOR", "one"))

    @dg.job
    def gumroad_sync() -> None: ...

    home.create_run_for_job(gumroad_sync, status=dg.DagsterRunStatus.STARTED)
    with pytest.raises(ConfigError, match="Runs are not over: gumroad_sync"):
        move_history.require_quiet(home)


def test_it_refuses_while_a_process_has_the_warehouse_open(filled: Warehouse, target: str) -> None:
    """Incident: PUBLIC_URL could not be reached from the server itself, and the gateway behind it still took deliveries."""
    assert move.who_has_it_open(filled) == []
    holds = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", holds, str(filled.engine.url.database)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        [found] = move.who_has_it_open(filled)
        assert found.startswith(f"process {other.pid} (")
        refused = CliRunner().invoke(cli, ["move", "--to", target])
        assert isinstance(refused.exception, ConfigError)
        assert f"in use by process {other.pid}" in refused.exception.message
        other.communicate()
    assert move.who_has_it_open(filled) == []


@pytest.mark.parametrize("data", [SensorInstigatorData(cursor="4711"), ScheduleInstigatorData("10 2 * * *", 1.0)])
def test_a_switch_stays_on_and_makes_up_for_nothing(data) -> None:
    """Guards: a sensor that looks for event 4711 of a storage that begins with 1; five nights in one minute."""

    class State:
        instigator_data = data

        def with_data(self, new):
            return new

    new = moving.from_now_on(State())
    assert getattr(new, "cursor", None) is None
    assert getattr(new, "start_timestamp", time.time()) > time.time() - 60


def test_the_command_says_what_to_set(filled: Warehouse, home: dg.DagsterInstance, target: str) -> None:
    """Guards: a copy that nobody uses, because the processes were started with the old addresses."""
    dagster_url = servers.postgres().fresh_database()
    words = ["move", "--to", target, "--dagster-to", dagster_url]
    same = CliRunner().invoke(cli, ["move", "--to", target, "--dagster-to", target])
    assert isinstance(same.exception, ConfigError)
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "are the same on both sides" in done.output
    assert "Dagster: 1 key of partitions, 3 events of what has landed" in done.output
    assert "DATABASE_URL" in done.output
    assert "no key here can read" not in done.output
    assert "were there already" in CliRunner().invoke(cli, words, catch_exceptions=False).output
    with open_warehouse(target).read() as connection:
        assert connection.execute(select(sales_events.c.id)).first() is not None
    with open_warehouse(target).write() as connection:
        connection.execute(insert(profiles.profiles).values(**profiles.get_profile(filled, "alice") | {"id": "chen"}))
    assert isinstance(CliRunner().invoke(cli, words).exception, ConfigError)
