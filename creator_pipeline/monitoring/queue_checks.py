"""Checks of the queue: jobs that nobody takes, and jobs that ended badly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
from sqlalchemy import func, select

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.monitoring import over_jobs
from creator_pipeline.monitoring.platform_checks import label
from creator_pipeline.monitoring.told_together import failed_cause
from creator_pipeline.platforms import PLATFORMS, of_name, of_provider
from creator_pipeline.platforms.intake import waiting_for
from creator_pipeline.queue.jobs import Job, JobQueue
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, webhook_events

WAITED_MINUTES = 10
"""A job that is due for so long is stuck."""
FORGOTTEN_HOURS = 24
"""A platform that is switched off for so long while deliveries wait may have been forgotten."""
_SHOWN = 3
_LOOKED_AT = 500
_TEXT_CHARACTERS = 500


def health_checks(warehouse: Warehouse, config: Settings, queue: JobQueue, instance: dg.DagsterInstance) -> list[Check]:
    """All of this file.

    Args:
        warehouse: holds the jobs.
        config: says which sources are switched on.
        queue: of the same warehouse.
        instance: tells what was read since a job ended.
    """
    return [
        Check("queue/", lambda: waiting(warehouse, config)),
        Check("dead/", lambda: dead_letters(queue, warehouse, instance)),
        Check("deliveries/", lambda: nobodys(warehouse)),
        Check("stored/", lambda: stored(warehouse, config)),
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
            said = number(count, f"job of {source} waits", f"jobs of {source} wait")
            text = f"{said}, the oldest since {oldest:%Y-%m-%d %H:%M} UTC."
            hint = "Is dagster-daemon running, and the sensor webhook_jobs on (UI, Automation)?"
            yield Finding(f"queue/{source}", "no", text, hint, f"The queue of {label(of_name(source), source)}")


def stored(warehouse: Warehouse, config: Settings) -> Iterator[Finding]:
    """Deliveries that were stored without a job: how many wait for a flag, and those that wait though it is on."""
    columns, before = webhook_events.c, now() - timedelta(minutes=WAITED_MINUTES)
    for platform in PLATFORMS:
        if platform.webhooks is None:
            continue
        wanted = waiting_for([platform.in_ledger])
        with warehouse.read() as connection:
            count, oldest = connection.execute(select(func.count(), func.min(columns.received_at)).where(wanted)).one()
        flag = f"ENABLE_{platform.name.upper()}"
        if not count or oldest is None:
            continue
        word = platform.label
        said = number(count, f"delivery of {word} waits", f"deliveries of {word} wait")
        name, since = f"stored/{platform.in_ledger}", f"{oldest:%Y-%m-%d %H:%M} UTC"
        if not config.enabled(platform.name):
            text = f"{said} while {flag} is off, the oldest since {since}."
            hint = f"They become jobs within a minute of {flag}=true in the environment of dagster-daemon."
            forgotten = oldest < now() - timedelta(hours=FORGOTTEN_HOURS)
            yield Finding(name, "no" if forgotten else "off", text, hint, f"Deliveries of {platform.label}")
        elif oldest < before:
            text = f"{said} although {flag} is on, the oldest since {since}."
            hint = "Is dagster-daemon running, and the sensor stored_deliveries on (UI, Automation)?"
            yield Finding(name, "no", text, hint, f"Deliveries of {platform.label}")


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
        led = number(count, f"delivery of {word}", f"deliveries of {word}")
        text = f"{led} led to nothing, the last of {last:%Y-%m-%d %H:%M} UTC: {note}."
        hint = "Connect the profile, then: creator-pipeline webhooks replay --all. They are kept until then."
        yield Finding(f"deliveries/{provider}/{note}", "no", text, hint, f"Deliveries of {word}")


def dead_letters(queue: JobQueue, warehouse: Warehouse, instance: dg.DagsterInstance) -> Iterator[Finding]:
    """Jobs that ended badly and are a problem still, by source and profile.

    Args:
        queue: holds the jobs.
        warehouse: of the queue.
        instance: tells what was read since.
    """
    groups: dict[tuple[str, str, bool], list[Job]] = defaultdict(list)
    for job in over_jobs.left(queue.dead_letters(limit=_LOOKED_AT), warehouse, instance):
        groups[job.source, job.profile_id, job.kind == "backfill"].append(job)
    for (source, owner, is_backfill), jobs in sorted(groups.items()):
        text = f"{number(len(jobs), 'job')} of {source} ended badly; the last: {jobs[0].error or ''}"
        if is_backfill:
            first, end = (date.fromisoformat(jobs[0].payload[name]) for name in ("from", "to"))
            last = end - timedelta(days=1)
            hint = f"creator-pipeline backfill {source} --profile {owner} --from {first} --to {last}"
        else:
            ids = " ".join(job.id for job in jobs[:_SHOWN]) if len(jobs) <= _SHOWN else "--all"
            hint = f"creator-pipeline webhooks replay {ids}"
        kind = "backfill" if is_backfill else "job"
        name, subject = f"dead/{source}/{owner}/{kind}", f"A {kind} of {label(of_name(source), source)}"
        cause = failed_cause(source, owner, jobs[0].error or "")
        yield Finding(name, "no", text[:_TEXT_CHARACTERS], hint, subject, owner, cause=cause)
