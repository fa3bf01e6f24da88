"""The queue of job ids: ``ingestion_jobs`` decides, Redis says when to look.

Every change is committed in the table first and told to Redis afterwards, as a hint (:mod:`.redis_hints`). A hint that
is lost, stale or doubled makes a consumer look late or in vain, and hands out no job twice and loses none:

* hint lost: :meth:`JobQueue.heal` finds the job in the table, at the latest after ``HEAL_SECONDS``;
* hint stale: the table refuses the claim, and the hint is corrected;
* no Redis, or nothing to do for a while (``IdlePause``): the consumer asks the table at its polls.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, func, select, update

from creator_pipeline.core.budget import Budget
from creator_pipeline.queue import table
from creator_pipeline.queue.redis_client import RedisDown, RedisLink
from creator_pipeline.queue.redis_hints import HEAL_SECONDS, IdlePause, RedisHints, pause_of
from creator_pipeline.queue.table import MAX_ATTEMPTS, Group, Job, Kind, NewJob
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.leases import Lease, database_time

__all__ = ["HEAL_SECONDS", "MAX_ATTEMPTS", "Batch", "Group", "Job", "JobQueue", "Kind", "NewJob"]
HEAL_JOBS = 10_000  # told to Redis at once; the rest follows as these are worked off
_DUE_IDS = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one source, profile and kind that one run does together."""

    source: str
    profile_id: str
    kind: str
    jobs: tuple[Job, ...]

    @property
    def leases(self) -> list[Lease]:
        """What the run acks, extends or fails."""
        return [job.lease for job in self.jobs]

    @property
    def run_key(self) -> str:
        """One for each set of jobs and attempts."""
        keys = "\n".join(sorted(lease.key for lease in self.leases))
        return hashlib.sha256(keys.encode()).hexdigest()[:32]


class JobQueue:
    """The queue over one warehouse, with or without Redis. Safe to share between threads.

    Args:
        redis: from :func:`creator_pipeline.queue.redis_client.connect`; None works as a Redis that is down.
        name: of the sorted set; two warehouses that share a Redis need two names.

    Every method raises TransientError when the warehouse can't be reached, and none because of Redis.
    """

    def __init__(self, warehouse: Warehouse, redis: RedisLink | None, *, name: str = "creator_pipeline:jobs") -> None:
        self._warehouse = warehouse
        self._hints = None if redis is None else RedisHints(redis, name)
        self._idle = IdlePause() if redis is None else pause_of(redis, name)

    def enqueue(
        self,
        profile_id: str,
        source: str,
        kind: Kind,
        payload: Mapping[str, Any],
        *,
        delay: float = 0.0,
        job_id: str | None = None,
    ) -> str:
        """Put a job in; it is durable when this returns its id.

        Args:
            delay: seconds before it may be handed out.
            job_id: a job with this id that exists, in whatever state, is left as it is.
            profile_id, source, kind, payload: see :class:`NewJob`.
        """
        job = NewJob(profile_id, source, kind, payload, delay, job_id or uuid4().hex)
        with self._warehouse.write() as connection:
            added = self.add(connection, [job])
        self.announce([job] if added else [])
        return job.id

    def add(self, connection: Connection, new: Sequence[NewJob]) -> list[str]:
        """Put jobs in within the caller's transaction; returns the new ids. Call :meth:`announce` after the commit."""
        return table.add(connection, new)

    def announce(self, new: Iterable[NewJob]) -> None:
        """Tell Redis of jobs that were committed."""
        self._idle.end()
        self._tell_redis(lambda hints: hints.set({job.id: job.delay for job in new}))

    def dequeue(self, n: int, lease_seconds: float) -> list[Lease]:
        """Hand out up to ``n`` due jobs, each until its lease ends; the oldest first."""
        if (ids := self._due(n, lease_seconds)) == [] or (ids is None and not self._any_due()):
            return []
        self._idle.end()
        only = [] if ids is None else [table.jobs.c.id.in_(ids)]
        with self._warehouse.write() as connection:
            leases = [job.lease for job in table.claim(connection, lease_seconds, n, *only)]
        self._correct(set(ids or ()) - {lease.id for lease in leases})
        return leases

    def claim_batches(
        self,
        *,
        lease_seconds: float,
        sources: Collection[str] | None = None,
        batches: int = 10,
        limit: int = 500,
        budget: Budget | None = None,
        ask_redis: bool = True,
    ) -> list[Batch]:
        """Batches that may run now, the longest waiting first. What arrives while a run is at work makes up the next.

        Args:
            lease_seconds: until the jobs may be handed out again.
            sources: only these; None for all.
            batches, limit, budget: at most so many, jobs in each, and how long batches are begun.
            ask_redis: first, whether there is anything.
        """
        if (ids := self._due(_DUE_IDS, 0.0) if ask_redis else None) == []:
            return []
        with self._warehouse.read() as connection:
            groups = table.waiting_groups(connection, sources)
        if groups:
            self._idle.end()
        claimed: list[Batch] = []
        for group in groups:
            if len(claimed) == batches or (budget is not None and budget.spent):
                break
            batch = self._claim(group, lease_seconds, limit)
            claimed += [batch] if batch else []
        self._correct(set(ids or ()) - {job.id for batch in claimed for job in batch.jobs})
        return claimed

    def ack(self, job_id: str, attempt: int, *, events_count: int | None = None) -> bool:
        """End a job that is done; False where the attempt isn't the newest, and nothing was changed."""
        return bool(self.ack_all([Lease(job_id, attempt)], events_count=events_count))

    def ack_all(self, leases: Iterable[Lease], *, events_count: int | None = None) -> list[str]:
        """End the jobs of a batch in one transaction; returns the ids whose lease was good."""
        with self._warehouse.write() as connection:
            now = database_time(connection)
            done = table.LEASES.update(
                connection, leases, status="completed", finished_at=now, error=None, events_count=events_count
            )
        self._tell_redis(lambda hints: hints.drop(done))
        return done

    def extend(self, job_id: str, attempt: int, seconds: float, *, run_id: str | None = None) -> bool:
        """Make a lease end later; False where it is lost, and the work should stop.

        Args:
            job_id, attempt: the lease.
            seconds: from now until it ends, by the database's clock.
            run_id: noted as the job's run; None leaves what is noted.
        """
        return bool(self.extend_all([Lease(job_id, attempt)], seconds, run_id=run_id))

    def extend_all(self, leases: Iterable[Lease], seconds: float, *, run_id: str | None = None) -> list[str]:
        """:meth:`extend` for a batch; returns the ids whose lease was good. ``run_id`` is noted where given."""
        noted = {} if run_id is None else {"run_id": run_id}
        with self._warehouse.write() as connection:
            held = table.LEASES.extend(connection, leases, seconds, **noted)
        self._tell_redis(lambda hints: hints.set(dict.fromkeys(held, seconds)))
        return held

    def fail(self, job_id: str, attempt: int, error: str, retry_in: float | None) -> bool:
        """Give a job back after a failure; False where the attempt isn't the newest.

        Args:
            error: without secrets and buyers' addresses.
            retry_in: seconds until it may be tried again, or ``dead`` after ``MAX_ATTEMPTS``; None: ``failed`` at once.
        """
        return bool(self.fail_all([Lease(job_id, attempt)], error, retry_in))

    def fail_all(self, leases: Iterable[Lease], error: str, retry_in: float | None) -> list[str]:
        """:meth:`fail` for a batch; returns the ids whose lease was good."""
        with self._warehouse.write() as connection:
            values = table.failure(connection, error, retry_in)
            given_back = table.LEASES.update(connection, leases, **values)
        self._correct(given_back)
        return given_back

    def schedule(self, job_id: str, delay: float) -> bool:
        """Let a job that waits be handed out ``delay`` seconds from now; False where it doesn't wait."""
        jobs = table.jobs
        with self._warehouse.write() as connection:
            moved = connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id, jobs.c.status == "queued")
                .values(visible_at=database_time(connection, delay))
            ).rowcount
        self._tell_redis(lambda hints: hints.set({job_id: delay} if moved else {}))
        return moved == 1

    def dead_letters(self, limit: int = 100) -> list[Job]:
        """Jobs that ended badly, the newest first: ``dead`` used up their attempts, ``failed`` can't succeed as is."""
        jobs = table.jobs
        with self._warehouse.read() as connection:
            rows = connection.execute(
                select(jobs)
                .where(jobs.c.status.in_(table.ENDED_BADLY))
                .order_by(jobs.c.finished_at.desc(), jobs.c.id)
                .limit(limit)
            ).mappings()
            return [table.as_job(row) for row in rows]

    def replay(self, job_ids: Collection[str]) -> list[str]:
        """Put dead letters back; returns the ids that were some. Their attempts go on counting."""
        jobs = table.jobs
        with self._warehouse.write() as connection:
            revived = connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(job_ids), jobs.c.status.in_(table.ENDED_BADLY))
                .values(status="queued", visible_at=database_time(connection), finished_at=None)
                .returning(jobs.c.id)
            )
            ids = list(revived.scalars())
        self._tell_redis(lambda hints: hints.set(dict.fromkeys(ids, 0.0)))
        return ids

    def get(self, job_ids: Collection[str]) -> list[Job]:
        """Jobs as they stand now; ids that don't exist are left out."""
        with self._warehouse.read() as connection:
            found = select(table.jobs).where(table.jobs.c.id.in_(job_ids)).order_by(table.jobs.c.id)
            rows = connection.execute(found).mappings()
            return [table.as_job(row) for row in rows]

    def depth(self) -> dict[str, int]:
        """Number of jobs that are ``queued``, ``running``, ``failed`` and ``dead``."""
        status = table.jobs.c.status
        with self._warehouse.read() as connection:
            rows = connection.execute(select(status, func.count()).where(status != "completed").group_by(status))
            return dict.fromkeys((*table.PENDING, *table.ENDED_BADLY), 0) | {row[0]: row[1] for row in rows}

    def ages(self) -> dict[tuple[str, str], float]:
        """Seconds since the oldest job of each source and kind was asked for that no run has ended yet."""
        with self._warehouse.read() as connection:
            return table.ages(connection)

    def heal(self) -> int:
        """Tell Redis of every job that is due before the next healing, as consumers do; returns their number."""
        with self._warehouse.read() as connection:
            # Twice as far ahead: the next consumer that looks may be late.
            soon = table.jobs.c.visible_at <= database_time(connection, 2 * HEAL_SECONDS)
            delays = table.delays(connection, soon, limit=HEAL_JOBS)
        self._tell_redis(lambda hints: hints.heal(delays))
        return len(delays)

    def _claim(self, group: Group, lease_seconds: float, limit: int) -> Batch | None:
        with self._warehouse.write() as connection:
            jobs = table.claim_group(connection, group, lease_seconds, limit)
        self._tell_redis(lambda hints: hints.set({job.id: lease_seconds for job in jobs}))
        return Batch(*group, tuple(jobs)) if jobs else None

    def _due(self, limit: int, hold: float) -> list[str] | None:
        """Ids that Redis says are due; None where it can't say, or isn't asked at the moment."""
        if self._hints is None or not self._idle.over():
            return None
        try:
            ids = self._hints.due(limit, hold)
            if ids is None:
                self.heal()
                ids = self._hints.due(limit, hold)
        except RedisDown:
            return None
        if not ids:
            self._idle.nothing()
        return ids

    def _any_due(self) -> bool:
        with self._warehouse.read() as connection:  # takes no write lock
            return table.LEASES.any_due(connection)

    def _correct(self, ids: Collection[str]) -> None:
        """Make Redis say of these jobs what the table says."""
        if not ids or self._hints is None:
            return
        with self._warehouse.read() as connection:
            delays = table.delays(connection, table.jobs.c.id.in_(ids), limit=len(ids))
        self._tell_redis(lambda hints: (hints.set(delays), hints.drop(set(ids) - set(delays))))

    def _tell_redis(self, tell: Callable[[RedisHints], object]) -> None:
        if self._hints is None:
            return
        try:
            tell(self._hints)
        except RedisDown:
            return  # the table has it; healing brings it to Redis
