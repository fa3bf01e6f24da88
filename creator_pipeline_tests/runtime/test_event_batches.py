"""Events of a range of days, written together, are what Dagster's own storage would have written one by one."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine
from sqlalchemy import event as listening

from creator_pipeline.runtime.outcome import Outcome
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.installation import QUIET, RANGE_END, RANGE_START
from creator_pipeline_tests.support.paths import ROOT

DAYS = 40
FIRST, SECOND = dg.AssetKey("first"), dg.AssetKey("second")
daily = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-12-31")


@dg.multi_asset(
    specs=[dg.AssetSpec(key, skippable=True) for key in (FIRST, SECOND)],
    partitions_def=daily,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def both(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
    outcome = Outcome(context)
    with outcome.together():
        for number, day in enumerate(context.partition_keys):
            for key in (FIRST, SECOND):
                outcome.materialized(key, day, number, {})
    yield from ()


@pytest.fixture(params=["sqlite", "postgresql"])
def instance(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    url = servers.postgres().fresh_database() if request.param == "postgresql" else ""
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with dg.DagsterInstance.get() as made:
        yield made
    if url:
        servers.postgres().drop(url)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")


def test_a_range_of_days_is_written_in_a_few_statements_and_each_day_is_there(instance) -> None:
    """Incident: a first load of a thousand days spent a minute and a half on event rows, a write for each."""
    storage, inserts = instance.event_log_storage, list[str]()

    @listening.listens_for(Engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_rest) -> None:
        inserts.extend([statement] if statement.startswith("INSERT") else [])

    days = daily.get_partition_keys()[:DAYS]
    try:
        result = dg.materialize(
            [both], instance=instance, run_config=QUIET, tags={RANGE_START: days[0], RANGE_END: days[-1]}
        )
    finally:
        listening.remove(Engine, "before_cursor_execute", note)
    assert result.success
    assert len(inserts) < DAYS
    for key in (FIRST, SECOND):
        assert storage.get_materialized_partitions(key) == set(days)
        assert storage.get_latest_asset_partition_materialization_attempts_without_materializations(key) == {}
        planned = [e for e in instance.all_logs(result.run_id) if e.dagster_event.is_asset_materialization_planned]
        assert {e.dagster_event.partition for e in planned if e.dagster_event.asset_key == key} == set(days)
        newest = instance.get_latest_materialization_event(key)
        assert newest.asset_materialization.partition == days[-1]
        assert newest.run_id == result.run_id


def test_what_landed_before_an_error_is_logged(instance) -> None:
    """Incident: days that were committed and looked missing, because the error came before they were told of."""

    @dg.asset(name="first", partitions_def=daily, backfill_policy=dg.BackfillPolicy.single_run())
    def broken(context: dg.AssetExecutionContext) -> None:
        with (outcome := Outcome(context)).together():
            outcome.materialized(FIRST, context.partition_keys[0], 1, {})
            raise dg.Failure("after the first day", allow_retries=False)

    tags = {RANGE_START: "2026-01-01", RANGE_END: "2026-01-03"}
    assert not dg.materialize([broken], instance=instance, run_config=QUIET, tags=tags, raise_on_error=False).success
    assert instance.event_log_storage.get_materialized_partitions(FIRST) == {"2026-01-01"}


@pytest.mark.parametrize("instance", ["postgresql"], indirect=True)
def test_the_catalogue_is_asked_once_whether_tables_are_migrated(instance) -> None:
    """Incident: two thirds of what a night asked PostgreSQL for was which tables and columns there are."""
    storage, asked = instance.event_log_storage, list[str]()
    tags = {RANGE_START: "2026-01-01", RANGE_END: "2026-01-02"}
    assert dg.materialize([both], instance=instance, run_config=QUIET, tags=tags).success
    instance.all_instigator_state()
    for one in (storage, instance.run_storage, instance.schedule_storage):
        listening.listen(one._engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    assert dg.materialize([both], instance=instance, run_config=QUIET, tags=tags).success
    instance.all_instigator_state()
    assert asked
    assert [one for one in asked if "pg_catalog" in one] == []
    assert not storage.has_table("not_there")
