"""Jobs that ended badly and are over all the same: what they were to read has been read since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date

import dagster as dg
from sqlalchemy import Connection, select

from creator_pipeline.core.windows import DayWindow, partition_key
from creator_pipeline.monitoring.platform_checks import checks_of
from creator_pipeline.platforms import of_name
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime.run_events import tags_of
from creator_pipeline.runtime.tags import TRIGGER_TAG
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, platform_connections

_over: set[str] = set()
"""Ids of jobs that were found to be over: a memo of this process, by job and end."""
_NAMED_ONLY = frozenset({"webhook", "refresh"})
"""Runs that read single rows of a day and log the whole day: no proof that the day was read."""
_LANDED = dg.DagsterEventType.ASSET_MATERIALIZATION
_CHUNK = 1_000


def left(jobs: Iterable[Job], warehouse: Warehouse, instance: dg.DagsterInstance) -> list[Job]:
    """Those of the jobs that are a problem still.

    Left out are jobs of a connection that was removed, refused reports, whose owners were told, and jobs whose days, or
    whose very objects, were read since.

    Args:
        jobs: that ended badly.
        warehouse: has the connections, also those whose token is refused, and the jobs that ended well.
        instance: tells when days were read.
    """
    columns = platform_connections.c
    with warehouse.read() as connection:
        there = {tuple(row) for row in connection.execute(select(columns.provider, columns.profile_id))}
        asked = [job for job in jobs if _key(job) not in _over and not _nobodys(job, there)]
        days = {job.id: _days(connection, job) for job in asked}
        done = {job.id for job in asked if _done_by_another(connection, job)}
    groups = defaultdict[tuple[str, str], list[Job]](list)
    for job in asked:
        groups[job.source, job.profile_id].append(job)
    for (source, owner), group in groups.items():
        wanted = {partition_key(day, owner) for job in group for day in days[job.id] or ()}
        read = _read_at(instance, of_name(source), wanted)
        for job in group:
            named = [partition_key(day, owner) for day in days[job.id] or ()]
            if named and job.finished_at and all(read.get(key, 0.0) > job.finished_at.timestamp() for key in named):
                done.add(job.id)
    _over.update(_key(job) for job in asked if job.id in done)
    return [job for job in asked if job.id not in done]


def _key(job: Job) -> str:
    return f"{job.id}:{job.finished_at}"


def _nobodys(job: Job, there: Collection[tuple[str, ...]]) -> bool:
    platform = of_name(job.source)
    if platform is None:
        return False
    if platform.connects:
        return (platform.in_ledger, job.profile_id) not in there
    # What became of a report is told to its owner; a better one has a job of its own.
    return job.kind == "file"


def _days(connection: Connection, job: Job) -> Collection[date] | None:
    if "from" in job.payload and "to" in job.payload:
        return list(DayWindow(*(date.fromisoformat(job.payload[name]) for name in ("from", "to"))).each())
    platform = of_name(job.source)
    return checks_of(platform).days_named(connection, job) if platform else None


def _done_by_another(connection: Connection, job: Job) -> bool:
    table = ingestion_jobs.c
    stored = select(table.payload).where(table.id == job.id).scalar_subquery()
    same = (table.profile_id == job.profile_id, table.source == job.source, table.payload == stored)
    asked = select(table.id).where(*same, table.status == "completed", table.finished_at > job.finished_at)
    return connection.execute(asked.limit(1)).first() is not None


def _read_at(instance: dg.DagsterInstance, platform: Platform | None, partitions: set[str]) -> dict[str, float]:
    """When each day was read whole the last time, in all assets of the platform's backfill."""
    backfill = platform.dagster.get().backfill if platform else None
    if backfill is None or not partitions:
        return {}
    found = [dict(_newest(instance, key, partitions)) for key in backfill.assets]
    return {
        partition: min(times[partition] for times in found)
        for partition in partitions
        if all(partition in times for times in found)
    }


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey, partitions: set[str]) -> Iterator[tuple[str, float]]:
    storage, partly = instance.event_log_storage, dict[str, bool]()
    ids = list(storage.get_latest_storage_id_by_partition(key, _LANDED, partitions).values())
    for start in range(0, len(ids), _CHUNK):
        wanted = dg.EventRecordsFilter(_LANDED, asset_key=key, storage_ids=ids[start : start + _CHUNK])
        for record in storage.get_event_records(wanted):
            if record.run_id and record.run_id not in partly:
                run = instance.get_run_by_id(record.run_id)
                partly[record.run_id] = run is not None and run.tags.get(TRIGGER_TAG) in _NAMED_ONLY
            # The run of an event without one was deleted by the job ``retention``.
            rows_only = partly.get(record.run_id, tags_of(record.event_log_entry).get(TRIGGER_TAG) in _NAMED_ONLY)
            if record.partition_key and not rows_only:
                yield record.partition_key, record.timestamp
