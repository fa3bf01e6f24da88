"""Runs whose process is gone. Dagster's default launcher can't tell: such a run would stay "started" for hours, and
the limit of one run for each profile would hold up everything behind it."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

import dagster as dg

PROCESS_TAG = "creator_pipeline/process"
_AT_WORK = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@lru_cache(maxsize=1)
def _host() -> str:
    return socket.gethostname()


def _started(process: int) -> str:
    """When a process began, in clock ticks since boot: a number that is used again has another; "" where unknown."""
    try:
        # The name in parentheses may hold anything; what follows it is fields.
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def this_process() -> str:
    """Value of the tag for this process."""
    return f"{_host()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(tag: str) -> bool:
    """Whether the process of a tag has ended; False where it can't be known, as on another host."""
    host, _, rest = tag.rpartition(":")[0].rpartition(":")
    process, began = rest, tag.rpartition(":")[2]
    if host != _host() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return bool(began) and _started(int(process)) != began


def mark(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> None:
    """Say on the run which process does it."""
    context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: this_process()})


def bury(instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> list[str]:
    """Mark the runs as failed whose process on this host is gone; returns their ids."""
    buried: list[str] = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_AT_WORK, tags=tags or {})):
        if is_gone(run.tags.get(PROCESS_TAG, "")):
            instance.report_run_failed(run, "The process that did this run ended without a word; it was killed.")
            buried.append(run.run_id)
    return buried
