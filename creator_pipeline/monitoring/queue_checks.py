"""Checks of the queue: jobs that nobody takes, and jobs that ended badly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date, timedelta

from sqlalchemy import func, select

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.windows import now
from creator_pipeline.monitoring.platform_checks import label
from creator_pipeline.platforms import of_name, of_provider
from creator_pipeline.queue.jobs import Job, JobQueue
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, platform_connections, webhook_events

WAITED_MINUTES = 10
"""A job that is due for so long is stuck."""
_SHOWN = 3
_TEXT_CHARACTERS = 500


def health_checks(warehouse: Warehouse, config: Settings, queue: JobQueue, at_work: Collection[str]) -> list[Check]:
    """All of this file.

    Args:
        warehouse: holds the jobs.
        config: says which sources are switched on.
        queue: of the same warehouse.
        at_work: ids of the profiles of runs that aren't over, whose jobs wait for them.
    """
    return [
        Check("queue/", lambda: waiting(warehouse, config, at_work)),
        Check("dead/", lambda: dead_letters(queue, warehouse)),
        Check("deliveries/", lambda: nobodys(warehouse)),
    ]


def waiting(warehouse: Warehouse, config: Settings, at_work: Collection[str]) -> Iterator[Finding]:
    """Jobs that are due and that nobody takes. A source that is switched off waits on purpose."""
    jobs, before = ingestion_jobs.c, now() - timedelta(minutes=WAITED_MINUTES)
    stuck = (
        select(jobs.source, func.count(), func.min(jobs.visible_at))
        .where(jobs.status.in_(("queued", "running")), jobs.visible_at < before, jobs.profile_id.not_in(at_work))
        .group_by(jobs.source)
    )
    with warehouse.read() as connection:
        rows = connection.execute(stuck).all()
    for source, count, oldest in rows:
        if config.enabled(source):
            text = f"{count} jobs of {source} wait, the oldest since {oldest:%Y-%m-%d %H:%M} UTC."
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


def dead_letters(queue: JobQueue, warehouse: Warehouse) -> Iterator[Finding]:
    """Jobs that ended badly, by source and profile; those of a profile that was removed are over.

    Args:
        queue: holds the jobs.
        warehouse: tells who is connected, also where the platform refuses the token.
    """
    columns = platform_connections.c
    with warehouse.read() as connection:
        there = {
            (provider, owner) for provider, owner in connection.execute(select(columns.provider, columns.profile_id))
        }
    groups: dict[tuple[str, str, bool], list[Job]] = defaultdict(list)
    for job in queue.dead_letters(limit=500):
        platform = of_name(job.source)
        if platform is None or not platform.connects or (platform.in_ledger, job.profile_id) in there:
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
