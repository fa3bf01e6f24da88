"""Old runs go from Dagster's storage, and what its pages show stays, in real SQLite files and in a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import func, select, text

from creator_pipeline.core.budget import Budget
from creator_pipeline.core.windows import now
from creator_pipeline.orchestration import old_runs
from creator_pipeline.orchestration.old_runs import delete_old_runs
from creator_pipeline.runtime import dagster_internals, run_events
from creator_pipeline.runtime.dagster_internals import records
from creator_pipeline.runtime.outcome import Outcome
from creator_pipeline.runtime.tags import KEEP_TAG, PROFILE_TAG, RANGE_END, RANGE_START, TRIGGER_TAG
from creator_pipeline.store import health_reports
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.installation import QUIET
from creator_pipeline_tests.support.paths import ROOT

SALES, TOTAL = dg.AssetKey("sales"), dg.AssetKey("total")
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-03-01")
ON_SQLITE = pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
BY_DAGSTER = pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`")
BROKEN = {"days": False}


@dg.asset(
    name="sales",
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("adds_up", asset="sales")],
    output_required=False,
)
def sales(context: dg.AssetExecutionContext) -> Iterator[Any]:
    outcome = Outcome(context)
    for number, day in enumerate(context.partition_keys):
        outcome.materialized(SALES, day, number, {"night": context.run.tags.get("night", "")})
        if BROKEN["days"]:
            raise dg.Failure("the platform is away", allow_retries=False)
    if "quiet" in context.run.tags:
        return
    context.log_event(dg.AssetObservation(SALES, description="Totals of the run."))
    yield dg.AssetCheckResult(passed=True, check_name="adds_up", metadata={"night": context.run.tags.get("night", "")})


@dg.asset(name="total")
def total() -> None:
    """Without partitions."""


DEFS = dg.Definitions(
    [sales, total],
    jobs=[dg.define_asset_job("nightly", [sales]), dg.define_asset_job("rollup", [total])],
    executor=dg.in_process_executor,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def instance(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the storage of ``dagster.yaml``."""
    home = tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    monkeypatch.delenv("DAGSTER_POSTGRES_URL", raising=False)
    monkeypatch.setattr("creator_pipeline.runtime.run_logs.RunLines.muted", True)
    url = servers.postgres().fresh_database() if request.param == "postgresql" else ""
    if url:
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setitem(BROKEN, "days", False)
    with dg.DagsterInstance.get() as made:
        yield made
    if url:
        servers.postgres().drop(url)


def run(instance: dg.DagsterInstance, job: str, **tags: str) -> str:
    asked = {"night": "", **tags}
    return (
        DEFS.resolve_job_def(job)
        .execute_in_process(instance=instance, tags=asked, run_config=QUIET, raise_on_error=False)
        .run_id
    )


def night(instance: dg.DagsterInstance, number: int, days: int = 3, **tags: Any) -> str:
    """A run over a few days that end with this one."""
    first, last = (DAYS.get_partition_keys()[at] for at in (max(number - days + 1, 0), number))
    return run(instance, "nightly", night=str(number), **{RANGE_START: first, RANGE_END: last}, **tags)


def clean(instance: dg.DagsterInstance, warehouse: Warehouse, **more: Any) -> dict[str, int]:
    """As if every run had ended long ago."""
    return dict(delete_old_runs(instance, warehouse, now() + timedelta(hours=1), **more))


def ids(instance: dg.DagsterInstance) -> set[str]:
    return set(instance.get_run_ids())


@dataclass(frozen=True)
class Shown:
    """What pages show, beside the runs."""

    status: dict[str, object]
    events: dict[str, tuple[int, float, object]]
    latest: object
    check: object
    observed: object
    failed: object

    @classmethod
    def of(cls, instance: dg.DagsterInstance) -> "Shown":
        storage = instance.event_log_storage
        newest = storage.get_latest_storage_id_by_partition(SALES, dg.DagsterEventType.ASSET_MATERIALIZATION)
        wanted = dg.AssetRecordsFilter(SALES, storage_ids=sorted(newest.values()))
        records = instance.fetch_materializations(wanted, limit=1_000).records
        summary = next(iter(storage.get_asset_check_summary_records([dg.AssetCheckKey(SALES, "adds_up")]).values()))
        execution = summary.last_check_execution_record
        return cls(
            dict(instance.get_status_by_partition(SALES, DAYS.get_partition_keys(), DAYS) or {}),
            {
                one.partition_key: (one.storage_id, one.timestamp, one.asset_materialization.metadata)
                for one in records
                if one.partition_key and one.asset_materialization
            },
            instance.get_latest_materialization_event(SALES),
            execution and (execution.run_id, execution.status, execution.event),
            [one.storage_id for one in instance.fetch_observations(SALES, limit=1).records],
            storage.get_latest_asset_partition_materialization_attempts_without_materializations(SALES),
        )


def rows(instance: dg.DagsterInstance) -> tuple[int, int]:
    """Of events that belong to a run, and of what checks said."""
    events, checks = records.event_rows(), records.check_rows()
    with run_events.transaction(instance) as connection:
        with_run = connection.execute(
            select(func.count()).select_from(events).where(events.c.run_id != "")
        ).scalar_one()
        said = connection.execute(select(func.count()).select_from(checks)).scalar_one()
    return with_run, said


def files(instance: dg.DagsterInstance) -> set[str]:
    """Runs that have a file of events."""
    name = records.run_file(instance, "any")
    return {one.stem for one in Path(name).parent.glob("*-*.db")} if name else set()


def test_nights_go_and_every_page_shows_what_it_did(instance: dg.DagsterInstance, sqlite_warehouse: Warehouse) -> None:
    """Incident: a hundred profiles added 109 MB each a year, as every night has the last word on one of its days."""
    runs = [night(instance, number) for number in range(4)]
    runs.append(night(instance, 1, days=1, **{KEEP_TAG: "1"}))
    runs.append(night(instance, 4, days=2))
    rolled = [run(instance, "rollup") for _ in range(2)]
    shown, before = Shown.of(instance), rows(instance)
    assert len(shown.events) == 5
    counts = clean(instance, sqlite_warehouse)
    assert Shown.of(instance) == shown
    # The marked one, and the newest of each job.
    assert ids(instance) == {runs[4], runs[-1], rolled[-1]}
    # Days 0 and 2: the marked run has day 1, and the last night has days 3 and 4.
    assert counts == {"runs": 5, "events kept without their run": 2}
    after = rows(instance)
    assert after[0] < before[0] / 2
    # Of the marked run and of the last night: a plan for each day, and a result.
    assert after[1] == 5
    assert files(instance) <= ids(instance)
    assert clean(instance, sqlite_warehouse)["runs"] == 0


@ON_SQLITE
def test_a_young_run_stays(instance: dg.DagsterInstance, sqlite_warehouse: Warehouse) -> None:
    """Incident: the run that somebody was looking at."""
    assert run(instance, "rollup") != run(instance, "rollup")
    assert delete_old_runs(instance, sqlite_warehouse, now() - timedelta(days=1))["runs"] == 0
    assert len(ids(instance)) == 2


def test_a_failed_run_stays_until_its_days_have_landed(
    instance: dg.DagsterInstance, sqlite_warehouse: Warehouse
) -> None:
    """Incident: a failed day that looked like one that was never asked for, with nothing to read why."""
    BROKEN["days"] = True
    failed = night(instance, 3)
    BROKEN["days"] = False
    newest = [night(instance, number, days=1) for number in (4, 5)]
    shown = Shown.of(instance)
    assert sum(one == dg.AssetPartitionStatus.FAILED for one in shown.status.values()) == 2
    clean(instance, sqlite_warehouse)
    assert ids(instance) == {failed, newest[-1]}
    assert Shown.of(instance) == shown
    again = night(instance, 3)
    clean(instance, sqlite_warehouse)
    assert ids(instance) == {again}


def test_who_said_or_saw_it_last_stays(instance: dg.DagsterInstance, sqlite_warehouse: Warehouse) -> None:
    """Incident: a check that is seldom evaluated read "Not evaluated" once its last run had gone."""
    said, quiet = night(instance, 0, 1), [night(instance, number, 1, quiet="1") for number in (0, 1)]
    shown = Shown.of(instance)
    clean(instance, sqlite_warehouse)
    # The quiet ones had planned the check, and nobody has evaluated it since.
    assert (ids(instance), Shown.of(instance)) == ({said, *quiet}, shown)
    again = night(instance, 2, 1)
    clean(instance, sqlite_warehouse)
    assert ids(instance) == {again}


def killed_at(instance: dg.DagsterInstance, warehouse: Warehouse, place: Any, name: str) -> None:
    """Clean until a step is done, and not what comes after it."""
    made = getattr(place, name)

    def killed(*args: Any, **options: Any) -> None:
        made(*args, **options)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, killed)
        with pytest.raises(KeyboardInterrupt):
            clean(instance, warehouse)


def test_killed_at_any_step_the_next_one_goes_on(instance: dg.DagsterInstance, sqlite_warehouse: Warehouse) -> None:
    """Incident: a process that was killed between Dagster's two deletions left events that no run led to."""
    newest = night(instance, 0)
    steps: list[tuple[Any, str]] = [
        (run_events, "release"),
        (run_events, "forget_checks"),
        (instance.event_log_storage, "delete_events"),
        (instance.compute_log_manager, "delete_logs"),
        (instance, "delete_run"),
    ]
    for number, (place, name) in enumerate(steps, 1):
        newest = night(instance, number, days=1)
        shown = Shown.of(instance)
        killed_at(instance, sqlite_warehouse, place, name)
        assert Shown.of(instance) == shown, name
        clean(instance, sqlite_warehouse)
        assert Shown.of(instance) == shown, name
        assert ids(instance) == {newest}, name
    run_events.remove_files(instance, (now() + timedelta(hours=1)).timestamp())
    assert files(instance) <= {newest}
    events = records.event_rows()
    with run_events.transaction(instance) as connection:
        assert set(connection.execute(select(events.c.run_id).distinct()).scalars()) == {"", newest}


@ON_SQLITE
def test_time_is_limited_and_pages_follow_each_other(
    instance: dg.DagsterInstance, sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: the first clean-up of a year held the queue's slot all night."""
    monkeypatch.setattr(old_runs, "PAGE", 2)
    newest = [run(instance, "rollup") for _ in range(6)][-1]
    ticks = iter(range(100))
    assert clean(instance, sqlite_warehouse, budget=Budget(3, clock=lambda: float(next(ticks))))["runs"] == 2
    assert clean(instance, sqlite_warehouse)["runs"] == 3
    assert ids(instance) == {newest}


@BY_DAGSTER
@ON_SQLITE
def test_what_is_still_talked_about_stays(instance: dg.DagsterInstance, sqlite_warehouse: Warehouse) -> None:
    """Incident: a problem in the mail named a run that was gone; so did a retry, and a backfill that was under way."""
    named, parent = run(instance, "rollup"), run(instance, "rollup")
    backfilled = run(instance, "rollup", **{"dagster/backfill": "abcdefgh"})
    other = run(instance, "rollup", **{PROFILE_TAG: "bea"})
    assert run(instance, "rollup") != run(instance, "rollup")
    dagster_internals.add_backfill(
        instance,
        DEFS.resolve_asset_graph(),
        backfill_id="abcdefgh",
        assets=[SALES],
        partitions=["2026-01-01"],
        created_at=now(),
        tags={},
        title="",
        description="",
    )
    instance.create_run_for_job(
        DEFS.resolve_job_def("rollup"), parent_run_id=parent, root_run_id=parent, status=dg.DagsterRunStatus.STARTED
    )
    with sqlite_warehouse.write() as connection:
        health_reports.opened(connection, "job/rollup/", f"The last run of job rollup failed: run {named}.", "")
    clean(instance, sqlite_warehouse)
    assert {named, parent, backfilled, other} < ids(instance)
    assert len(ids(instance)) == 6


def test_a_run_over_named_rows_is_known_as_one_when_it_is_gone(
    instance: dg.DagsterInstance, sqlite_warehouse: Warehouse
) -> None:
    """Incident: a day of which a webhook had read one sale counted as read once its run was gone."""
    night(instance, 0, 1, **{TRIGGER_TAG: "webhook"})
    night(instance, 1, days=1, **{TRIGGER_TAG: "nightly"})
    clean(instance, sqlite_warehouse)
    wanted = dg.AssetRecordsFilter(SALES, asset_partitions=["2026-01-01"])
    record = instance.fetch_materializations(wanted, limit=1).records[0]
    assert (record.run_id, run_events.tags_of(record.event_log_entry)) == ("", {TRIGGER_TAG: "webhook"})


def test_the_room_of_what_went_is_given_back(instance: dg.DagsterInstance, sqlite_warehouse: Warehouse) -> None:
    """Incident: the storage went on growing by the pages of indexes that one event of each night had kept."""
    nights = [night(instance, number, days=1) for number in range(2)]
    clean(instance, sqlite_warehouse)
    shown = Shown.of(instance)
    assert run_events.give_back(instance, indexes=True) == ""
    assert Shown.of(instance) == shown
    storage: Any = instance.event_log_storage
    with storage.index_connection() as connection:
        if connection.dialect.name == "postgresql":
            locked = connection.execution_options(isolation_level="READ COMMITTED")
            with pytest.MonkeyPatch.context() as patch, locked.begin():
                patch.setattr(run_events, "_LOCK_SECONDS", 0.05)
                locked.execute(text("LOCK TABLE runs IN ROW EXCLUSIVE MODE"))
                # A vacuum passes by a writer, a new index waits for it.
                assert "lock timeout" in run_events.give_back(instance, indexes=True)
    assert ids(instance) == {nights[-1]}
