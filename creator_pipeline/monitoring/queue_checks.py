"""Checks of the queue: jobs that nobody takes, and jobs that ended badly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

from sqlalchemy import func, select

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.windows import now
from creator_pipeline.monitoring.platform_checks import label
from creator_pipeline.platforms import of_name, of_provider
from creator_pipeline.queue.jobs import Job, JobQueue
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, webhook_events

WAITED_MINUTES = 10
"""A job that is due for so long is stuck."""
_SHOWN = 3
_TEXT_CHARACTERS = 500


def health_checks(warehouse: Warehouse, config: Settings, queue: JobQueue) -> list[Check]:
    """All of this file.

    Args:
        warehouse: holds the jobs.
        config: says which sources are switched on.
        queue: of the same warehouse.
    """
    return [
        Check("queue/", lambda: waiting(warehouse, config)),
        Check("dead/", lambda: dead_letters(queue)),
        Check("deliveries/", lambda: nobodys(warehouse)),
    ]


def waiting(warehouse: Warehouse, config: Settings) -> Iterator[Finding]:
    """Jobs that are due and that nobody takes. A source that is switched off waits on purpose.

    What was taken and waits in Dagster's queue is told of by :mod:`.run_queue_checks`.
    """
    jobs, before = ingestion_jobs.c, now() - timedelta(minutes=WAITED_MINUTES)
    stuck = (
        select(jobs.source, func.count(), func.min(jobs.visible_at))
        .where(jobs.status.in_(("queued", "running")), jobs.visible_at < before)
        .group_by(jobs.source)
    )
    with warehouse.read() as connection:
        rows = connection.execute(stuck).all()
    for source, count, oldest in rows:
        if config.enabled(source):
            some = "1 job" if count == 1 else f"{count} jobs"
            text = (
                f"{some} of {source} {'waits' if count == 1 else 'wait'}, the oldest since {oldest:%Y-%m-%d %H:%M} UTC."
            )
            hint = "Is dagster-daemon running, and the sensor webhook_jobs on (UI, Automation)?"
            yield Finding(f"queue/{source}", "no", text, hint, f"The queue of {label(of_name(source), source)}")


def nobodys(warehouse: Warehouse) -> Iterator[Finding]:
    """Deliveries that ask for something and fit no profile, by what is said of them."""
    columns = webhook_events.c
    asked = (
        select(columns.provider, columns.note, func.count(), func.max(columns.received_at))
        .where(columns.status == "ignored", columns.note.is_not(None))
        .group_by(columns.provider, columns.note)
        .order_by(columns.provider, columns.note)
    )
    with warehouse.read() as connection:
        rows = connection.execute(asked).all()
    for provider, note, count, last in rows:
        word = label(of_provider(provider), provider)
        text = f"{count} deliveries of {word} led to nothing, the last of {last:%Y-%m-%d %H:%M} UTC: {note}."
        hint = "Connect the profile, then: creator-pipeline webhooks replay --all. They are kept until then."
        yield Finding(f"deliveries/{provider}/{note}", "no", text, hint, f"Deliveries of {word}")


def dead_letters(queue: JobQueue) -> Iterator[Finding]:
    """Jobs that ended badly, by source and profile."""
    groups: dict[tuple[str, str, bool], list[Job]] = defaultdict(list)
    for job in queue.dead_letters(limit=500):
        groups[job.source, job.profile_id, job.kind == "backfill"].append(job)
    for (source, owner, is_backfill), jobs in sorted(groups.items()):
        text = f"{len(jobs)} job{'s' if len(jobs) > 1 else ''} of {source} ended badly; the last: {jobs[0].error or ''}"
        if is_backfill:
            first, end = (date.fromisoformat(jobs[0].payload[name]) for name in ("from", "to"))
            last = end - timedelta(days=1)
            hint = f"creator-pipeline backfill {source} --profile {owner} --from {first} --to {last}"
        else:
            ids = " ".join(job.id for job in jobs[:_SHOWN]) if len(jobs) <= _SHOWN else "--all"
            hint = f"creator-pipeline webhooks replay {ids}"
        kind = "backfill" if is_backfill else "job"
        name, subject = f"dead/{source}/{owner}/{kind}", f"A {kind} of {label(of_name(source), source)}"
        yield Finding(name, "no", text[:_TEXT_CHARACTERS], hint, subject, owner, told=True)
