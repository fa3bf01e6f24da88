"""Checks of Dagster's queue: pools whose slots the dead hold, and runs whose turn doesn't come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.runtime.tags import ACCOUNT_TAG, PRIORITY_TAG, PROFILE_TAG, SOON

HELD_SECONDS = 120.0
"""A run may have been over for so long while its slots aren't free; the sweep frees them every 15 s."""
WAITED = timedelta(minutes=10)
"""A run that has waited for so long is told of: one that somebody waits for, and any while none is at work."""
_AT_WORK = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_QUEUED = [dg.DagsterRunStatus.QUEUED]


def health_checks(instance: dg.DagsterInstance) -> list[Check]:
    """All of this file."""
    return [Check("pool/", lambda: pools(instance)), Check("run_queue/", lambda: run_queue(instance))]


def pools(instance: dg.DagsterInstance) -> Iterator[Finding]:
    """Pools with slots that are held by runs which are over."""
    storage = instance.event_log_storage
    names = storage.get_concurrency_keys() if storage.supports_global_concurrency_limits else set[str]()
    for name, info in sorted(storage.get_concurrency_infos(sorted(names)).items() if names else ()):
        dead = _over(instance, sorted(info.active_run_ids))
        if dead:
            held = sum(slot.run_id in dead for slot in info.claimed_slots)
            text = (
                f"{held} of {info.slot_count} slots of the pool {name} are held by runs that are over: {_names(dead)}."
            )
            hint = "Is the sensor profiles on (UI, Automation)? It frees them. By hand: UI, Deployment, Concurrency."
            yield Finding(f"pool/{name}", "no", text, hint, f"The pool {name}")


def _over(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> list[str]:
    if not run_ids:
        return []
    records = {one.dagster_run.run_id: one for one in instance.get_run_records(dg.RunsFilter(run_ids=run_ids))}
    before = time.time() - HELD_SECONDS
    return [
        run_id
        for run_id in run_ids
        if (record := records.get(run_id)) is None
        or (record.dagster_run.is_finished and (record.end_time or 0.0) < before)
    ]


def run_queue(instance: dg.DagsterInstance) -> Iterator[Finding]:
    """A queue that doesn't move, or a run that somebody waits for and whose turn doesn't come, with what holds it."""
    at_work = instance.get_runs(dg.RunsFilter(statuses=_AT_WORK))
    waiting = dg.RunsFilter(statuses=_QUEUED, tags=SOON if at_work else {})
    oldest = next(iter(instance.get_run_records(waiting, limit=1, ascending=True)), None)
    if oldest is None or now() - (since := oldest.create_timestamp.astimezone(UTC)) < WAITED:
        return
    count = instance.get_runs_count(waiting)
    if at_work:
        held = _holders(oldest.dagster_run, at_work)
        text = f"{_many(count)} of priority {SOON[PRIORITY_TAG]} {_wait(count, since)}. {held}"
        hint = "Wait for what holds it, or terminate that run in the UI; what landed stays."
    else:
        text = f"{_many(count)} {_wait(count, since)}, and none is at work."
        hint = "Are dagster-daemon and the code server up (UI, Deployment)? Is a pool without slots (UI, Concurrency)?"
    yield Finding("run_queue/waiting", "no", text, hint, "Dagster's queue")


def _many(count: int) -> str:
    return number(count, "queued run")


def _wait(count: int, since: datetime) -> str:
    return f"{'waits' if count == 1 else 'wait'}, the oldest since {since:%Y-%m-%d %H:%M} UTC"


def _holders(run: dg.DagsterRun, at_work: Sequence[dg.DagsterRun]) -> str:
    account = run.tags.get(ACCOUNT_TAG)
    same = [one for one in at_work if account and one.tags.get(ACCOUNT_TAG) == account]
    if same:
        return f"The oldest is held by the run on the same account: {_described(same)}."
    return f"All that is at work: {_described(at_work)}."


def _described(runs: Sequence[dg.DagsterRun]) -> str:
    return ", ".join(f"{one.job_name} of {one.tags.get(PROFILE_TAG, 'nobody')} ({one.run_id[:8]})" for one in runs[:5])


def _names(run_ids: Sequence[str]) -> str:
    return ", ".join(run_id[:8] for run_id in run_ids[:5]) + (" and others" if len(run_ids) > 5 else "")
