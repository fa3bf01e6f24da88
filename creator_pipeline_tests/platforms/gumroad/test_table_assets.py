"""The assets of Gumroad's declared tables in real runs."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.definitions import defs
from creator_pipeline.monitoring.installation_checks import flags
from creator_pipeline.orchestration.books import ask_for_consent
from creator_pipeline.platforms import of_name
from creator_pipeline.platforms.gumroad import jobs
from creator_pipeline.platforms.gumroad.definitions import NIGHTLY_DAYS
from creator_pipeline.platforms.gumroad.tables import STREAMS, SUBSCRIBERS
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages
from creator_pipeline.store.unreadable import unreadable_of
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.installation import landed, run
from creator_pipeline_tests.support.sandbox import SandboxServer

KEYS = [dg.AssetKey(["gumroad", stream.name]) for stream in STREAMS]


def read(instance: dg.DagsterInstance, profile_id: str = "alice") -> dg.ExecuteInProcessResult:
    return run(instance, {}, "gumroad_tables", partition_key=profile_id)


def test_a_run_logs_each_table_and_a_missing_scope_turns_off_one(
    sqlite_warehouse: Warehouse, ring: KeyRing, gumroad_sandbox: SandboxServer, gumroad_instance: dg.DagsterInstance
) -> None:
    """Incident: a token without one scope, and a whole night's run that failed for it; then a mail for each table."""
    small.connect_all(sqlite_warehouse, ring, gumroad_sandbox)
    assert run(gumroad_instance, {}, "gumroad_catalogue", partition_key="alice").success
    gumroad_sandbox.world.gumroad.drop_scope("alice", "view_sales")
    result = read(gumroad_instance)
    assert result.success
    counts = {key.path[-1]: landed(gumroad_instance, key) for key in KEYS}
    assert [name for name, found in counts.items() if not found] == ["subscribers"]
    assert counts["offer_codes"]["alice"] == len(gumroad_sandbox.world.gumroad["alice"].products) + 1
    checks = {one.asset_key.path[-1]: one.passed for one in result.get_asset_check_evaluations()}
    assert [name for name, good in checks.items() if not good] == ["subscribers"]
    assert len(checks) == len(STREAMS)
    with sqlite_warehouse.read() as connection:
        (told,) = unreadable_of(connection, "gumroad", "alice")
    assert (told.part, "view_sales" in told.detail, "profiles connect alice" in told.hint) == (
        "subscribers",
        True,
        True,
    )
    platform = of_name("gumroad")
    assert platform
    assert platform.books
    for _ in range(2):
        ask_for_consent(sqlite_warehouse, platform, platform.books.get(), "alice")
    with sqlite_warehouse.read() as connection:
        kinds = connection.execute(select(email_messages.c.kind)).scalars().all()
    assert kinds == ["consent_needed"]
    gumroad_sandbox.world.gumroad["alice"].grants[-1].scopes.add("view_sales")
    assert read(gumroad_instance).success
    assert landed(gumroad_instance, KEYS[0])["alice"] > 0
    with sqlite_warehouse.read() as connection:
        assert unreadable_of(connection, "gumroad", "alice") == []


def test_streams_switches_tables_one_by_one(
    sqlite_warehouse: Warehouse,
    ring: KeyRing,
    gumroad_sandbox: SandboxServer,
    gumroad_instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Incident: reviews that a seller didn't want to be stored, and no way but to switch off the platform."""
    monkeypatch.setenv("STREAMS", "gumroad/utm_links, gumroad/nonsense")
    small.connect_all(sqlite_warehouse, ring, gumroad_sandbox)
    assert read(gumroad_instance).success
    assert [key.path[-1] for key in KEYS if landed(gumroad_instance, key)] == ["utm_links"]
    (line,) = [one for one in flags(settings.load()) if one.name == "flag STREAMS"]
    assert (line.state, "gumroad/nonsense" in line.detail) == ("no", True)


def test_an_asset_has_what_its_declaration_says() -> None:
    """Incident: an asset whose columns nobody had described."""
    spec = next(one for one in defs.resolve_all_asset_specs() if one.key == KEYS[0])
    columns = spec.metadata["dagster/column_schema"].columns
    assert [one.name for one in columns] == [column.name for column in SUBSCRIBERS.table.c]
    assert all(one.description for one in columns)
    assert (spec.group_name, spec.owners, bool(spec.freshness_policy)) == ("gumroad", ["team:data"], True)


def test_an_unchanged_night_with_every_table_takes_twelve_requests_at_most(
    sqlite_warehouse: Warehouse, ring: KeyRing, gumroad_sandbox: SandboxServer, gumroad_instance: dg.DagsterInstance
) -> None:
    """Incident: tables nobody had asked for used up the pace that the night's sales needed."""
    small.connect_all(sqlite_warehouse, ring, gumroad_sandbox)
    assert run(gumroad_instance, small.range_of("chen", "chen")).success
    # As the schedules of a night ask, one after the other.
    week = DayWindow(today() - timedelta(days=NIGHTLY_DAYS - 1), today() + timedelta(days=1))
    asked: list[dict[str, int]] = []
    for _ in range(2):
        before = dict(gumroad_sandbox.faults.requests)
        assert run(gumroad_instance, {}, "gumroad_catalogue", partition_key="chen").success
        assert run(gumroad_instance, small.range_of("chen", "chen", week)).success
        assert read(gumroad_instance, "chen").success
        assert run(gumroad_instance, {}, "gumroad_payouts", partition_key="chen").success
        drift = {**jobs.DRIFT.config("chen"), **small.QUIET}
        job = defs.resolve_job_def("gumroad_drift")
        assert job.execute_in_process(instance=gumroad_instance, run_config=drift).success
        now = gumroad_sandbox.faults.requests
        asked.append({path: n - before.get(path, 0) for path, n in now.items() if n > before.get(path, 0)})
    assert sum(asked[1].values()) <= 12, asked[1]
