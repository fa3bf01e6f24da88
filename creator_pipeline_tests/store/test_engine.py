"""A database that isn't what it should be: a clear error, with a hint, and nothing half-written."""

import sqlite3

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import insert, make_url, text

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.runtime.storage import EnvStorage
from creator_pipeline.store import engine as room
from creator_pipeline.store.engine import KEEPALIVE, open_warehouse, ping
from creator_pipeline.store.load import replace
from creator_pipeline.store.tables import profiles, sales_events
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.ledger_samples import T0, event, of_day
from creator_pipeline_tests.support.tables import rows


@pytest.fixture(autouse=True)
def _forget():
    yield
    open_warehouse.cache_clear()


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://root@localhost/x", "postgresql://u:secret@host:port/db", "oracle+nothing://u@h/d", "://"],
)
def test_an_address_that_can_not_be_read_is_told_without_its_password(url):
    """Guards: a password in the log because a port was misspelt."""
    with pytest.raises(ConfigError, match="DATABASE_URL") as caught:
        open_warehouse(url)
    assert "postgresql://user:password@host" in caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_database_that_is_down_is_transient_and_says_where():
    """Guards: a run that is never tried again because the database was restarted."""
    with pytest.raises(TransientError, match=r"PostgreSQL at 127\.0\.0\.1:9 can't be reached") as caught:
        ping(open_warehouse("postgresql://u:secret@127.0.0.1:9/db"))
    assert caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_database_that_does_not_exist_is_for_a_person_to_fix(migrated_postgres):
    """Guards: retrying a typing error for hours."""
    url = make_url(migrated_postgres).set(database="nobody_made_me").render_as_string(hide_password=False)
    with pytest.raises(ConfigError, match="nobody_made_me"):
        ping(open_warehouse(url))


def test_the_spelling_of_hosting_providers_works(migrated_postgres):
    """Guards: postgres://, which SQLAlchemy no longer knows."""
    warehouse = open_warehouse(migrated_postgres.replace("postgresql://", "postgres://", 1))
    ping(warehouse)
    assert warehouse.is_postgres
    warehouse.engine.dispose()


def test_a_folder_in_place_of_the_file_and_a_file_that_is_no_database_are_told(tmp_path):
    """Guards: `unable to open database file` without saying which."""
    other = tmp_path / "notes.txt"
    other.write_text("not a database, but long enough to be looked at as one. " * 40)
    for path in (tmp_path, other):
        with pytest.raises(ConfigError, match=str(path)) as caught:
            ping(open_warehouse(f"sqlite:///{path}"))
        assert "DATABASE_URL" in caught.value.hint


def test_a_full_disk_is_told_and_nothing_is_half_written(sqlite_warehouse):
    """Guards: a partition of which the first half was kept when the disk was full."""
    warehouse = sqlite_warehouse
    with warehouse.write() as connection:
        replace(connection, sales_events, [event(1)], of_day(), what="test")
    before = rows(warehouse, sales_events)

    def small(connection, _record, _proxy) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")

    sa_event.listen(warehouse.engine, "checkout", small)
    with pytest.raises(TransientError, match="disk is full") as caught, warehouse.write() as connection:
        replace(connection, sales_events, [event(n, name="x" * 900) for n in range(400)], of_day(), what="test")
    assert "Free space" in caught.value.hint
    sa_event.remove(warehouse.engine, "checkout", small)
    warehouse.engine.dispose()
    assert rows(warehouse, sales_events) == before


def test_a_locked_file_waits_and_then_says_so(sqlite_warehouse, monkeypatch):
    """Guards: `database is locked` as a bug report."""
    warehouse = sqlite_warehouse
    sa_event.listen(warehouse.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 50"))
    warehouse.engine.dispose()
    other = sqlite3.connect(warehouse.engine.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransientError, match="was locked") as caught, warehouse.write():
        pass
    assert "PostgreSQL" in caught.value.hint
    with warehouse.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    other.execute("ROLLBACK")
    other.close()


def test_sqlite_is_set_up_for_many_processes(sqlite_warehouse):
    """Guards: readers that block the writer, and foreign keys that are only decoration."""
    with sqlite_warehouse.read() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 1, room.SQLITE_BUSY_SECONDS * 1000]


def test_an_error_of_the_database_shows_no_values(warehouse):
    """Guards: e-mail addresses and tokens of a failing statement in a run's log."""
    row = {
        "id": "alice",
        "email": "ada@example.com",
        "subscription_tier": None,
        "timezone": "UTC",
        "notify": "none",
        "created_at": T0,
    }
    with pytest.raises(Exception, match=r"(?i)null") as caught, warehouse.write() as connection:
        connection.execute(insert(profiles).values(row))
    text_of_all = str(caught.value) if not warehouse.is_postgres else str(caught.value).split("DETAIL")[0]
    assert "ada@example.com" not in text_of_all


def test_the_same_address_is_the_same_warehouse(sqlite_warehouse):
    """Guards: a pool of connections for each asset."""
    assert open_warehouse(str(sqlite_warehouse.engine.url)) is sqlite_warehouse


def test_a_server_that_vanished_is_noticed_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: the database's machine lost its power; the gateway's one writer waited two hours for an answer."""
    url = servers.postgres().fresh_database()
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    engines = [open_warehouse(url).engine]
    storage = EnvStorage.from_config_value(None, {})
    engines.append(storage.run_storage._engine)
    for engine in engines:
        with engine.connect() as connection:
            told = connection.connection.driver_connection.info.dsn_parameters
            assert {name: told.get(name) for name in KEEPALIVE} == {name: str(each) for name, each in KEEPALIVE.items()}
            assert told.get("keepalives", "1") == "1"
        engine.dispose()
    servers.postgres().drop(url)
