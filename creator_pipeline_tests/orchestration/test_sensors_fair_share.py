"""Whose turn it is: Dagster's own queue, with the project's dagster.yaml, over the runs that the project asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from creator_pipeline.commands.processes import free_port
from creator_pipeline.core.windows import now
from creator_pipeline.definitions import defs
from creator_pipeline.orchestration.coordinator import missing_tags
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import run_tags
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.code_location import schedule_named, sensor_named
from creator_pipeline_tests.support.health import RESOURCES
from creator_pipeline_tests.support.paths import ROOT

YAML = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
SLOTS = YAML["concurrency"]["runs"]["max_concurrent_runs"]
QUEUE = YAML["run_coordinator"]["config"]
WAITS = QUEUE["max_user_code_failure_retries"] * QUEUE["user_code_failure_retry_delay"]
"""Seconds that queued runs wait for the code server."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as made:
        yield made


def put(instance: dg.DagsterInstance, name: str, tags: dict[str, str]) -> None:
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("creator_pipeline"), "__repository__")
    queued, origin = dg.DagsterRunStatus.QUEUED, RemoteJobOrigin(place, name)
    run = dg.DagsterRun(name, tags=tags, status=queued, remote_job_origin=origin)
    # As the coordinator does it.
    instance.run_storage.add_run(run.with_tags({**tags, **missing_tags(run)}))


def next_ones(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """What Dagster would launch now, in order."""
    with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
        return daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), fixed_iteration_time=None)


def asked_by_the_queue(warehouse: Warehouse, instance: dg.DagsterInstance, profile: str, kind: str) -> dict[str, str]:
    """Tags of the run that the sensor asks for."""
    job_queue(warehouse).enqueue(profile, "gumroad", kind, {"sale_ids": ["a"]})
    context = dg.build_sensor_context(instance=instance, resources=RESOURCES, definitions=defs)
    (request,) = sensor_named("webhook_jobs")(context).run_requests
    return dict(request.tags)


def test_a_webhook_and_a_night_go_before_all_that_waits(sqlite_warehouse, ring, instance) -> None:
    """Incident: a backfill of a thousand days from the UI, and another seller's sale was shown half an hour later."""
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "chen", "chen@example.com")
        profiles.connect(connection, ring, "gumroad", "chen", "token")
    for _ in range(30):
        put(instance, "backfill", {"dagster/backfill": "b"})
    for name in ("dora", "emil", "fay"):
        put(instance, "first_load", asked_by_the_queue(sqlite_warehouse, instance, name, "initial_sync"))
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=now())
    for name, schedule in (
        ("lookback", schedule_named("gumroad_lookback")),
        ("nightly", schedule_named("gumroad_nightly")),
    ):
        (request,) = schedule(context, warehouse=WarehouseResource())
        put(instance, name, dict(request.tags))
    put(instance, "webhook", asked_by_the_queue(sqlite_warehouse, instance, "bea", "webhook"))
    found = [run.job_name for run in next_ones(instance)]
    assert found == ["webhook", "nightly", "backfill", "backfill", "first_load", "first_load"]


def test_a_slot_is_left_while_every_load_there_may_be_is_at_work(sqlite_warehouse, instance) -> None:
    """Incident: four first loads of hours each held all slots, and no priority helps where no slot comes free."""
    for number in range(SLOTS):
        put(instance, "load", asked_by_the_queue(sqlite_warehouse, instance, f"p{number}", "initial_sync"))
        put(instance, "backfill", {"dagster/backfill": f"b{number}"})
    loads = next_ones(instance)
    assert 0 < len(loads) < SLOTS
    for run in loads:
        instance.run_storage.delete_run(run.run_id)
        instance.run_storage.add_run(run.with_status(dg.DagsterRunStatus.STARTED))
    assert next_ones(instance) == []
    put(instance, "webhook", asked_by_the_queue(sqlite_warehouse, instance, "bea", "webhook"))
    assert [run.job_name for run in next_ones(instance)] == ["webhook"]


def test_a_slot_is_left_while_a_night_of_many_profiles_is_at_work(sqlite_warehouse, instance) -> None:
    """Incident: the runs of a night held all slots, and a sale waited a minute until one of them was done."""
    for number in range(2 * SLOTS):
        put(instance, "nightly", run_tags("nightly", f"p{number}", source="gumroad"))
    nightly = next_ones(instance)
    assert len(nightly) == SLOTS - 1
    for run in nightly:
        instance.run_storage.delete_run(run.run_id)
        instance.run_storage.add_run(run.with_status(dg.DagsterRunStatus.STARTED))
    assert next_ones(instance) == []
    put(instance, "webhook", asked_by_the_queue(sqlite_warehouse, instance, "bea", "webhook"))
    assert [run.job_name for run in next_ones(instance)] == ["webhook"]


@pytest.mark.filterwarnings("ignore:Error loading repository location")
def test_a_restart_of_the_code_server_loses_no_queued_run(instance) -> None:
    """Incident: while the code server was away its whole queue was dropped as failures: 103 runs in a week."""
    for _ in range(3):
        put(instance, "nightly", {})
    for run in instance.get_runs():
        instance.report_dagster_event(dg.DagsterEvent.job_enqueue(run), run.run_id)
    away = GrpcServerTarget(host="127.0.0.1", port=free_port(0), socket=None, location_name="creator_pipeline")
    with WorkspaceProcessContext(instance, away) as process, QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
        for later in range(0, 60, 15):
            list(daemon.run_iteration(process, fixed_iteration_time=time.time() + later))
    assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.QUEUED}
    assert WAITS > 6 * 3600
