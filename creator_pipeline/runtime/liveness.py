"""Runs whose process is gone. Dagster's default launcher can't tell: such a run would stay "started" for hours, and
the limit of one run for each profile would hold up everything behind it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import dagster as dg

PROCESS_TAG = "creator_pipeline/process"
LOCATION = "creator_pipeline"
UNMARKED_SECONDS = 120.0
"""Far longer than a run takes from its start to its first step."""
_AT_WORK = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


class _Place(NamedTuple):
    """Where process numbers mean the same: two machines, and two containers of one, may have the same name."""

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


def _started(process: int) -> str:
    """When a process began, in clock ticks since boot: a number that is used again has another; "" where unknown."""
    try:
        # The name in parentheses may hold anything; what follows it is fields.
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def this_process() -> str:
    """Value of the tag for this process."""
    return ":".join((*_here(), str(os.getpid()), _started(os.getpid())))


def is_gone(tag: str) -> bool:
    """Whether the process of a tag has ended; False where it can't be known, as on another host."""
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
    return bool(began) and _started(process) != began


def _rebooted(then: _Place, here: _Place) -> bool:
    """Whether this machine itself, not a container on it, was started again since."""
    same = bool(then.machine) and (then.host, then.machine) == (here.host, here.machine)
    return same and then.boot != here.boot and then.space == here.space == _FIRST_SPACE


def mark(instance: dg.DagsterInstance, run_id: str) -> None:
    """Say on the run which process does it."""
    instance.add_run_tags(run_id, {PROCESS_TAG: this_process()})


def _inherited(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the tag is still the one of the run that this one is another try of: Dagster copies them."""
    before = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return before is not None and before.tags.get(PROCESS_TAG) == run.tags.get(PROCESS_TAG)


def bury(instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> list[str]:
    """Mark the runs as failed whose process on this host is gone; returns their ids.

    A run of ours marks itself before its first step, so one that began long ago and has no mark died before it.
    """
    buried: list[str] = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_AT_WORK, tags=tags or {})):
        run = record.dagster_run
        process = "" if _inherited(instance, run) else run.tags.get(PROCESS_TAG)
        if is_gone(process) if process else _never_marked(record):
            instance.report_run_failed(run, "The process that did this run ended without a word; it was killed.")
            buried.append(run.run_id)
    return buried


def _never_marked(record: dg.RunRecord) -> bool:
    origin = record.dagster_run.remote_job_origin
    ours = origin is not None and origin.location_name == LOCATION
    return ours and record.start_time is not None and time.time() - record.start_time > UNMARKED_SECONDS


class Absences:
    """Runs that nobody was seen at: a worker that is busy, or has just lost its connection, may miss one look.

    Args:
        patience: seconds that somebody may be unseen.
    """

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._since: dict[str, float] = {}

    def note(self, run_id: str, *, seen: bool) -> float | None:
        """Note a look; returns the seconds of absence where they are more than the patience."""
        if seen:
            self._since.pop(run_id, None)
            return None
        absent = self._clock() - self._since.setdefault(run_id, self._clock())
        if absent < self._patience:
            return None
        del self._since[run_id]
        return absent
