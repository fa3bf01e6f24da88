"""An instance of the tests keeps what Dagster's own keeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import text

DAYS = dg.MultiPartitionsDefinition(
    {"day": dg.StaticPartitionsDefinition(["1", "2"]), "who": dg.StaticPartitionsDefinition(["alice", "bea"])}
)
SPREAD = {"dagster/asset_partition_range_start": "1|alice", "dagster/asset_partition_range_end": "2|bea"}
SILENT = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ASKED = (
    "SELECT asset_key, last_materialization IS NULL, last_materialization_timestamp IS NULL FROM asset_keys ORDER BY 1",
    """SELECT t.asset_key, t.key, CASE t.key WHEN 'dagster/data_version' THEN t.value IS NULL ELSE t.value END,
              e.partition, e.dagster_event_type, t.event_timestamp = e.timestamp
       FROM asset_event_tags t JOIN event_logs e ON e.id = t.event_id ORDER BY t.id""",
    """SELECT c.asset_key, c.check_name, c.execution_status, c.evaluation_event IS NULL
       FROM asset_check_executions c ORDER BY c.id""",
)


@dg.asset(
    partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), check_specs=[dg.AssetCheckSpec("c", asset="a")]
)
def a(context) -> Any:
    context.log_event(dg.AssetObservation("seen", metadata={"rows": 3}))
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="c", passed=False)])


@dg.asset
def fails() -> None:
    raise ValueError("no")


def kept(instance: dg.DagsterInstance) -> list[Any]:
    """What is stored of three runs, without what differs from run to run."""
    defs = dg.Definitions(
        assets=[a, fails],
        jobs=[dg.define_asset_job("good", [a]), dg.define_asset_job("bad", [fails])],
        executor=dg.in_process_executor,
    )
    runs = [
        defs.resolve_job_def(job).execute_in_process(
            instance=instance, tags=tags, raise_on_error=False, run_config=QUIET
        )
        for job, tags in (("good", SPREAD), ("good", SPREAD), ("bad", {}))
    ]
    found: list[Any] = [
        (entry.dagster_event_type, entry.step_key, entry.dagster_event and entry.dagster_event.partition)
        for run in runs
        for entry in instance.all_logs(run.run_id)
    ]
    with instance.event_log_storage.index_connection() as connection:
        found += [tuple(row) for query in ASKED for row in connection.execute(text(query))]
        newest = connection.execute(text("SELECT last_run_id FROM asset_keys ORDER BY asset_key")).scalars()
        found += [[run.run_id for run in runs].index(run_id) for run_id in newest if run_id]
    latest = instance.get_latest_materialization_event(a.key)
    assert latest
    found += [latest.run_id == runs[1].run_id, latest.dagster_event and latest.dagster_event.partition]
    found += [instance.get_materialized_partitions(a.key), [run.status for run in instance.get_runs()]]
    return found


def test_an_instance_in_memory_keeps_what_one_in_files_keeps(tmp_path: Path) -> None:
    """Guards: a test that is green because an event was not stored as Dagster stores it."""
    with (
        dg.DagsterInstance.ephemeral() as quick,
        dg.DagsterInstance.local_temp(str(tmp_path), overrides=SILENT) as of_dagster,
    ):
        mine = kept(quick)
        assert len(mine) > 50
        assert mine == kept(of_dagster)


def test_two_instances_in_memory_share_nothing() -> None:
    """Guards: a test that sees the runs of another."""
    with dg.DagsterInstance.ephemeral() as one, dg.DagsterInstance.ephemeral() as other:
        one.add_dynamic_partitions("people", ["alice"])
        assert one.get_dynamic_partitions("people") == ["alice"]
        assert other.get_dynamic_partitions("people") == []


def test_a_thread_waits_for_what_another_one_writes_of_runs() -> None:
    """Incident: on a busy machine a look at a run met the writing of another: "database table is locked: runs"."""
    with dg.DagsterInstance.ephemeral() as instance, ThreadPoolExecutor(1) as other:
        run = instance.create_run_for_job(dg.Definitions([fails]).resolve_implicit_global_asset_job_def())
        with instance.run_storage.connect() as connection:
            connection.execute(text("UPDATE runs SET status = 'STARTED'"))
            look = other.submit(instance.get_run_by_id, run.run_id)
            assert not wait([look], 0.2).done
        assert look.result(60)
