"""Every private part of Dagster that the package uses, each with its reason: Dagster 1.13 has no public way to do it.

``creator_pipeline_tests/runtime/test_dagster_internals.py`` has a test of each, so an upgrade fails there by name.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.events import DagsterEventBatchMetadata

# A run launcher answers run monitoring with these two types.
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

# A run coordinator of dagster.yaml extends the one that queues, to tag runs as they come.
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

# What dagster.yaml says of a class.
from dagster._serdes import ConfigurableClassData
from dagster._utils.schedules import schedule_execution_time_iterator

from creator_pipeline.core.errors import PipelineError

if TYPE_CHECKING:
    # Types of what an instance returns, for signatures.
    from dagster._core.execution.backfill import PartitionBackfill
    from dagster._core.scheduler.instigation import InstigatorState

    # ``storage: custom`` of dagster.yaml takes only a class that has this base.
    from dagster._core.storage.base_storage import DagsterStorage
    from sqlalchemy import Table

__all__ = [
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "DagsterStorage",
    "InstigatorState",
    "PartitionBackfill",
    "QueuedRunCoordinator",
    "RetryErrors",
    "SubmitRunContext",
    "WorkerStatus",
    "add_backfill",
    "check_rows",
    "end_waits_when_stopped",
    "event_rows",
    "is_preview",
    "log_materializations",
    "look_at_sensors_every",
    "next_execution",
    "of_no_run",
    "run_file",
    "runs_of_location",
    "sqlite_storage",
    "stopped_in_step",
    "when_wait_ends",
]


def __getattr__(name: str) -> object:
    # Its module loads SQLAlchemy's ORM and alembic, which the definitions don't need.
    if name == "DagsterStorage":
        from dagster._core.storage.base_storage import DagsterStorage

        return DagsterStorage
    raise AttributeError(name)


class RetryErrors(dg.RetryPolicy):
    """A step's retry policy for what waiting can solve: not for a run that is stopped, nor for a variable not set.

    Dagster makes a retry of an interrupt too, and asks for the delay while it handles what was raised.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds until the next try; Dagster calls it for what a step has just raised.

        Raises:
            BaseException: what the step raised, where that is no error.
            dg.Failure: that allows no retry, where waiting can't help.
        """
        raised = sys.exc_info()[1]
        if raised is not None and not isinstance(raised, Exception):
            raise raised
        if isinstance(raised, PipelineError) and not raised.retryable:
            raise dg.Failure(str(raised), {"error_code": raised.code}, allow_retries=False) from raised
        return super().calculate_delay(attempt_num)


when_wait_ends: list[Callable[[], object]] = []
"""Called when a run of this process is stopped while it waits."""
_SLICE_SECONDS = 0.2


def end_waits_when_stopped() -> None:
    """Let a run that waits in this process, for a slot of a pool or for its next try, end when it is stopped.

    Dagster notes an interrupt between two steps and raises it in the next one, which may never begin.

    Raises:
        DagsterExecutionInterruptedError: in a run that waits, once it is stopped.
    """
    from dagster._core.execution.plan.active import ActiveExecution
    from dagster._utils.interrupts import pop_captured_interrupt

    def sleep_til_ready(self: ActiveExecution) -> None:
        until = time.monotonic() + self.sleep_interval()
        while True:
            if pop_captured_interrupt():
                for told in when_wait_ends:
                    told()
                raise dg.DagsterExecutionInterruptedError
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _SLICE_SECONDS))

    ActiveExecution.sleep_til_ready = sleep_til_ready


def stopped_in_step(entry: dg.EventLogEntry) -> bool:
    """Whether an event tells of a step that an interrupt has ended."""
    from dagster._core.execution.plan.objects import ErrorSource

    event = entry.dagster_event
    if event is None or event.event_type != dg.DagsterEventType.STEP_FAILURE:
        return False
    return event.step_failure_data.error_source == ErrorSource.INTERRUPT


@contextmanager
def runs_of_location(instance: dg.DagsterInstance, location: str) -> Generator[None]:
    """Let runs of this process be runs of a code location: the UI finds their job, and runs them again.

    ``execute_in_process`` gives its runs no origin.

    Args:
        instance: where the runs are recorded.
        location: name of the code location.
    """
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

    create = instance.create_run_for_job
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")

    def create_run(job_def: dg.JobDefinition, *args: Any, **options: Any) -> dg.DagsterRun:
        return create(job_def, *args, **options | {"remote_job_origin": RemoteJobOrigin(repository, job_def.name)})

    instance.create_run_for_job = create_run
    try:
        yield
    finally:
        del instance.create_run_for_job


def sqlite_storage(base_dir: str, inst_data: ConfigurableClassData | None) -> DagsterStorage:
    """Dagster's own storage in SQLite files below ``base_dir``, which is made if it doesn't exist.

    The class is private, and ``storage: sqlite`` of dagster.yaml can't depend on a variable.
    """
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

    return DagsterSqliteStorage.from_local(base_dir, inst_data)


def log_materializations(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, materializations: Sequence[dg.AssetMaterialization]
) -> None:
    """Log these events of a step in one write, where the storage has batches; Dagster's way writes each by itself."""
    step, batch, last = context.get_step_execution_context(), str(uuid.uuid4()), len(materializations)
    for number, one in enumerate(materializations, 1):
        dg.DagsterEvent.asset_materialization(step, one, DagsterEventBatchMetadata(batch, is_end=number == last))


def is_preview(context: dg.SensorEvaluationContext) -> bool:
    """Whether a sensor is evaluated for a look only: the UI's preview, whose requests nobody launches.

    Only the daemon names the tick whose log it is, by its number; a preview gets a name made of the time, and a test
    none. Dagster has no public word for it.
    """
    key = context.log_key
    return bool(key) and not str(key[-1]).isdigit()


def look_at_sensors_every(seconds: float) -> None:
    """Let the daemon of this process, where it is one, look so often which sensors are due.

    Dagster's five seconds can't be set, and are what a sensor's interval is rounded up to.
    """
    module: Any = sys.modules.get("dagster._daemon.sensor")
    if module is not None:
        module.MIN_INTERVAL_LOOP_TIME = seconds


def next_execution(schedule: dg.ScheduleDefinition, after: datetime) -> datetime:
    """When a schedule is due for the first time after a moment, in UTC.

    Dagster computes it only for ticks of the daemon.
    """
    start = (after + timedelta(seconds=1)).timestamp()
    times = schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone)
    return next(times).astimezone(UTC)


def add_backfill(
    instance: dg.DagsterInstance,
    graph: dg.AssetGraph,
    *,
    backfill_id: str,
    assets: Sequence[dg.AssetKey],
    partitions: Sequence[str],
    created_at: datetime,
    tags: Mapping[str, str],
    title: str,
    description: str,
) -> None:
    """Hand a backfill of assets to the daemon. Dagster's own command does it for jobs only.

    Args:
        instance: whose daemon takes it.
        graph: of the definitions that hold the assets.
        backfill_id: eight characters, as in the UI.
        assets, partitions: which assets, that all have the same partitions, and keys of these.
        created_at: now, aware.
        tags: of each of its runs.
        title, description: a line and a sentence for the UI.
    """
    from dagster._core.execution.backfill import PartitionBackfill

    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=backfill_id,
            asset_graph=graph,
            partition_names=partitions,
            asset_selection=assets,
            backfill_timestamp=created_at.timestamp(),
            tags=tags,
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=title,
            description=description,
            run_config=None,
        )
    )


def event_rows() -> Table:
    """The table of events: Dagster has no question whether a run holds the newest event of its kind."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

    return SqlEventLogStorageTable


def check_rows() -> Table:
    """The table of what checks said: ``delete_run`` leaves a run's rows there for ever."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    return AssetCheckExecutionsTable


def of_no_run(event: str, tags: Mapping[str, str]) -> str:
    """A stored materialization as Dagster stores one that was reported from outside; its time and metadata stay.

    Dagster can report such an event, but only as one of this moment.

    Args:
        event: the text of its row.
        tags: what is to be known of its run, in the event's ``logging_tags``.
    """
    from dagster._core.instance import RUNLESS_JOB_NAME, RUNLESS_RUN_ID
    from dagster._serdes import deserialize_value, serialize_value

    entry = deserialize_value(event, dg.EventLogEntry)
    landed = entry.get_dagster_event()
    kept = dg.DagsterEvent(
        event_type_value=landed.event_type_value,
        job_name=RUNLESS_JOB_NAME,
        event_specific_data=landed.event_specific_data,
        message=landed.message,
        logging_tags=tags,
    )
    return serialize_value(
        entry._replace(run_id=RUNLESS_RUN_ID, job_name=RUNLESS_JOB_NAME, step_key=None, dagster_event=kept)
    )


def run_file(instance: dg.DagsterInstance, run_id: str) -> str:
    """The SQLite file that has a run's events; empty in other storages. ``delete_run`` empties it and leaves it."""
    from dagster._core.storage.event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    return storage.path_for_shard(run_id) if isinstance(storage, SqliteEventLogStorage) else ""
