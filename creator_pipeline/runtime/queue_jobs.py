"""Runs that process jobs of the queue: their leases are renewed meanwhile, and the jobs are acknowledged at the end."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from pydantic import Field
from sqlalchemy import update

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError, TransientError
from creator_pipeline.queue.jobs import Job, JobQueue
from creator_pipeline.queue.redis_client import connect
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.leases import Lease
from creator_pipeline.store.tables import webhook_events

LEASE_SECONDS = 120.0
"""Longer than a run takes to start. A run at work renews its leases three times in it."""
RETRY_SECONDS = 30.0
"""Shortest wait before a failed job is tried again."""


def job_queue(warehouse: Warehouse) -> JobQueue:
    """The queue of this installation, with Redis where it is configured."""
    return JobQueue(warehouse, connect(settings.load()))


class ClaimedJobs(dg.Config):
    """Configuration of a refresh run: the jobs that were claimed for it, each lease as ``job id:attempt``."""

    profile_id: str = Field(description="Whose jobs.")
    leases: list[str] = Field(description="The jobs that were claimed for this run, each as job id:attempt.")

    def parsed(self) -> list[Lease]:
        """The leases as objects."""
        return parse_leases(self.leases)


def parse_leases(leases: Iterable[str]) -> list[Lease]:
    """Leases from their text in a run's configuration."""
    pairs = (lease.rpartition(":") for lease in leases)
    return [Lease(job_id, int(attempt)) for job_id, _, attempt in pairs]


@dataclass
class JobBatch:
    """The jobs that a run processes, and the number of events that it counted for them."""

    jobs: Sequence[Job]
    events_count: int = 0


@contextmanager
def process_jobs(warehouse: Warehouse, config: ClaimedJobs, run_id: str) -> Generator[JobBatch]:
    """Give the body the jobs of a run; acknowledge them when it ends, and fail them when it raises.

    A job whose lease another run holds by now is left out: that run processes it.

    Raises:
        dg.Failure: names the error; never retried by Dagster, because the queue hands the jobs out again.
    """
    queue, leases = job_queue(warehouse), config.parsed()
    own = set(queue.extend_all(leases, LEASE_SECONDS, run_id=run_id))
    leases = [lease for lease in leases if lease.id in own]
    batch, ended = JobBatch(queue.get([lease.id for lease in leases])), threading.Event()
    renewal = threading.Thread(target=_renew, args=(queue, leases, run_id, ended), name="lease", daemon=True)
    renewal.start()
    try:
        yield batch
    except PipelineError as error:
        # The health sensor reports a job that failed for good; when another try begins is up to the queue.
        wait = max(RETRY_SECONDS, getattr(error, "retry_after", None) or 0.0) if error.retryable else None
        queue.fail_all(leases, str(error), wait)
        raise dg.Failure(
            description=str(error),
            metadata={"error_code": error.code, "profile": config.profile_id},
            allow_retries=False,
        ) from error
    except BaseException as error:
        own = "The run ended with an error of its own; see its log."
        queue.fail_all(leases, own if isinstance(error, Exception) else "The run was stopped.", RETRY_SECONDS)
        raise
    else:
        queue.ack_all(leases, events_count=batch.events_count)
        _mark_done(warehouse, [lease.id for lease in leases])
    finally:
        ended.set()
        renewal.join()


def _renew(queue: JobQueue, leases: list[Lease], run_id: str, ended: threading.Event) -> None:
    while not ended.wait(LEASE_SECONDS / 3):
        try:
            queue.extend_all(leases, LEASE_SECONDS, run_id=run_id)
        except TransientError:
            continue  # the next try comes before the leases end


def _mark_done(warehouse: Warehouse, job_ids: list[str]) -> None:
    with warehouse.write() as connection:
        for start in range(0, len(job_ids), 500):
            connection.execute(
                update(webhook_events)
                .where(webhook_events.c.job_id.in_(job_ids[start : start + 500]), webhook_events.c.status == "queued")
                .values(status="done")
            )
