"""What has outlived its use, and how it goes: a few hundred rows at a time, each a short transaction.

The rule of a table says what is over; what is still due is in none of them, however old it is. Money isn't either.
A rule is asked again in the statement that deletes, so that work begun meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Table, and_, delete, exists, or_, select, tuple_, update

from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import (
    alert_messages,
    email_messages,
    health_reports,
    ingestion_jobs,
    webhook_events,
)

BATCH = 500
MOST_ROWS = 50_000
"""Of one rule in one run; the next run goes on."""
STATES = "oauth_state"
"""Provider of ``webhook_events`` under which used OAuth states are remembered."""
STATE_LIFE = timedelta(days=1)
"""A state is refused by its signature after ten minutes, so the memory of its use is of no use then."""
OPEN_MAILS = ("queued", "held")
_TRIMMED = '{"tags":'


@dataclass(frozen=True, slots=True)
class Keep:
    """Days that each kind is kept for; 0 is for ever.

    Attributes:
        webhooks: deliveries that were worked off, with the ids that repeats are known by.
        jobs: jobs that were completed.
        mails: messages and notices that were sent or given up, with their keys and recipients.
        bodies, sign_in_bodies: their text; of the mails whose kind is in ``sign_in``, whose links have a short life.
        health: problems that were solved.
        buyers: the keyed hash, country and JSON of a sale's buyer, from the sale on; of a membership's holder, since
            it gave access for the last time.
    """

    webhooks: int = 90
    jobs: int = 90
    mails: int = 400
    bodies: int = 30
    sign_in_bodies: int = 2
    health: int = 90
    buyers: int = 0
    sign_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows that are over; they are deleted, or, with ``blank``, changed."""

    table: Table
    over: ColumnElement[bool]
    blank: dict[str, Any] | None = None


def delete_old(warehouse: Warehouse, keep: Keep, moment: datetime, platforms: erasure.Platforms) -> dict[str, int]:
    """Delete what is over at ``moment``; returns rows by table, those whose text or buyer went as ``table: what``.

    Running again, beside other work or another run of this, is safe.

    Args:
        warehouse: what is deleted from.
        keep: days that each kind is kept for.
        moment: now.
        platforms: whose tables tell who bought.

    Raises:
        TransientError: the warehouse can't be reached; what was deleted before stays so.
    """
    counts = dict[str, int]()
    for name, rule in _rules(keep, moment, platforms):
        counts[name] = counts.get(name, 0) + _apply(warehouse, rule)
    name = "email_messages: text"
    counts[name] = sum(_trim(warehouse, over) for over in _bodies(keep, moment))
    with warehouse.write() as connection:
        counts["erased buyers that came back"] = erasure.forget_again(connection, platforms)
    return counts


def _rules(keep: Keep, moment: datetime, platforms: erasure.Platforms) -> Iterator[tuple[str, Rule]]:
    events, jobs, mails = webhook_events.c, ingestion_jobs.c, email_messages.c
    yield (
        "webhook_events",
        Rule(webhook_events, and_(events.provider == STATES, events.received_at < moment - STATE_LIFE)),
    )
    if keep.webhooks:
        unfinished = exists(select(1).where(jobs.id == events.job_id, jobs.status != "completed"))
        over = or_(
            events.status.in_(("done", "ignored")),
            # Its run ended between the job's last word and the delivery's.
            and_(events.status == "queued", ~unfinished),
            # What Resend tells comes within days of the mail; a stored delivery of a platform waits for its flag.
            and_(events.status == "stored", events.provider == "resend"),
        )
        yield "webhook_events", Rule(webhook_events, and_(over, events.received_at < _before(moment, keep.webhooks)))
    if keep.jobs:
        # The job of an upload is how the same file, sent again, is known; there are as many as files.
        over = and_(jobs.status == "completed", jobs.kind != "file", jobs.finished_at < _before(moment, keep.jobs))
        yield "ingestion_jobs", Rule(ingestion_jobs, over)
    if keep.mails:
        over = and_(mails.status.not_in(OPEN_MAILS), mails.created_at < _before(moment, keep.mails))
        yield "email_messages", Rule(email_messages, over)
        notices = alert_messages.c
        over = and_(notices.status.not_in(("queued", "sending")), notices.created_at < _before(moment, keep.mails))
        yield "alert_messages", Rule(alert_messages, over)
    if keep.health:
        yield "health_reports", Rule(health_reports, health_reports.c.resolved_at < _before(moment, keep.health))
    if keep.buyers:
        before = _before(moment, keep.buyers)
        for buyers in (buyers for personal in platforms.values() for buyers in personal.buyers):
            over = and_(buyers.last_used < before, buyers.known)
            over = over if buyers.over is None else and_(over, buyers.over)
            yield f"{buyers.table.name}: buyers", Rule(buyers.table, over, dict(buyers.blank))


def _before(moment: datetime, days: int) -> datetime:
    return moment - timedelta(days=days)


def _bodies(keep: Keep, moment: datetime) -> Iterator[ColumnElement[bool]]:
    mails = email_messages.c
    for days, kinds in (
        (keep.bodies, mails.kind.not_in(keep.sign_in)),
        (keep.sign_in_bodies, mails.kind.in_(keep.sign_in)),
    ):
        if days:
            old = mails.created_at < _before(moment, days)
            yield and_(
                mails.status.not_in(OPEN_MAILS), kinds, old, ~mails.payload.startswith(_TRIMMED, autoescape=True)
            )


def _apply(warehouse: Warehouse, rule: Rule) -> int:
    key = list(rule.table.primary_key)
    # Found once, then by key: a search for each batch would read the whole table as often.
    with warehouse.read() as connection:
        keys = [tuple(row) for row in connection.execute(select(*key).where(rule.over).limit(MOST_ROWS))]
    count = 0
    for part in _batches(keys):
        these = (tuple_(*key).in_(part), rule.over)
        statement = (
            delete(rule.table).where(*these)
            if rule.blank is None
            else update(rule.table).where(*these).values(rule.blank)
        )
        with warehouse.write() as connection:
            count += connection.execute(statement).rowcount
    return count


def _trim(warehouse: Warehouse, over: ColumnElement[bool]) -> int:
    """Leave of a mail's payload the tags, by which a later mail of the same event is recognized."""
    table = email_messages
    with warehouse.read() as connection:
        ids = [row.id for row in connection.execute(select(table.c.id).where(over).limit(MOST_ROWS))]
    count = 0
    for part in _batches(ids):
        with warehouse.write() as connection:
            rows = connection.execute(
                select(table.c.id, table.c.payload)
                .where(table.c.id.in_(part), over)
                .order_by(table.c.id)
                .with_for_update()
            ).all()
            for row in rows:
                left = orjson.dumps({"tags": orjson.loads(row.payload).get("tags", [])}).decode()
                connection.execute(update(table).where(table.c.id == row.id).values(payload=left))
            count += len(rows)
    return count


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
