"""Every private part of Dagster that the package uses, each with its reason: Dagster 1.13 has no public way to do it.

``creator_pipeline_tests/runtime/test_dagster_internals.py`` has a test of each, also of :mod:`.records`, so an upgrade
fails there by name; :mod:`.moving` has its own.
"""

from __future__ import annotations

import copy
import importlib
import sys
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import dagster as dg
from dagster._core.events import DagsterEventBatchMetadata

# A run launcher answers run monitoring with these two types.
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

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

    # ``storage: sqlite`` of dagster.yaml can't depend on a variable, and writes each event by itself.
    from dagster._core.storage.event_log import SqliteEventLogStorage

    # Each opens its file by a new engine for each statement.
    from dagster._core.storage.runs import SqliteRunStorage
    from dagster._core.storage.schedules import SqliteScheduleStorage
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

# What is imported here for others; the functions below need no such word.
__all__ = [
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "DagsterSqliteStorage",
    "DagsterStorage",
    "InstigatorState",
    "PartitionBackfill",
    "SqliteEventLogStorage",
    "SqliteRunStorage",
    "SqliteScheduleStorage",
    "WorkerStatus",
]


_STORAGES = {
    "DagsterSqliteStorage": "sqlite_storage",
    "DagsterStorage": "base_storage",
    "SqliteEventLogStorage": "event_log",
    "SqliteRunStorage": "runs",
    "SqliteScheduleStorage": "schedules",
}


def __getattr__(name: str) -> object:
    # Their modules load SQLAlchemy's ORM and alembic, which the definitions don't need.
    if module := _STORAGES.get(name):
        return getattr(importlib.import_module(f"dagster._core.storage.{module}"), name)
    raise AttributeError(name)


def read_migrations_once() -> None:
    """Let this process read the migrations of Dagster's tables once.

    Whoever opens a storage asks which one is the newest, a sensor's tick three times: forty modules each time.
    """
    from alembic.script import ScriptDirectory

    class Scripts(ScriptDirectory):
        """A folder of migrations; Dagster asks for the newest only, one thread at a time."""

        read: ClassVar[dict[str | None, ScriptDirectory]] = {}

        @classmethod
        def from_config(cls, config: Any) -> ScriptDirectory:
            folder = config.get_main_option("script_location")
            if folder not in cls.read:
                cls.read[folder] = super().from_config(config)
            return cls.read[folder]

    sql: Any = importlib.import_module("dagster._core.storage.sql")
    if sql.ScriptDirectory is ScriptDirectory:
        sql.ScriptDirectory = Scripts


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
    event = entry.dagster_event
    if event is None or event.event_type != dg.DagsterEventType.STEP_FAILURE:
        return False
    return event.step_failure_data.error_source.value == "INTERRUPT"


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


def with_default_status(definition: Any, *, running: bool) -> Any:
    """A schedule or sensor that is on or off from the start; Dagster takes that only where it is made.

    Args:
        definition: a schedule or a sensor.
        running: whether it is on until somebody switches it.
    """
    kind = dg.DefaultScheduleStatus if isinstance(definition, dg.ScheduleDefinition) else dg.DefaultSensorStatus
    made = copy.copy(definition)
    vars(made)["_default_status"] = kind.RUNNING if running else kind.STOPPED
    return made


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
