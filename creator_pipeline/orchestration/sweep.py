"""The sweep: what runs hold that are over is given back, and what a queued run is to do stays its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import dagster as dg

from creator_pipeline.core.budget import Budget
from creator_pipeline.core.text import number
from creator_pipeline.queue import table
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.runtime import liveness
from creator_pipeline.runtime.queue_jobs import LEASE_SECONDS, job_queue, parse_leases
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.leases import Lease

_NOT_BEGUN = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
_SHOWN = 5
_LOST = "The run that had it ended without a word."


def sweep(instance: dg.DagsterInstance, warehouse: Warehouse, sources: Collection[str], budget: Budget) -> list[str]:
    """End the runs whose process is gone; free the slots and the jobs of every run that is over.

    Returns a sentence for each of these that was done. What is left when the budget is spent is done by the next tick.

    Args:
        instance: whose runs.
        warehouse: holds the queue.
        sources: names of the platforms with jobs in it.
        budget: of the tick.
    """
    queue, told = job_queue(warehouse), list[str]()
    if ended := liveness.fail_dead_runs(instance, budget=budget):
        told.append(f"{number(len(ended), 'run')} ended whose process is gone: {', '.join(ended[:_SHOWN])}.")
    if freed := liveness.free_slots_of_ended_runs(instance):
        runs = number(len(freed), "run that is over", "runs that are over")
        told.append(f"Slots freed of {runs}: {', '.join(freed[:_SHOWN])}.")
    _keep_for_queued(instance, queue)
    with warehouse.read() as connection:
        held = table.held_by_runs(connection, sources)
    if held:
        alive = {run.run_id for run in instance.get_runs(dg.RunsFilter(run_ids=sorted(held))) if not run.is_finished}
        for run_id in sorted(held.keys() - alive):
            if budget.spent:
                break
            queue.fail_all(held[run_id], _LOST, 0.0)
            told.append(f"{number(len(held[run_id]), 'job')} of run {run_id}, which is over, in the queue again.")
    return told


def _keep_for_queued(instance: dg.DagsterInstance, queue: JobQueue) -> None:
    """Extend the leases of runs that wait for their turn: nobody else renews them before they begin."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_NOT_BEGUN)):
        if leases := _leases(run):
            queue.extend_all(leases, LEASE_SECONDS, run_id=run.run_id)


def _leases(run: dg.DagsterRun) -> list[Lease]:
    ops: Any = dict(run.run_config).get("ops") or {}
    configs = (op.get("config") for op in ops.values() if isinstance(op, dict))
    return [one for config in configs if isinstance(config, dict) for one in parse_leases(config.get("leases", ()))]
