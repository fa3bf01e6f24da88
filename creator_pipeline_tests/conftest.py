"""Fixtures for all rooms: a warehouse on each database, an own home, a sandbox."""

from __future__ import annotations

import gc
import os
import shutil
import socketserver
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import sleep

import hypothesis
import pytest
from dagster._core.storage.defs_state.base import _current_storage
from sqlalchemy import Engine, text
from sqlalchemy.event import listens_for

from creator_pipeline import platforms, settings
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import today
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import metadata
from creator_pipeline_tests.support import quick_engines, servers
from creator_pipeline_tests.support.sandbox import WHOP_SIZES, SandboxServer, World

# From here on the warehouse's metadata has every table.
platforms.declared()

quick_engines.share_statements()

# Servers of http.server write head and body one by one: the body would wait 40 ms for the client's delayed ACK.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

# How long an example takes says what else the machine does.
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")

pytest_plugins = [
    f"creator_pipeline_tests.support.{name}" for name in ("pipeline_fixtures", "project_fixtures", "sandbox_fixtures")
]
LARGE = 2**18
"""Bytes of a table from which on it is vacuumed."""
_FILLED = "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0"
SUITE_SECONDS = 1_200.0
"""What the whole suite may take on a slow machine."""


def pytest_configure(config: pytest.Config) -> None:
    """What the pinned Dagster does with newer libraries is not ours to fix; our own warnings stay errors."""
    for text_of_warning in ("The `__fields__` attribute is deprecated",):
        config.addinivalue_line("filterwarnings", f"ignore:{text_of_warning}")
    _wait_for_midnight(config)
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        gc.enable()  # it only starts those that collect


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The few that may take minutes begin first: at the end all but one worker would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


# While modules are imported and tests collected nearly all objects stay: to look for others took two seconds.
gc.disable()


def pytest_collection_finish() -> None:
    """What is loaded stays to the end: to look through it again and again was a fifth of the tests' processor time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def _wait_for_midnight(config: pytest.Config) -> None:
    """The invented worlds are of one UTC day: a whole suite that would run into the next one begins there."""
    moment = datetime.now(UTC)
    left = (datetime.combine(moment.date(), time.min, UTC) + timedelta(days=1) - moment).total_seconds()
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not hasattr(config, "workerinput")
    if whole and left < SUITE_SECONDS:
        sys.stderr.write(f"{left:.0f} s to midnight UTC: the suite begins after it.\n")
        sleep(left + 1)


@listens_for(Engine, "connect")
def _without_waiting_for_the_disk(connection: object, _record: object) -> None:
    """No test cuts the machine's power: of the warehouse's files and of Dagster's, in this process."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable and no .env of the person who runs the tests may reach them."""
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("APP_SECRET_KEYS", os.environ.setdefault("CREATOR_PIPELINE_TEST_KEY", new_key()))
    monkeypatch.setenv("GUMROAD_REQUESTS_PER_MINUTE", "60000000")
    monkeypatch.chdir(tmp_path)
    # An instance of Dagster that was entered twice stays here when it has ended, and definitions would ask it.
    _current_storage.set(None)


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'warehouse.sqlite'}"
        return
    yield servers.postgres().fresh_database()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty file to copy: cheaper than migrating for each test."""
    path = tmp_path_factory.mktemp("migrated") / "warehouse.sqlite"
    warehouse = open_warehouse(f"sqlite:///{path}")
    warehouse.ensure_migrated()
    warehouse.engine.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_postgres() -> str:
    """URL of one migrated database of this process; whoever takes it empties its tables first."""
    url = servers.postgres().fresh_database()
    warehouse = open_warehouse(url)
    warehouse.ensure_migrated()
    warehouse.engine.dispose()
    return url


def _emptied_postgres(request: pytest.FixtureRequest) -> str:
    url = request.getfixturevalue("migrated_postgres")
    warehouse = open_warehouse(url)
    # TRUNCATE makes new files for each table and index: half a second for what is nearly empty.
    with warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        sizes = dict(map(tuple, connection.execute(text(_FILLED))))
        names = [table.name for table in reversed(metadata.sorted_tables) if table.name in sizes]
        if names:
            connection.execute(text("; ".join(f'DELETE FROM "{name}"' for name in names)))
        # A server that doesn't by itself keeps the rows of all tests before, and reads past them.
        large = [f'"{name}"' for name in names if sizes[name] > LARGE]
        if large:
            connection.execute(text(f"VACUUM {', '.join(large)}"))
    return url


@pytest.fixture
def sqlite_warehouse(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """An empty SQLite warehouse, also the one that ``DATABASE_URL`` names."""
    copy = tmp_path / "warehouse.sqlite"
    shutil.copyfile(migrated_sqlite, copy)
    yield from _opened(f"sqlite:///{copy}", monkeypatch)


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """An empty, migrated warehouse on each database, also the one that ``DATABASE_URL`` names."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_warehouse")
        return
    yield from _opened(_emptied_postgres(request), monkeypatch)


def _opened(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    monkeypatch.setenv("DATABASE_URL", url)
    # It stays open for the next test of this URL: a new one would compile each statement again.
    warehouse = open_warehouse(url)
    yield warehouse
    warehouse.engine.dispose()


@pytest.fixture
def ring() -> KeyRing:
    """The keys that settings name."""
    return KeyRing([os.environ["APP_SECRET_KEYS"]])


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """Stand-ins of the platforms with a world of their own; settings point at them."""
    with SandboxServer(World.invented(7, today=today(), whop_sizes=WHOP_SIZES)) as server:
        monkeypatch.setenv("GUMROAD_API_URL", server.gumroad_url)
        yield server


@pytest.fixture
def first_day() -> date:
    """A day before everything in the sandbox."""
    return date.fromordinal(today().toordinal() - 130)
