"""Runs in this process, for commands that need no daemon. Ctrl-C ends the run as canceled."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from creator_pipeline.runtime import liveness
from creator_pipeline.runtime.dagster_internals import runs_of_location, stopped_in_step, when_wait_ends
from creator_pipeline.runtime.tags import CAN_WAIT_TAG

LoadDefinitions = Callable[[], dg.Definitions]
"""What a command that runs jobs gets as click's object: loads the definitions, which are above every platform."""
NO_RETRY_TAG = "dagster/max_retries"
"""The daemon starts no run again whose process was killed: whoever gave the command gives it again."""
WATCH_SECONDS = 2.0
"""Between two looks whether somebody terminated the run."""
_TERMINATED = {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}
_STOPS = {signal.SIGINT, signal.SIGTERM}


class Stopped(KeyboardInterrupt):
    """Somebody stopped a run of this process, by Ctrl-C or SIGTERM; what had landed stays."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"Stopped: run {run_id} is canceled, and what landed stays. "
            "Run the same command again: it does what is left."
        )


def run_here(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    job_name: str,
    tags: dict[str, str],
    *,
    partition_key: str | None = None,
    run_config: Mapping[str, Any] | None = None,
) -> list[str]:
    """Run a job to its end. It is recorded in the instance like every run.

    Args:
        defs: where the job is.
        instance: where the run is recorded.
        job_name: the job.
        tags: tags of the run.
        partition_key: partition that is run; None for a job without partitions, or where ``tags`` hold a range.
        run_config: of the job, without loggers.

    Returns:
        A line for each failed step; empty where the run succeeded.

    Raises:
        Stopped: the run was stopped, from here or in the UI; it is recorded as canceled.
    """
    run_id = str(uuid.uuid4())
    with (
        _noting_stops() as stopped,
        _canceling(instance, run_id),
        runs_of_location(instance, liveness.LOCATION),
        _watched(instance, run_id),
    ):
        try:
            result = defs.resolve_job_def(job_name).execute_in_process(
                instance=instance,
                run_id=run_id,
                # Found by whoever looks for runs that nobody does any more.
                tags={
                    liveness.PROCESS_TAG: liveness.this_process(),
                    liveness.HERE_TAG: "true",
                    NO_RETRY_TAG: "0",
                    CAN_WAIT_TAG: "true",
                    **tags,
                },
                partition_key=partition_key,
                raise_on_error=False,
                # The failure is told once, by the command, and kept whole in the instance.
                run_config={**(run_config or {}), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        except KeyboardInterrupt:
            # Before its first step: a range of days takes Dagster a while to write down.
            _cancel(instance, run_id, ended=True)
            raise Stopped(run_id) from None
    if stopped():
        _cancel(instance, run_id, ended=True)
    if stopped() or result.dagster_run.status == dg.DagsterRunStatus.CANCELED:
        raise Stopped(run_id)
    if result.success:
        return []
    lines: list[str] = []
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            data: Any = event.step_failure_data
            described = data.user_failure_data.description if data.user_failure_data else None
            lines.append(described or (data.error.message if data.error else event.message or "failed").strip())
    return lines or [f"Run {result.run_id} failed."]


@contextmanager
def _canceling(instance: dg.DagsterInstance, run_id: str) -> Generator[None]:
    """Say of the run that it is being canceled as soon as it is interrupted."""

    def cancel() -> None:
        _cancel(instance, run_id)

    instance.add_event_listener(run_id, lambda entry: cancel() if stopped_in_step(entry) else None)
    when_wait_ends.append(cancel)
    try:
        yield
    finally:
        when_wait_ends.remove(cancel)


@contextmanager
def _watched(instance: dg.DagsterInstance, run_id: str) -> Generator[None]:
    """Interrupt this process when its run is terminated in the UI."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ended = threading.Event()

    def terminated() -> bool:
        try:
            run = instance.get_run_by_id(run_id)
        except Exception:  # noqa: BLE001 - the next look may succeed, and the run itself tells of an instance that is gone
            return False
        return run is not None and run.status in _TERMINATED

    def watch() -> None:
        while not ended.wait(WATCH_SECONDS):
            if terminated() and not ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)
                return

    watcher = threading.Thread(target=watch, name="terminate", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _cancel(instance: dg.DagsterInstance, run_id: str, *, ended: bool = False) -> None:
    """Say that the run is being canceled, or that it is: else Dagster takes an interrupt for a failure.

    Args:
        instance: where the run is recorded.
        run_id: the run; one that ended well stays as it is.
        ended: whether nothing of it works any more.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.status in {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED}:
        return
    if ended:
        instance.report_run_canceled(run, "Stopped where the command ran.")
    elif run.status != dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceling(run, "Stopped where the command runs.")


@contextmanager
def _noting_stops() -> Generator[Callable[[], bool]]:
    """Tell afterwards whether a signal asked this process to stop: Dagster forgets one that comes between two steps."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    before, came = signal.set_wakeup_fd(writing, warn_on_full_buffer=False), list[bool]()
    try:
        yield lambda: any(came)
    finally:
        signal.set_wakeup_fd(before)
        try:
            came += [number in _STOPS for number in os.read(reading, 1024)]
        except BlockingIOError:
            came.clear()
        os.close(reading)
        os.close(writing)
