"""Runs in this process, for commands that need no daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg

LoadDefinitions = Callable[[], dg.Definitions]
"""What a command that runs jobs gets as click's object: loads the definitions, which are above every platform."""


def run_here(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    job_name: str,
    tags: dict[str, str],
    *,
    partition_key: str | None = None,
) -> list[str]:
    """Run a job to its end. It is recorded in the instance like every run.

    Args:
        defs: where the job is.
        instance: where the run is recorded.
        job_name: the job.
        tags: tags of the run.
        partition_key: partition that is run; None for a job without partitions, or where ``tags`` hold a range.

    Returns:
        A line for each failed step; empty where the run succeeded.
    """
    result = defs.resolve_job_def(job_name).execute_in_process(
        instance=instance,
        tags=tags,
        partition_key=partition_key,
        raise_on_error=False,
        # The failure is told once, by the command, and kept whole in the instance.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    if result.success:
        return []
    lines: list[str] = []
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            data: Any = event.step_failure_data
            described = data.user_failure_data.description if data.user_failure_data else None
            lines.append(described or (data.error.message if data.error else event.message or "failed").strip())
    return lines or [f"Run {result.run_id} failed."]
