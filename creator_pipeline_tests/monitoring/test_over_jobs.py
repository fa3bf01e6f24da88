"""Jobs that ended badly are over once what they were to read was read, and not before."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from creator_pipeline.core.windows import today
from creator_pipeline.monitoring import over_jobs
from creator_pipeline.queue.jobs import Job, JobQueue
from creator_pipeline.runtime import run_events
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.runtime.tags import TRIGGER_TAG
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.health import Watched

YESTERDAY, TODAY = (today() - timedelta(days=back) for back in (1, 0))
ASSETS = [dg.AssetKey(["gumroad", "sales"]), dg.AssetKey(["sales_events", "gumroad"])]


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def dead(queue: JobQueue, payload: dict[str, object], *, source: str = "gumroad", kind: str = "webhook") -> Job:
    """The queue's only job, ended badly."""
    queue.enqueue("alice", source, kind, payload)  # pyright: ignore[reportArgumentType] - one of its kinds
    [lease] = queue.dequeue(1, 60)
    queue.fail(lease.id, lease.attempt, "refused", None)
    [job] = queue.dead_letters()
    return job


def read(instance: dg.DagsterInstance, *days: object, trigger: str = "nightly") -> None:
    """What a run over days leaves in the event log."""
    run = instance.create_run_for_job(_job(), tags={TRIGGER_TAG: trigger})
    for key in ASSETS:
        for day in days:
            event = dg.AssetMaterialization(key, partition=f"{day}|alice")
            _report(instance, run, event)


def _job() -> dg.JobDefinition:
    @dg.job
    def some() -> None:
        """Does nothing."""

    return some


def _report(instance: dg.DagsterInstance, run: dg.DagsterRun, event: dg.AssetMaterialization) -> None:
    from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData

    data = StepMaterializationData(event)
    told = DagsterEvent(DagsterEventType.ASSET_MATERIALIZATION.value, run.job_name, event_specific_data=data)
    instance.report_dagster_event(told, run.run_id)


def left(warehouse: Warehouse, instance: dg.DagsterInstance) -> int:
    return len(over_jobs.left(job_queue(warehouse).dead_letters(), warehouse, instance))


def test_a_window_is_over_when_all_its_days_were_read_since(gumroad_warehouse: Warehouse, instance: dg.DagsterInstance):
    """Incident: the days were loaded long since, and the failed backfill stayed red until its very command was run."""
    read(instance, YESTERDAY, TODAY)
    dead(job_queue(gumroad_warehouse), {"from": str(YESTERDAY), "to": str(TODAY + timedelta(days=1))})
    assert left(gumroad_warehouse, instance) == 1
    read(instance, YESTERDAY)
    assert left(gumroad_warehouse, instance) == 1
    read(instance, TODAY, trigger="webhook")
    assert left(gumroad_warehouse, instance) == 1
    # A run that was deleted as old is still no proof, where it read single rows.
    for run in instance.get_runs():
        run_events.release(instance, run.run_id, dict(run.tags))
        run_events.delete_run(instance, run.run_id)
    assert left(gumroad_warehouse, instance) == 1
    read(instance, TODAY)
    assert left(gumroad_warehouse, instance) == 0


@pytest.mark.parametrize("payload", [{"sale_ids": ["unknown=="]}, {"read_days": True, "sale_ids": []}])
def test_a_ping_is_over_when_the_days_it_can_be_of_were_read(
    gumroad_warehouse: Warehouse, instance: dg.DagsterInstance, payload: dict[str, object]
):
    """Incident: a ping failed at noon, the nightly run brought its sale, and health asked for a replay all week."""
    dead(job_queue(gumroad_warehouse), payload)
    assert left(gumroad_warehouse, instance) == 1
    read(instance, YESTERDAY, TODAY)
    assert left(gumroad_warehouse, instance) == 0


def test_the_same_job_that_ended_well_since_ends_the_other(
    gumroad_warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    """Incident: the platform sent the delivery again, it was worked off, and its first job was red for ever."""
    queue = job_queue(gumroad_warehouse)
    dead(queue, {"subscription_id": "s1", "purchase_ids": []})
    assert left(gumroad_warehouse, instance) == 1
    queue.enqueue("alice", "gumroad", "webhook", {"subscription_id": "s1", "purchase_ids": []})
    queue.ack_all(queue.dequeue(1, 60))
    assert left(gumroad_warehouse, instance) == 0


def test_a_refused_report_has_its_verdict_and_a_removed_profile_no_jobs(
    gumroad_warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    """Incident: health told to replay the job of a refused report, and the job then waited for nobody for ever."""
    dead(job_queue(gumroad_warehouse), {"sha256": "00"}, source="kdp", kind="file")
    assert left(gumroad_warehouse, instance) == 0


def test_health_closes_a_dead_job_whose_days_were_read(watched: Watched) -> None:
    """Incident: the same, seen from the sensor."""
    dead(job_queue(watched.warehouse), {"sale_ids": ["unknown=="]})
    watched.tick()
    assert set(watched.open()) == {"dead/gumroad/alice/job"}
    read(watched.instance, YESTERDAY, TODAY)
    assert watched.tick() == "All is well."
