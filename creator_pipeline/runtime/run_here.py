"""Runs in this process, for commands that need no daemon."""

from __future__ import annotations

from typing import Any

import dagster as dg


def run_here(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    job_name: str,
    tags: dict[str, str],
    *,
    partition_key: str | None = None,
) -> list[str]:
    """Run a job to its end and record it in the instance; returns what failed, a line each.

    Args:
        defs: hold the job.
        instance: records the run.
        job_name: name of the job.
        tags: of the run.
        partition_key: for a job with partitions.
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
