"""The schema, from nothing to head and back, on both databases."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.store import migrate
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import metadata
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.paths import ROOT


@pytest.fixture
def fresh(warehouse_url):
    """A database that was never migrated."""
    warehouse = open_warehouse(warehouse_url)
    yield warehouse
    warehouse.engine.dispose()
    open_warehouse.cache_clear()


def revision(warehouse) -> str | None:
    """Of the database."""
    with warehouse.engine.connect() as connection:
        return migrate.current(connection)


def test_a_new_database_is_migrated_once_and_equals_the_tables(fresh):
    """Guards: a column that exists in the code and not in production, and a migration that runs at each start."""
    assert revision(fresh) is None
    assert migrate.upgrade(fresh.engine) is True
    assert migrate.upgrade(fresh.engine) is False
    assert revision(fresh) == migrate.HEAD
    with fresh.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_first_use_migrates(fresh):
    """Guards: a newcomer who must know about a command before anything works."""
    with fresh.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM sales_events")).scalar_one() == 0


def test_down_and_up_again(fresh):
    """Guards: a downgrade that nobody ever tried until the night it is needed."""
    migrate.upgrade(fresh.engine)
    migrate.downgrade(fresh.engine, "base")
    with fresh.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
        assert inspect(connection).get_view_names() == []
    assert migrate.upgrade(fresh.engine) is True
    with fresh.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_what_to_do_about_an_open_problem_stays_with_it_when_its_column_is_renamed(fresh):
    """Guards: problems that are open during the upgrade and lose their text."""
    migrate.upgrade(fresh.engine)
    for revision, column in (("0004", "mend"), ("0005", "hint"), ("0004", "mend")):
        (migrate.upgrade if column == "hint" else migrate.downgrade)(fresh.engine, revision)
        with fresh.engine.begin() as connection:
            if not connection.execute(text("SELECT count(*) FROM health_reports")).scalar():
                row = "INSERT INTO health_reports (id, text, mend, since) VALUES ('a', 'It broke.', 'Fix it.', :now)"
                connection.execute(text(row), {"now": "2026-11-23 00:00:00+00:00"})
            assert connection.execute(text(f"SELECT {column} FROM health_reports")).scalars().all() == ["Fix it."]


def test_the_newest_revision_is_the_one_the_code_names():
    """Guards: a migration added and never applied, because the quick check says the database is current."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


_START = "import sys; from creator_pipeline.store import engine, migrate; print(migrate.upgrade(engine.open_warehouse(sys.argv[1]).engine))"


def test_processes_that_start_at_once_migrate_once(warehouse_url):
    """Guards: `dagster dev`, whose four processes all find an empty database."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _START, warehouse_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )
        for _ in range(3)
    ]
    ended = [(process.communicate(timeout=120), process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0, 0], ended
    assert sorted(out.strip() for (out, _), _ in ended) == [b"False", b"False", b"True"]


def test_a_database_of_a_newer_release_is_a_clear_error(fresh):
    """Guards: an Alembic stack trace after a deployment was rolled back."""
    migrate.upgrade(fresh.engine)
    with fresh.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="9999") as caught, fresh.read():
        pass
    assert caught.value.hint


def test_a_crash_in_the_middle_of_a_migration_leaves_the_former_schema(fresh, monkeypatch):
    """Guards: half a schema, at which every later start fails."""
    real = migrate._config

    def broken(connection):
        config = real(connection)
        connection.execute(text("CREATE TABLE whop_payments (id TEXT)"))
        return config

    monkeypatch.setattr(migrate, "_config", broken)
    with pytest.raises(Exception, match="already exists"):
        fresh.ensure_migrated()
    with fresh.engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    fresh.ensure_migrated()


def test_a_migration_makes_way_for_whoever_waits_behind_it(monkeypatch):
    """Guards: a migration that waits for a dump to end, and every upload that waits for the migration."""
    warehouse = open_warehouse(servers.postgres().fresh_database())
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr(migrate, "_PAUSE_SECONDS", 0.05)
    migrate.upgrade(warehouse.engine)
    ended: list[str] = []
    with warehouse.engine.begin() as dump, warehouse.engine.connect() as other:
        other.execute(text("SET statement_timeout = '30s'"))
        dump.execute(text("SELECT count(*) FROM kdp_uploads"))
        going = threading.Thread(target=lambda: ended.append(str(migrate.downgrade(warehouse.engine, "0001"))))
        going.start()
        for _ in range(5):
            time.sleep(0.05)
            other.execute(text("UPDATE kdp_uploads SET rows = 0"))
            other.commit()
        assert ended == []
    going.join()
    assert revision(warehouse) == "0001"
    monkeypatch.setattr(migrate, "PATIENCE_SECONDS", 0.1)
    with warehouse.engine.begin() as dump:
        dump.execute(text("SELECT count(*) FROM kdp_uploads"))
        with pytest.raises(TransientError, match="another session"):
            migrate.upgrade(warehouse.engine)
    assert migrate.upgrade(warehouse.engine)
    warehouse.engine.dispose()
