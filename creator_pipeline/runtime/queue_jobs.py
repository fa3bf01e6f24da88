"""Runs that work off jobs of the queue: the lease is kept while they work, and given back at their end."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import update

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError, TransientError
from creator_pipeline.queue.jobs import Job, JobQueue
from creator_pipeline.queue.redis_client import connect
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.leases import Lease
from creator_pipeline.store.tables import webhook_events

LEASE_SECONDS = 120.0
"""Longer than a run takes to start; extended three times as often while it works."""
RETRY_SECONDS = 30.0


def job_queue(warehouse: Warehouse) -> JobQueue:
    """The queue of this installation, with Redis where it is configured."""
    return JobQueue(warehouse, connect(settings.load()))


class RefreshConfig(dg.Config):
    """What a refresh run is handed: job ids with the attempt that was claimed, as ``id:attempt``."""

    profile_id: str
    leases: list[str]

    def parsed(self) -> list[Lease]:
        """The leases."""
        pairs = (lease.rpartition(":") for lease in self.leases)
        return [Lease(job_id, int(attempt)) for job_id, _, attempt in pairs]


@dataclass
class Work:
    """The jobs a run may do, and what it found out about them."""

    jobs: Sequence[Job]
    events_count: int = 0


@contextmanager
def working(warehouse: Warehouse, config: RefreshConfig, run_id: str) -> Generator[Work]:
    """Do the jobs of a run: acked when the body ends, given back when it raises.

    A job whose lease another run holds by now is left out: that run does it.

    Raises:
        dg.Failure: names the error; never retried by Dagster, because the queue hands the jobs out again.
    """
    queue, leases = job_queue(warehouse), config.parsed()
    mine = set(queue.extend_all(leases, LEASE_SECONDS, run_id=run_id))
    leases = [lease for lease in leases if lease.id in mine]
    work, done = Work(queue.get([lease.id for lease in leases])), threading.Event()
    beat = threading.Thread(target=_keep, args=(queue, leases, run_id, done), name="lease", daemon=True)
    beat.start()
    try:
        yield work
    except PipelineError as error:
        # A failed job for good is shown by the queue and told by the health sensor; another try is the queue's.
        wait = max(RETRY_SECONDS, getattr(error, "retry_after", None) or 0.0) if error.retryable else None
        queue.fail_all(leases, str(error), wait)
        raise dg.Failure(
            description=str(error),
            metadata={"error_code": error.code, "profile": config.profile_id},
            allow_retries=False,
        ) from error
    except BaseException:
        queue.fail_all(leases, "The run ended with an error of its own; see its log.", RETRY_SECONDS)
        raise
    else:
        queue.ack_all(leases, events_count=work.events_count)
        _mark_done(warehouse, [lease.id for lease in leases])
    finally:
        done.set()
        beat.join()


def _keep(queue: JobQueue, leases: list[Lease], run_id: str, done: threading.Event) -> None:
    while not done.wait(LEASE_SECONDS / 3):
        try:
            queue.extend_all(leases, LEASE_SECONDS, run_id=run_id)
        except TransientError:
            continue  # the next beat comes before the lease ends


def _mark_done(warehouse: Warehouse, job_ids: list[str]) -> None:
    with warehouse.write() as connection:
        for start in range(0, len(job_ids), 500):
            connection.execute(
                update(webhook_events)
                .where(webhook_events.c.job_id.in_(job_ids[start : start + 500]), webhook_events.c.status == "queued")
                .values(status="done")
            )
