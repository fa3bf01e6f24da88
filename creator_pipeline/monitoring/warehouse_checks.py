"""Looks at the warehouse and the inbox: the queue, dead letters, mail, connections, reports nobody took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date, timedelta

from sqlalchemy import func, select

from creator_pipeline.core.windows import now
from creator_pipeline.mail import outbox
from creator_pipeline.mail.delivery import delivery_rates
from creator_pipeline.mail.wording import source_name
from creator_pipeline.monitoring.health import HOUSE, Look, Problem
from creator_pipeline.platforms.gumroad import catalog as gumroad
from creator_pipeline.platforms.gumroad.ping_checks import hint_of
from creator_pipeline.platforms.kdp import inbox_checks
from creator_pipeline.platforms.whop import catalog as whop
from creator_pipeline.queue.jobs import Job, JobQueue
from creator_pipeline.runtime.unknown_fields import PREFIX
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.health_reports import open_ones
from creator_pipeline.store.tables import email_suppressions, ingestion_jobs, platform_connections, profiles

WAITED_MINUTES = 10
"""A job or a mail that is due for so long is stuck."""
_SHOWN = 3


def looks(warehouse: Warehouse, config: Settings, queue: JobQueue, at_work: Collection[str]) -> list[Look]:
    """All of this file. ``at_work``: profiles of runs that aren't over, whose jobs wait for them."""
    return [
        Look("queue/", lambda: waiting(warehouse, config, at_work)),
        Look("dead/", lambda: dead_letters(queue)),
        Look("mail/", lambda: mail(warehouse, config)),
        Look("connection/", lambda: connections(warehouse)),
        Look("inbox/", lambda: reports(warehouse, config)),
        Look(PREFIX, lambda: schema(warehouse)),
    ]


KNOWN = {
    "gumroad/sale field": gumroad.SALE_KEYS,
    "whop/membership field": whop.MEMBERSHIP_KEYS,
    "whop/membership status": whop.ACCESS.keys(),
    "whop/payment field": whop.PAYMENT_KEYS,
}
"""What this release knows of the names that :mod:`runtime.unknown_fields` reports."""


def schema(warehouse: Warehouse) -> Iterator[Problem]:
    """New names of a platform that runs have met, until a release knows them."""
    with warehouse.read() as connection:
        rows = [row for row in open_ones(connection) if row["id"].startswith(PREFIX)]
    for row in rows:
        kind, _, name = row["id"].removeprefix(PREFIX).rpartition("/")
        if name not in KNOWN.get(kind, ()):
            source = source_name(kind.partition("/")[0])
            yield Problem(row["id"], f"A new name of {source}", row["text"], row["hint"])


def waiting(warehouse: Warehouse, config: Settings, at_work: Collection[str]) -> Iterator[Problem]:
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
            yield Problem(f"queue/{source}", f"The queue of {source_name(source)}", text, hint)


def dead_letters(queue: JobQueue) -> Iterator[Problem]:
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
        yield Problem(
            f"dead/{source}/{owner}/{kind}", f"A {kind} of {source_name(source)}", text[:500], hint, owner, told=True
        )


def mail(warehouse: Warehouse, config: Settings) -> Iterator[Problem]:
    """Mails that don't go out, rates Resend wouldn't bear, and profiles whose address can't be reached."""
    rates = delivery_rates(warehouse)
    if outbox.why_held(config) is None and rates.oldest_queued_seconds > WAITED_MINUTES * 60:
        text = f"{rates.queued} mails wait, the oldest for {rates.oldest_queued_seconds / 60:.0f} minutes."
        hint = "creator-pipeline doctor (resend, resend domain); is the sensor email_outbox on?"
        yield Problem("mail/outbox", "The outbox", text, hint)
    if not rates.healthy:
        text = (
            f"Of {rates.accepted} mails of {rates.days} days {rates.bounce_rate:.1%} bounced and "
            f"{rates.complaint_rate:.2%} brought a complaint."
        )
        yield Problem(
            "mail/rates",
            "Mail delivery",
            text,
            "Correct the addresses: creator-pipeline profiles list. See docs/mail.md.",
        )
    table = email_suppressions.c
    unreachable = (
        select(profiles.c.id, table.reason)
        .join_from(profiles, email_suppressions, func.lower(profiles.c.email) == func.lower(table.email))
        .where(table.category == "*", table.reason.in_(("bounced", "complained")))
    )
    with warehouse.read() as connection:
        rows = connection.execute(unreachable).all()
    for owner, reason in rows:
        text = f"{owner} gets no mail any more: the address {reason}."
        hint = f"creator-pipeline profiles add {owner} --email ANOTHER"
        yield Problem(f"mail/address/{owner}", "The address", text, hint, owner)


def connections(warehouse: Warehouse) -> Iterator[Problem]:
    """Connections that a platform refuses."""
    table = platform_connections.c
    with warehouse.read() as connection:
        asked = select(table.provider, table.profile_id, table.status, table.last_error).where(table.status != "active")
        rows = connection.execute(asked).all()
    for provider, owner, status, error in rows:
        name = source_name(provider)
        text = f"The connection of {owner} to {name} is {status}: {error or 'no reason was kept'}"
        yield Problem(f"connection/{provider}/{owner}", f"The {name} connection", text, hint_of(provider, owner), owner)


def reports(warehouse: Warehouse, config: Settings) -> Iterator[Problem]:
    """Reports that lie in the inbox and that nobody took, and those that belong to nobody."""
    for each in inbox_checks.inbox_problems(warehouse, config):
        yield Problem(each.id, each.subject, each.text, each.hint, each.profile_id or HOUSE)
