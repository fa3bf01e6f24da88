"""Finds runs whose process has ended.

Dagster's default launcher can't: such a run would stay "started" for hours, and the limit of one run for each profile
would hold up everything behind it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from creator_pipeline.core.budget import Budget

PROCESS_TAG = ".dagster/creator_pipeline_process"
"""The UI shows no tag that begins like this."""
_BEFORE = "creator_pipeline/process"
"""The same on runs of the release before."""
HERE_TAG = ".dagster/creator_pipeline_command"
"""On a run in the process of a command: no launcher has it, so the process itself looks whether it is terminated."""
NOT_HERE = "false"
"""Value of :data:`HERE_TAG` on a run that was a command's, and was run again by a launcher."""
LOCATION = "creator_pipeline"
UNMARKED_SECONDS = 120.0
"""Seconds from a run's start to its tag; far longer than its first step needs to begin."""
BEGUN = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
"""Of runs that a process has, or is about to have. One that only waits in the queue has none."""
_KILLED = "The process that did this run ended without a word; it was killed."


class _Place(NamedTuple):
    """Where a process number names one process: two machines, or two containers of one, may have the same name."""

    host: str
    machine: str
    boot: str
    space: str


_FIRST_SPACE = "4026531836"
"""Number of the machine's own process table on every Linux; a container's has another."""


@lru_cache(maxsize=1)
def _here() -> _Place:
    def read(path: str) -> str:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    try:
        space = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        space = ""
    return _Place(socket.gethostname(), read("/etc/machine-id"), read("/proc/sys/kernel/random/boot_id"), space)


def _stat(process: int) -> list[str]:
    """What Linux says of a process, from its state on; empty where unknown."""
    try:
        # The name in parentheses may hold anything; what follows it is fields.
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _started(process: int) -> str:
    """When a process began, in clock ticks since boot; "" where unknown. It tells two processes of one number apart."""
    return "".join(_stat(process)[19:20])


def this_process() -> str:
    """Value of the tag for this process."""
    return ":".join((*_here(), str(os.getpid()), _started(os.getpid())))


def is_gone(tag: str) -> bool:
    """Whether the process that a tag names has ended; False where it can't be known, as on another host."""
    parts, here = tag.split(":"), _here()
    if len(parts) != 6 or not parts[4].isdigit():
        return False
    place, process, began = _Place(*parts[:4]), int(parts[4]), parts[5]
    if place != here:
        return _rebooted(place, here)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    # Killed, and whoever started it hasn't asked how it ended.
    if _stat(process)[:1] in (["Z"], ["X"]):
        return True
    return bool(began) and _started(process) != began


def _rebooted(then: _Place, here: _Place) -> bool:
    """Whether this machine was restarted since; False for a container on it."""
    same = bool(then.machine) and (then.host, then.machine) == (here.host, here.machine)
    return same and then.boot != here.boot and then.space == here.space == _FIRST_SPACE


def mark(instance: dg.DagsterInstance, run_id: str) -> None:
    """Tag a run with this process."""
    instance.add_run_tags(run_id, {PROCESS_TAG: this_process()})


def _inherited(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the tag is that of the run which this one retries: Dagster copies the tags."""
    before = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return before is not None and before.tags.get(PROCESS_TAG) == run.tags.get(PROCESS_TAG)


def fail_dead_runs(
    instance: dg.DagsterInstance, tags: dict[str, str] | None = None, budget: Budget | None = None
) -> list[str]:
    """Mark the runs with these tags as failed whose process on this host has ended; returns their ids.

    A run that was being canceled is canceled then. The slots that they held in pools are free at once.

    A run of this package is tagged with its process before its first step, a command's as soon as it is recorded. One
    that started more than ``UNMARKED_SECONDS`` ago and has no such tag ended before it. Whoever has a budget calls
    again: what is left when it is spent stays as it was.
    """
    ended: list[str] = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=list(BEGUN), tags=tags or {})):
        if budget is not None and budget.spent:
            break
        run = record.dagster_run
        process = "" if _inherited(instance, run) else run.tags.get(PROCESS_TAG) or run.tags.get(_BEFORE)
        if is_gone(process) if process else _never_marked(record):
            if run.status == dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, _KILLED)
            else:
                instance.report_run_failed(run, _KILLED)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


def free_slots_of_ended_runs(instance: dg.DagsterInstance) -> list[str]:
    """Free the slots of pools that runs hold which are over; returns the ids of these runs.

    A run that is killed gives nothing back. Steps run in the run's own process, so that nothing of it works any more.
    """
    storage = instance.event_log_storage
    holders = sorted(storage.get_concurrency_run_ids()) if storage.supports_global_concurrency_limits else []
    if not holders:
        return []
    alive = {run.run_id for run in instance.get_runs(dg.RunsFilter(run_ids=holders)) if not run.is_finished}
    ended = [run_id for run_id in holders if run_id not in alive]
    for run_id in ended:
        storage.free_concurrency_slots_for_run(run_id)
    return ended


def _never_marked(record: dg.RunRecord) -> bool:
    origin = record.dagster_run.remote_job_origin
    ours = origin is not None and origin.location_name == LOCATION
    started = record.dagster_run.status in {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING}
    return ours and started and record.start_time is not None and time.time() - record.start_time > UNMARKED_SECONDS


class Absences:
    """For how long no worker has reported a run. One that is busy or has just lost its connection may miss a check.

    Args:
        patience: seconds that a run may be without a worker.
        clock: seconds that only grow.
    """

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._since: dict[str, float] = {}

    def note(self, run_id: str, *, seen: bool) -> float | None:
        """Take in one check; returns the seconds without a worker once they exceed the patience, else None."""
        if seen:
            self._since.pop(run_id, None)
            return None
        absent = self._clock() - self._since.setdefault(run_id, self._clock())
        if absent < self._patience:
            return None
        del self._since[run_id]
        return absent
