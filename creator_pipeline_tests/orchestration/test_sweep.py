"""What killed runs held is given back, and what a queued run is to do stays its own."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from creator_pipeline.core.budget import Budget
from creator_pipeline.definitions import defs
from creator_pipeline.orchestration.sweep import sweep
from creator_pipeline.queue.jobs import MAX_ATTEMPTS
from creator_pipeline.runtime import liveness
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.code_location import sensor_named
from creator_pipeline_tests.support.health import RESOURCES


def ended_process() -> str:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return ":".join((*liveness.this_process().split(":")[:4], str(child.pid), "1"))


def refresh_run(
    instance: dg.DagsterInstance, warehouse: Warehouse, status: dg.DagsterRunStatus, **tags: str
) -> tuple[str, str]:
    """A run that the sensor asks for, as it is in that state; returns the ids of its job and of the run."""
    job_id = job_queue(warehouse).enqueue("alice", "gumroad", "webhook", {"sale_ids": ["a"]})
    context = dg.build_sensor_context(instance=instance, resources=RESOURCES, definitions=defs)
    (request,) = sensor_named("webhook_jobs")(context).run_requests
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("creator_pipeline"), "__repository__")
    run = dg.DagsterRun(
        request.job_name,
        run_config=request.run_config,
        status=status,
        tags={**request.tags, **tags},
        remote_job_origin=RemoteJobOrigin(place, request.job_name),
    )
    instance.run_storage.add_run(run)
    return job_id, run.run_id


def test_a_killed_run_gives_back_its_jobs_at_once(sqlite_warehouse) -> None:
    """Incident: a sale of a minute ago waited two minutes more for the lease of a run that was killed."""
    queue = job_queue(sqlite_warehouse)
    with dg.DagsterInstance.ephemeral() as instance:
        started = dg.DagsterRunStatus.STARTED
        job_id, run_id = refresh_run(instance, sqlite_warehouse, started, **{liveness.PROCESS_TAG: ended_process()})
        (job,) = queue.get([job_id])
        queue.extend(job_id, job.attempts, 60, run_id=run_id)
        told = sweep(instance, sqlite_warehouse, ["gumroad"], Budget())
        assert told == [
            f"1 run ended whose process is gone: {run_id}.",
            f"1 job of run {run_id}, which is over, in the queue again.",
        ]
        (after,) = queue.get([job_id])
        assert (after.status, after.attempts) == ("queued", 1)
        assert [lease.id for lease in queue.dequeue(1, 60)] == [job_id]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING])
def test_a_run_that_waits_for_its_turn_keeps_its_jobs(sqlite_warehouse, status: dg.DagsterRunStatus) -> None:
    """Incident: leases ran out in the queue behind a long first sync, and five of them made a job dead."""
    queue = job_queue(sqlite_warehouse)
    with dg.DagsterInstance.ephemeral() as instance:
        job_id, run_id = refresh_run(instance, sqlite_warehouse, status)
        for _ in range(MAX_ATTEMPTS):
            queue.extend(job_id, 1, -1.0)
            sweep(instance, sqlite_warehouse, ["gumroad"], Budget())
            assert queue.dequeue(1, 60) == []
        (job,) = queue.get([job_id])
        assert (job.status, job.attempts, job.run_id) == ("running", 1, run_id)


def test_a_run_at_work_keeps_its_jobs(sqlite_warehouse) -> None:
    """Guards: a second run for what the first one is doing."""
    queue = job_queue(sqlite_warehouse)
    with dg.DagsterInstance.ephemeral() as instance:
        tag = {liveness.PROCESS_TAG: liveness.this_process()}
        job_id, run_id = refresh_run(instance, sqlite_warehouse, dg.DagsterRunStatus.STARTED, **tag)
        queue.extend(job_id, 1, 60, run_id=run_id)
        sweep(instance, sqlite_warehouse, ["gumroad"], Budget())
        assert queue.dequeue(1, 60) == []


def test_a_tick_without_time_leaves_the_rest_to_the_next(sqlite_warehouse) -> None:
    """Incident: after a night with a thousand dead runs a tick took longer than its minute, and each began anew."""
    started, queue = dg.DagsterRunStatus.STARTED, job_queue(sqlite_warehouse)
    with dg.DagsterInstance.ephemeral() as instance:
        job_id, run_id = refresh_run(instance, sqlite_warehouse, started, **{liveness.PROCESS_TAG: ended_process()})
        queue.extend(job_id, 1, 60, run_id=run_id)
        assert sweep(instance, sqlite_warehouse, ["gumroad"], Budget(0.0)) == []
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == started
        assert len(sweep(instance, sqlite_warehouse, ["gumroad"], Budget())) == 2
