"""The loops of Dagster's daemon, minute by minute of a drill's clock, over an instance in memory.

Schedules, sensors, queue, retries and monitoring are Dagster's own, with the project's ``dagster.yaml``. A run is done by
Dagster's engine in this process, beside the clock. One that is killed is, as Dagster's storage sees it, a run that has
begun in a process which is gone.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import dagster as dg
import yaml
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.instance.ref import InstanceRef
from dagster._core.instance.types import InstanceType
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler import DagsterDaemonScheduler
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon import sensor as sensor_daemon
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._grpc.impl import core_execute_run
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster._utils.hosted_user_process import recon_job_from_origin
from sqlalchemy import StaticPool, create_engine

from creator_pipeline.orchestration.coordinator import Coordinator
from creator_pipeline.runtime import liveness
from creator_pipeline_tests.drills.week_clock import Clock
from creator_pipeline_tests.support.paths import ROOT

MINUTE = timedelta(minutes=1)
MINUTES_AFTER = 4
"""Iterations, each a minute after the other, after a run failed."""
_OPEN = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_log = logging.getLogger("drill")


def _is_watcher(_state: Any, sensor: Any) -> bool:
    return sensor.name == "pipeline_health"


class _Schedules(SqliteScheduleStorage):
    """Of schedules and sensors, with one connection: they are asked a hundred times in an iteration."""

    shared: Any = None

    @contextmanager
    def connect(self) -> Generator[Any]:
        """In the place of a new connection for each question."""
        if self.shared is None:
            self.shared = create_engine(self._conn_string, poolclass=StaticPool)
        with self.shared.begin() as connection:
            yield connection

    def has_instigators_table(self) -> bool:
        """It was just made."""
        return True

    def _has_instigators_table(self, conn: Any) -> bool:  # noqa: ARG002 - Dagster's signature
        return True

    def has_built_index(self, migration_name: str) -> bool:  # noqa: ARG002 - Dagster's signature
        """As above."""
        return True


class Launcher(RunLauncher, ConfigurableClass):
    """Does a run in the place of launching it.

    Attributes:
        away: the code server doesn't answer.
        kills: whether a run is killed as soon as it has begun.
        killed: names of jobs of runs that were.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self.away = clock, False
        self.kills: Callable[[dg.DagsterRun], bool] = lambda _run: False
        self.killed: list[str] = []
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """No file names it."""
        return None

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """No file names it."""
        raise NotImplementedError

    def launch_run(self, context: LaunchRunContext) -> None:
        """Do it.

        Raises:
            DagsterUserCodeUnreachableError: the code server is away.
        """
        if self.away:
            raise DagsterUserCodeUnreachableError("The code server doesn't answer.")
        run, instance = context.dagster_run, self._instance
        if self.kills(run):
            self.killed.append(run.job_name)
            instance.report_dagster_event(_begun(run), run.run_id)
            instance.add_run_tags(run.run_id, {liveness.PROCESS_TAG: _of_gone_process()})
            return
        assert context.job_code_origin is not None
        job: Any = recon_job_from_origin(context.job_code_origin)
        with self._clock.aside():
            list(core_execute_run(job, run, instance, inject_env_vars=False))

    def terminate(self, run_id: str) -> bool:  # noqa: ARG002 - Dagster's signature
        """Not needed here."""
        return False


def _begun(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name=run.job_name)


def _of_gone_process() -> str:
    with subprocess.Popen(["sleep", "30"]) as process:
        parts = [*liveness.this_process().split(":")[:4], str(process.pid), "1"]
        process.kill()
    return ":".join(parts)


class Daemon:
    """One daemon, and the code server that it asks.

    Attributes:
        launcher: does the runs.
        up: whether the daemon is there.
        before_work: called before the queue is asked for runs: for faults.
    """

    def __init__(self, instance: dg.DagsterInstance, workspace: Any, queue: Any, clock: Clock) -> None:
        self.instance, self.workspace, self.clock, self._queue = instance, workspace, clock, queue
        launcher = instance.run_launcher
        assert isinstance(launcher, Launcher)
        self.launcher, self.up = launcher, True
        self.before_work: Callable[[], object] = lambda: None
        self._retries, self._times = EventLogConsumerDaemon(), dict[str, Any]()
        self._failed, self._minutes = set[str](), 0

    def pass_to(self, moment: datetime, every: timedelta = MINUTE) -> None:
        """Let the time pass, with an iteration ``every`` so often, and each minute after something failed."""
        while self.clock.now < moment:
            step = MINUTE if self._minutes else every
            self._minutes = max(0, self._minutes - 1)
            self.clock.until(min(moment, self.clock.now + step))
            if self.up:
                self.iterate(quiet=step > MINUTE)

    def iterate(self, *, quiet: bool = False) -> None:
        """One iteration of each loop; then the runs that were asked for.

        Args:
            quiet: stands for the many of a time in which nothing happened: the sensors that tell of themselves by
                their ticks come before the one that looks at them.
        """
        if not self.launcher.away:
            tries = self.instance.scheduler.max_tick_retries  # pyright: ignore[reportOptionalMemberAccess,reportAttributeAccessIssue]
            list(launch_scheduled_runs(self.workspace, _log, datetime.now(UTC), self._times, max_tick_retries=tries))
            if quiet:
                with patch.object(sensor_daemon, "is_under_min_interval", _is_watcher):
                    list(sensor_daemon.execute_sensor_iteration(self.workspace, _log, None, None))
            list(sensor_daemon.execute_sensor_iteration(self.workspace, _log, None, None))
        list(execute_run_monitoring_iteration(self.workspace, _log))
        list(self._retries.run_iteration(self.workspace))
        before: set[str] | None = None
        while (queued := self._queued()) and queued != before:
            before = queued
            self.before_work()
            list(self._queue.run_iteration(self.workspace))
        # A run that waited between its attempts has ended later than this.
        for record in self.instance.get_run_records(limit=50):
            if record.end_time:
                self.clock.until(datetime.fromtimestamp(record.end_time, UTC))
            if record.dagster_run.is_failure and record.dagster_run.run_id not in self._failed:
                self._failed.add(record.dagster_run.run_id)
                self._minutes = MINUTES_AFTER

    def schedules(self) -> list[Any]:
        """All that there are."""
        entries = self.workspace.create_request_context().get_code_location_entries().values()
        repositories = [one for entry in entries for one in entry.code_location.get_repositories().values()]
        return [one for repository in repositories for one in repository.get_schedules()]

    def switch(self, name: str, *, on: bool) -> None:
        """Switch a schedule on or off, as a person does."""
        [found] = [one for one in self.schedules() if one.name == name]
        if on:
            self.instance.start_schedule(found)
        else:
            self.instance.stop_schedule(found.get_remote_origin_id(), found.selector_id, found)

    def _queued(self) -> set[str]:
        return {run.run_id for run in self.instance.get_runs(dg.RunsFilter(statuses=_OPEN[:1]))}


@contextmanager
def daemon(clock: Clock, home: Path, schedules: frozenset[str]) -> Generator[Daemon]:
    """A daemon with these schedules on, and each other one off.

    Args:
        clock: of this process.
        home: a folder for the storage of schedules.
        schedules: names.
    """
    config = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    queue_config = config["run_coordinator"]["config"]
    storage = _Schedules.from_local(str(home))
    storage.__class__ = _Schedules
    instance = dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=LocalArtifactStorage(str(home)),
        run_storage=InMemoryRunStorage(),
        event_storage=InMemoryEventLogStorage(),
        schedule_storage=storage,
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=Coordinator(**(queue_config | {"dequeue_use_threads": False})),
        run_launcher=Launcher(clock),
        scheduler=DagsterDaemonScheduler(**config["scheduler"]["config"]),
        settings={name: config[name] for name in ("run_monitoring", "run_retries", "concurrency", "telemetry")},
    )
    target = LoadableTargetOrigin(executable_path="python", module_name="creator_pipeline.definitions")
    origin = InProcessCodeLocationOrigin(target, location_name="creator_pipeline")
    # What is in memory has no other: a sensor opens one for each of its ticks.
    ref = InstanceRef.from_dir(str(home))
    with (
        patch.object(dg.DagsterInstance, "get_ref", lambda _self: ref),
        patch.object(dg.DagsterInstance, "from_ref", staticmethod(lambda _ref: nullcontext(instance))),
        instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as workspace,
        QueuedRunCoordinatorDaemon(1) as queue,
    ):
        made = Daemon(instance, workspace, queue, clock)
        for one in made.schedules():
            made.switch(one.name, on=True)
            if one.name not in schedules:
                made.switch(one.name, on=False)
        yield made
