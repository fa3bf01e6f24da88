"""Statements on ``ingestion_jobs``, the same on SQLite and PostgreSQL.

Jobs are handed out by leases (:mod:`creator_pipeline.store.leases`); a replay doesn't put ``attempts`` back either.
Whatever makes a consumer ask (Redis, a poll, a stale hint), only the table hands out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import orjson
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, exists, func, select, update

from creator_pipeline.store.leases import Lease, LeaseTable, database_time
from creator_pipeline.store.locks import try_lock
from creator_pipeline.store.tables import ingestion_jobs as jobs
from creator_pipeline.store.upserts import insert_into

MAX_ATTEMPTS = 5
"""Times a job is handed out before it becomes a dead letter; a replay gives as many again."""
PENDING = ("queued", "running")
ENDED_BADLY = ("failed", "dead")
LEASES = LeaseTable(jobs, jobs.c.visible_at, open_statuses=PENDING, held_statuses=("running",))
_ERROR_CHARACTERS = 2_000

Kind = Literal["initial_sync", "refresh", "file", "webhook", "backfill"]
Group = tuple[str, str, str]
"""Source, profile id, kind: what one run can do together."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What to put into the queue.

    Attributes:
        source: name of the platform.
        payload: JSON-able; what to do, without personal data or secrets.
        delay: seconds before it may be handed out.
        id: the same id is taken once, however often it is put in.
    """

    profile_id: str
    source: str
    kind: Kind
    payload: Mapping[str, Any]
    delay: float = 0.0
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class Job:
    """A row of ``ingestion_jobs``."""

    id: str
    profile_id: str
    source: str
    kind: str
    payload: dict[str, Any]
    status: str
    attempts: int
    visible_at: datetime
    run_id: str | None
    events_count: int | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def lease(self) -> Lease:
        """The lease of whoever this row was handed to."""
        return Lease(self.id, self.attempts)


def add(connection: Connection, new: Sequence[NewJob]) -> list[str]:
    """Insert jobs whose id is not known yet; returns those ids."""
    if not new:
        return []
    # Asked once: rows of plain values go in as one compiled statement.
    now = connection.execute(select(database_time(connection))).scalar_one()
    rows = [
        {
            "id": job.id,
            "profile_id": job.profile_id,
            "source": job.source,
            "kind": job.kind,
            "payload": orjson.dumps(job.payload).decode(),
            "status": "queued",
            "attempts": 0,
            "visible_at": now + timedelta(seconds=job.delay),
            "created_at": now,
        }
        for job in new
    ]
    statement = insert_into(connection, jobs).on_conflict_do_nothing().returning(jobs.c.id)
    return list(connection.execute(statement, rows).scalars())


def claim(connection: Connection, lease_seconds: float, limit: int, *only: ColumnElement[bool]) -> list[Job]:
    """Hand out due jobs, the oldest first; those that used up their attempts become dead letters instead."""
    found = LEASES.lock_due(connection, [jobs.c.id, jobs.c.status, jobs.c.attempts], limit, *only)
    # A replayed job waits with its counter at a multiple; one that is running there has had its last attempt.
    dead = {row.id for row in found if row.status == "running" and row.attempts % MAX_ATTEMPTS == 0}
    if dead:
        mark_dead(connection, dead)
    order = {row.id: place for place, row in enumerate(found) if row.id not in dead}
    if not order:
        return []
    rows = LEASES.hand_out(connection, order, lease_seconds, jobs.c, status="running", run_id=None)
    return sorted(map(as_job, rows), key=lambda job: order[job.id])


def mark_dead(connection: Connection, ids: Collection[str]) -> None:
    """Make jobs dead letters whose last holder never said how it went."""
    silent = f"Handed out {MAX_ATTEMPTS} times and never finished."
    connection.execute(
        update(jobs)
        .where(jobs.c.id.in_(ids))
        .values(status="dead", finished_at=database_time(connection), error=func.coalesce(jobs.c.error, silent))
    )


def failure(connection: Connection, error: str, retry_in: float | None) -> dict[str, Any]:
    """Values for a job that failed: for good (``retry_in`` None), after its last attempt, or to be tried again."""
    text = error[:_ERROR_CHARACTERS]
    if retry_in is None:
        return {"status": "failed", "error": text, "finished_at": database_time(connection)}
    last = jobs.c.attempts % MAX_ATTEMPTS == 0
    return {
        "status": case((last, "dead"), else_="queued"),
        "error": text,
        "visible_at": database_time(connection, retry_in),
        "finished_at": case((last, database_time(connection)), else_=None),
    }


def delays(connection: Connection, *where: ColumnElement[bool], limit: int) -> dict[str, float]:
    """Seconds until each job of a condition that is not over may be handed out; negative where it is overdue."""
    rows = connection.execute(
        select(jobs.c.id, jobs.c.visible_at, database_time(connection).label("now"))
        .where(jobs.c.status.in_(PENDING), *where)
        .order_by(jobs.c.visible_at, jobs.c.id)
        .limit(limit)
    )
    return {row.id: (row.visible_at - row.now).total_seconds() for row in rows}


def ages(connection: Connection) -> dict[tuple[str, str], float]:
    """Seconds since the oldest open job of each source and kind was asked for, backfills aside.

    One that has failed before, or was replayed, waits for its next try and isn't counted.
    """
    rows = connection.execute(
        select(jobs.c.source, jobs.c.kind, func.min(jobs.c.created_at).label("since"))
        .where(jobs.c.status.in_(PENDING), jobs.c.error.is_(None), jobs.c.kind != "backfill")
        .group_by(jobs.c.source, jobs.c.kind)
    ).all()
    moment = connection.execute(select(database_time(connection))).scalar_one()
    return {(row.source, row.kind): max(0.0, (moment - row.since).total_seconds()) for row in rows}


def held_by_runs(connection: Connection, sources: Collection[str]) -> dict[str, list[Lease]]:
    """Leases that haven't ended, by the run that holds them."""
    rows = connection.execute(
        select(jobs.c.run_id, jobs.c.id, jobs.c.attempts).where(
            leased(connection), jobs.c.run_id.is_not(None), jobs.c.source.in_(sources), jobs.c.kind != "backfill"
        )
    )
    held: dict[str, list[Lease]] = {}
    for run_id, job_id, attempts in rows:
        held.setdefault(run_id, []).append(Lease(job_id, attempts))
    return held


def waiting_groups(connection: Connection, sources: Collection[str] | None) -> list[Group]:
    """Groups with due jobs that no run is working on, the longest waiting first."""
    group = (jobs.c.source, jobs.c.profile_id, jobs.c.kind)
    known = [] if sources is None else [jobs.c.source.in_(sources)]
    waiting = connection.execute(
        select(*group)
        .where(LEASES.due(connection), *known)
        .group_by(*group)
        .order_by(func.min(jobs.c.visible_at), *group)
    )
    busy = {tuple(row) for row in connection.execute(select(*group).where(leased(connection)).distinct())}
    return [(row[0], row[1], row[2]) for row in waiting if tuple(row) not in busy]


def any_waiting(connection: Connection, sources: Collection[str]) -> bool:
    """Whether :func:`waiting_groups` finds one. It ends at the first row, so that it may be asked often."""
    other = jobs.alias()
    held = and_(other.c.status == "running", other.c.visible_at > database_time(connection))
    same = [other.c[name] == jobs.c[name] for name in ("source", "profile_id", "kind")]
    return LEASES.any_due(connection, jobs.c.source.in_(sources), ~exists().where(held, *same))


def leased(connection: Connection) -> ColumnElement[bool]:
    """Someone is working on it."""
    return and_(jobs.c.status == "running", jobs.c.visible_at > database_time(connection))


def claim_group(connection: Connection, group: Group, lease_seconds: float, limit: int) -> list[Job]:
    """Hand out due jobs of one group, the oldest first; none while a run is working on some of it.

    Args:
        connection: of a write transaction.
        group: source, profile id and kind.
        lease_seconds: until the jobs may be handed out again.
        limit: jobs at most.
    """
    source, profile_id, kind = group
    same = and_(jobs.c.source == source, jobs.c.profile_id == profile_id, jobs.c.kind == kind)
    # Rows skipped as locked would let a second claimer start another run with the rest of the group.
    if not try_lock(connection, "/".join(group)):
        return []
    if connection.execute(select(jobs.c.id).where(same, leased(connection)).limit(1)).first():
        return []
    return claim(connection, lease_seconds, limit, same)


def as_job(row: RowMapping) -> Job:
    """A row as read, its payload parsed."""
    return Job(**{**row, "payload": orjson.loads(row["payload"])})
