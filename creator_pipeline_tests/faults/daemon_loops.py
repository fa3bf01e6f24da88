"""Dagster's daemons in one thread of one process: its own sensor, queue and retry loops, and runs forked from it.

What differs from ``dagster-daemon run``: definitions are loaded in this process, sensors are due at every iteration, a run
is a fork and not a new interpreter, and waits between attempts are short. A real daemon with its code server and
webserver is what the heavy rounds are for.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import dagster as dg
import time_machine
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon import sensor as sensor_daemon
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._grpc.impl import core_execute_run
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster._utils.hosted_user_process import recon_job_from_origin

from creator_pipeline import settings
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support import forkserver

ITERATIONS = Path("iterations")
"""Holds how many iterations were done, in the working directory."""
IDLE_SECONDS = 0.05
LONGEST_SLEEP = 0.05
_log = logging.getLogger("daemon_loops")
_sleep = time.sleep


class ForkLauncher(RunLauncher, ConfigurableClass):
    """Launches a run as a fork of this process; what it does is what Dagster's own run worker does."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """How other processes make this object again."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:  # noqa: ARG003 - Dagster's signature
        """Called by Dagster."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Fork."""
        if os.fork() == 0:
            _work(self._instance.get_ref(), context)

    def terminate(self, run_id: str) -> bool:  # noqa: ARG002 - Dagster's signature
        """Not needed here."""
        return False


def _work(ref: Any, context: LaunchRunContext) -> None:
    """Be a run worker; never returns."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        # Connections belong to the parent.
        open_warehouse(settings.load().warehouse_url).engine.dispose(close=False)
        with dg.DagsterInstance.from_ref(ref) as instance:
            job: Any = recon_job_from_origin(context.job_code_origin)
            list(core_execute_run(job, context.dagster_run, instance, inject_env_vars=False))
        code = 0
    except BaseException:  # noqa: BLE001 - this process must not go on as a second daemon
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def warm_up() -> None:
    """Before the first fork: build what Dagster and the libraries otherwise build in each of them."""
    forkserver.load()
    importlib.import_module("creator_pipeline_tests.faults.worker").warm_up()


def command() -> None:
    """``creator-pipeline``, whose clock can be made to jump."""
    from creator_pipeline.cli import main

    _listen_for_jumps()
    main()


def daemon() -> None:
    """Iterate until SIGTERM."""
    _listen_for_jumps()
    stopped = _until_stopped()
    _hurry()
    while not stopped():
        try:
            _serve(stopped)
        except Exception:  # noqa: BLE001 - as Dagster's daemon when its storage goes away: say so and try again
            _log.exception("An iteration failed")
            _sleep(0.2)


def _until_stopped() -> Callable[[], bool]:
    signals = list[int]()
    signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    return lambda: bool(signals)


def _serve(stopped: Any) -> None:
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name="creator_pipeline.definitions")
    origin = InProcessCodeLocationOrigin(target, location_name="creator_pipeline")
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as workspace,
        QueuedRunCoordinatorDaemon(1) as queue,
    ):
        retries, done = EventLogConsumerDaemon(), 0
        while not stopped():
            list(sensor_daemon.execute_sensor_iteration(workspace, _log, None, None))
            list(execute_backfill_iteration(workspace, _log))
            list(queue.run_iteration(workspace))
            list(retries.run_iteration(workspace))
            list(execute_run_monitoring_iteration(workspace, _log))
            _reap()
            done += 1
            ITERATIONS.write_text(str(done))
            _sleep(IDLE_SECONDS)


def worker() -> None:
    """The working half without Dagster's own tables, until SIGTERM: sensors hand out, a fork does each run.

    A request is kept in a folder until its run has ended, as Dagster keeps it in its table of runs, and a run that
    was killed is run again twice at most, as ``run_retries`` of ``dagster.yaml`` says.
    """
    from creator_pipeline_tests.faults import worker as request_folder

    _listen_for_jumps()
    stopped = _until_stopped()
    _hurry()
    done = 0
    while not stopped():
        try:
            request_folder.work_once(request_folder.instance())
        except Exception:  # noqa: BLE001 - it is said, and the next iteration tries again
            _log.exception("An iteration failed")
        done += 1
        ITERATIONS.write_text(str(done))
        _sleep(IDLE_SECONDS)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


_travels = list[Any]()


def _jump(_number: int, _frame: Any) -> None:
    """The clock of this process, and of runs that it forks from now on, is off by what the file says."""
    while _travels:
        _travels.pop().stop()
    if seconds := int(Path("clock").read_text()):
        _travels.append(time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds)))
        _travels[-1].start()


def _listen_for_jumps() -> None:
    """SIGUSR1 makes the clock jump."""
    signal.signal(signal.SIGUSR1, _jump)


def _hurry() -> None:
    """Every sensor is due at every iteration but the one that watches health, and no wait is long."""

    def is_early(state: Any, sensor: Any) -> bool:
        return sensor.name == "pipeline_health"

    sensor_daemon.is_under_min_interval = is_early
    time.sleep = lambda seconds: _sleep(min(seconds, LONGEST_SLEEP))
