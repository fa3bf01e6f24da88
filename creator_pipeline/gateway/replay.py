"""Lists deliveries, and puts those back into the queue that ended badly."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, or_, select

from creator_pipeline.platforms.intake import jobs_of_waiting
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.queue.table import ENDED_BADLY
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs as jobs
from creator_pipeline.store.tables import webhook_events as events

_HANDED_OUT = ("initial_sync", "refresh", "webhook")
"""Kinds that the queue hands out. A backfill goes on by its own command, and a report by being uploaded again."""
_SHOWN = (
    "received_at",
    "provider",
    "event_type",
    "profile_id",
    "status",
    "job_id",
    "repeats",
    "account_id",
    "note",
    "delivery_id",
)


def deliveries(warehouse: Warehouse, status: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """The newest deliveries first, each with the status and error of its job.

    Args:
        warehouse: where they are stored.
        status: of the delivery or of its job; None for all.
        limit: how many at most.
    """
    asked = (
        select(*(events.c[name] for name in _SHOWN), jobs.c.status.label("job_status"), jobs.c.error)
        .select_from(events.outerjoin(jobs, jobs.c.id == events.c.job_id))
        .order_by(events.c.received_at.desc(), events.c.delivery_id)
        .limit(limit)
    )
    if status is not None:
        asked = asked.where(or_(events.c.status == status, jobs.c.status.in_(_meant(status))))
    with warehouse.read() as connection:
        return [dict(row) for row in connection.execute(asked).mappings()]


def _meant(status: str) -> tuple[str, ...]:
    """Jobs that ended badly are called dead letters: whether their attempts are used up or they can't succeed as is."""
    return ENDED_BADLY if status == "dead" else (status,)


def dead_jobs(warehouse: Warehouse, limit: int = 50) -> list[dict[str, Any]]:
    """Jobs that ended badly and that no delivery asked for: backfills, first syncs, files. The newest first.

    Args:
        warehouse: where they are stored.
        limit: how many at most.
    """
    columns = [jobs.c[name] for name in ("id", "source", "kind", "profile_id", "status", "error", "finished_at")]
    asked_for = select(events.c.job_id).where(events.c.job_id.is_not(None))
    asked = (
        select(*columns)
        .where(jobs.c.status.in_(ENDED_BADLY), jobs.c.id.not_in(asked_for))
        .order_by(jobs.c.finished_at.desc(), jobs.c.id)
        .limit(limit)
    )
    with warehouse.read() as connection:
        return [dict(row) for row in connection.execute(asked).mappings()]


def replay(warehouse: Warehouse, queue: JobQueue, config: Settings, ids: Collection[str] | None) -> int:
    """Put jobs that ended badly back, and make jobs of deliveries that were only stored or fitted no profile.

    Returns the number of jobs.

    Args:
        warehouse: where both are stored.
        queue: takes the jobs.
        config: flags; what is switched off stays stored.
        ids: of deliveries or jobs; None for all.
    """
    waiting = or_(events.c.status == "stored", and_(events.c.status == "ignored", events.c.note.is_not(None)))
    if ids is not None:
        waiting = and_(waiting, events.c.delivery_id.in_(ids))
    return len(queue.replay(_dead(warehouse, ids))) + jobs_of_waiting(warehouse, queue, config, waiting)


def _dead(warehouse: Warehouse, ids: Collection[str] | None) -> list[str]:
    asked = select(jobs.c.id).where(jobs.c.status.in_(ENDED_BADLY), jobs.c.kind.in_(_HANDED_OUT))
    if ids is not None:
        theirs = select(events.c.job_id).where(events.c.delivery_id.in_(ids))
        asked = asked.where(or_(jobs.c.id.in_(ids), jobs.c.id.in_(theirs)))
    with warehouse.read() as connection:
        return list(connection.execute(asked).scalars())
