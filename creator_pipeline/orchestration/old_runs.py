"""Which of Dagster's runs have outlived their use, and how they go: a page of them at a time, for so many seconds.

Dagster deletes old ticks only. A run goes when it is old, over, and nothing that it says is the last word on anything;
see :mod:`creator_pipeline.runtime.run_events` for what is kept of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg
from sqlalchemy import or_, select

from creator_pipeline.core.budget import Budget
from creator_pipeline.runtime import run_events
from creator_pipeline.runtime.tags import ACCOUNT_TAG, BACKFILL_TAG, FILES_TAG, KEEP_TAG, PROFILE_TAG, TRIGGER_TAG
from creator_pipeline.store import health_reports
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs

RUNS_SECONDS = 600.0
"""One run of ``retention`` deletes for so long; the next one goes on."""
PAGE = 200
_BACKFILL = "dagster/backfill"
_OVER = frozenset({"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"})
_NO = frozenset({"", "0", "false", "no"})
_RUN_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


@dataclass
class _Looked:
    """What was seen on the way from the newest run to the oldest."""

    newest: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])
    parents: set[str] = field(default_factory=set[str])
    backfills: dict[str, bool] = field(default_factory=dict[str, bool])


def delete_old_runs(
    instance: dg.DagsterInstance, warehouse: Warehouse, before: datetime, budget: Budget | None = None
) -> Mapping[str, int]:
    """Delete runs that ended before a moment and say nothing that is the last word; returns how many of what.

    Left are: runs with the tag ``creator_pipeline/keep``; the newest run of each job and of each account; runs at work
    and those that they were started from; runs of a backfill that isn't over; failed runs that a problem is about.
    Stopped anywhere, the next call goes on. Two at a time do no harm.

    Args:
        instance: whose runs.
        warehouse: has the open problems and the backfills.
        before: aware UTC.
        budget: of time; :data:`RUNS_SECONDS` by default.
    """
    budget = budget or Budget(RUNS_SECONDS)
    counts = {"runs": 0, "events kept without their run": 0}
    looked = _Looked()
    for page in _pages(instance):
        old = [one for one in page if _may_go(instance, one, looked, before)]
        if not old:
            continue
        left = _left_by_warehouse(warehouse, old)
        ids = [one.dagster_run.run_id for one in old if one.dagster_run.run_id not in left]
        failed = [one.dagster_run.run_id for one in old if one.dagster_run.status == dg.DagsterRunStatus.FAILURE]
        going = set(ids) - run_events.needed(instance, ids, failed) if ids else set[str]()
        # Somebody may have marked a run, or begun one from it, since the page was read.
        asked = instance.get_runs(dg.RunsFilter(run_ids=sorted(going))) if going else []
        runs = [run for run in asked if run.is_finished and not _marked(run)]
        for run in runs:
            if budget.spent:
                return counts
            tags = {TRIGGER_TAG: run.tags[TRIGGER_TAG]} if TRIGGER_TAG in run.tags else {}
            counts["events kept without their run"] += run_events.release(instance, run.run_id, tags)
            run_events.forget_checks(instance, [run.run_id])
            run_events.delete_run(instance, run.run_id)
            counts["runs"] += 1
    run_events.remove_files(instance, before.timestamp())
    return counts


def _pages(instance: dg.DagsterInstance) -> Iterator[list[dg.RunRecord]]:
    """All runs from the newest on. A page is read before the runs of the one before it go: its last run is the place
    where it begins."""
    page = list(instance.get_run_records(limit=PAGE))
    while page:
        following = list(instance.get_run_records(limit=PAGE, cursor=page[-1].dagster_run.run_id))
        # The place must be there still when the page after the next is asked for.
        yield page
        page = following


def _may_go(instance: dg.DagsterInstance, record: dg.RunRecord, looked: _Looked, before: datetime) -> bool:
    run = record.dagster_run
    if not run.is_finished:
        looked.parents |= {one for one in (run.parent_run_id, run.root_run_id) if one}
        return False
    whose = [(run.job_name, run.tags.get(PROFILE_TAG, ""))]
    whose += [(tag, run.tags[tag]) for tag in (ACCOUNT_TAG, FILES_TAG) if tag in run.tags]
    new = [one for one in whose if one not in looked.newest]
    looked.newest.update(new)
    ended = record.end_time or record.update_timestamp.timestamp()
    return (
        not new
        and ended < before.timestamp()
        and not _marked(run)
        and run.run_id not in looked.parents
        and _backfill_over(instance, run, looked)
    )


def _marked(run: dg.DagsterRun) -> bool:
    return run.tags.get(KEEP_TAG, "").lower() not in _NO


def _backfill_over(instance: dg.DagsterInstance, run: dg.DagsterRun, looked: _Looked) -> bool:
    backfill_id = run.tags.get(_BACKFILL)
    if not backfill_id:
        return True
    if backfill_id not in looked.backfills:
        backfill = instance.get_backfill(backfill_id)
        looked.backfills[backfill_id] = backfill is None or backfill.status.value in _OVER
    return looked.backfills[backfill_id]


def _left_by_warehouse(warehouse: Warehouse, records: list[dg.RunRecord]) -> set[str]:
    """Runs that an open problem names, whose job isn't done, or whose backfill isn't."""
    runs, columns = [one.dagster_run for one in records], ingestion_jobs.c
    backfills = {run.run_id: run.tags[BACKFILL_TAG] for run in runs if BACKFILL_TAG in run.tags}
    ids, open_ = [run.run_id for run in runs], columns.status.not_in(("completed", "canceled"))
    with warehouse.read() as connection:
        problems = health_reports.open_ones(connection)
        named = select(columns.id, columns.run_id).where(
            or_(columns.run_id.in_(ids), columns.id.in_(list(backfills.values()))), open_
        )
        rows = connection.execute(named).all()
    told = {found for one in problems for word in ("id", "text", "hint") for found in _RUN_ID.findall(str(one[word]))}
    jobs = {row.id for row in rows}
    return told | {row.run_id for row in rows} | {run_id for run_id, job in backfills.items() if job in jobs}
