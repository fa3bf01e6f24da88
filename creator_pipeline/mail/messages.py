"""The rows of ``email_messages``: written once, handed out to one sender at a time, and what became of them.

While a sender has a message, ``next_attempt_at`` is the end of its lease and ``attempts`` its fencing token: who
comes back after the lease can't undo what a later sender found out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from creator_pipeline.core.windows import now
from creator_pipeline.mail.kinds import KINDS, SECURITY
from creator_pipeline.mail.mailer import Verdict, backoff
from creator_pipeline.mail.unsubscribe import why_suppressed
from creator_pipeline.queue.table import moment
from creator_pipeline.store.tables import email_messages as table

OPEN = ("queued", "held")
RETRY_FOR = timedelta(hours=23)
"""Resend forgets an idempotency key after 24 hours: a later attempt could be a second mail."""
WAIT_FOR = timedelta(hours=24)
"""What was never tried is stale after this."""

_FIRST = [kind.name for kind in KINDS.values() if kind.category == SECURITY]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this process may send now."""

    id: str
    payload: dict[str, Any]
    attempts: int


def due(connection: Connection, ids: Sequence[str] | None = None) -> ColumnElement[bool]:
    """Open messages whose time has come; only those of ``ids`` where given."""
    only = [] if ids is None else [table.c.id.in_(ids)]
    return and_(table.c.status.in_(OPEN), table.c.next_attempt_at <= moment(connection), *only)


def any_due(connection: Connection, ids: Sequence[str] | None = None) -> bool:
    """Whether there is anything to do."""
    return connection.execute(select(table.c.id).where(due(connection, ids)).limit(1)).first() is not None


def expire(connection: Connection) -> list[str]:
    """Give up what is too old to be sent; returns the ids."""
    at = now()
    tried = and_(table.c.attempts > 0, table.c.created_at < at - RETRY_FOR)
    never = and_(table.c.attempts == 0, table.c.created_at < at - WAIT_FOR)
    why = case((table.c.attempts > 0, "Not accepted within 23 hours: "), else_="Not sent within a day: ")
    given_up = connection.execute(
        update(table)
        .where(due(connection), or_(tried, never))
        .values(status="failed", error=why.concat(func.coalesce(table.c.error, "nothing sent mail.")))
        .returning(table.c.id)
    )
    return list(given_up.scalars())


def hold(connection: Connection, reason: str, ids: Sequence[str] | None = None) -> int:
    """Note that nothing can be sent, and why; returns how many messages are held."""
    waiting = due(connection, ids)
    connection.execute(
        update(table)
        .where(waiting, or_(table.c.status != "held", table.c.error.is_distinct_from(reason)))
        .values(status="held", error=reason)
    )
    return connection.execute(select(func.count()).select_from(table).where(waiting)).scalar_one()


def claim(
    connection: Connection, sender: str, lease_seconds: float, ids: Sequence[str] | None = None
) -> tuple[Claimed | None, int]:
    """The next due message, mails of security first, and how many suppressed ones were passed over.

    Args:
        sender: From address of a message that goes for the first time.
    """
    suppressed = 0
    while True:
        row = connection.execute(
            select(table.c.id, table.c.kind, table.c.to, table.c.payload, table.c.attempts)
            .where(due(connection, ids))
            .order_by(case((table.c.kind.in_(_FIRST), 0), else_=1), table.c.next_attempt_at, table.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None, suppressed
        this = table.c.id == row.id
        reason = why_suppressed(connection, row.to, KINDS[row.kind].category)
        # What may have been accepted already is not called off: only the same key finds out whether it was.
        if reason is not None and row.attempts == 0:
            connection.execute(update(table).where(this).values(status="suppressed", error=reason))
            suppressed += 1
            continue
        payload: dict[str, Any] = orjson.loads(row.payload)
        if "from" not in payload:
            payload = {"from": sender, **payload}
        connection.execute(
            update(table)
            .where(this)
            .values(
                status="queued",
                attempts=row.attempts + 1,
                next_attempt_at=moment(connection, lease_seconds),
                # Before the first attempt: from then on the payload of this key must never change.
                payload=orjson.dumps(payload).decode(),
            )
        )
        return Claimed(row.id, payload, row.attempts + 1), suppressed


def record(connection: Connection, message: Claimed, verdict: Verdict) -> None:
    """What became of a message; a failure only where no later sender has it."""
    if verdict.action == "sent":
        connection.execute(
            update(table)
            .where(table.c.id == message.id, table.c.status.in_([*OPEN, "failed"]))
            .values(status="sent", provider_id=verdict.provider_id, sent_at=now(), error=None)
        )
        return
    values: dict[str, Any] = {"error": verdict.reason}
    if verdict.action == "failed":
        values["status"] = "failed"
    else:
        if verdict.action == "stop":
            # Refused for its key or its From address, so never taken: the next attempt goes by the new setting.
            unsigned = {name: value for name, value in message.payload.items() if name != "from"}
            values["payload"] = orjson.dumps(unsigned).decode()
        wait = backoff(message.attempts) if verdict.wait is None else verdict.wait
        values["next_attempt_at"] = moment(connection, wait)
    connection.execute(
        update(table)
        .where(table.c.id == message.id, table.c.attempts == message.attempts, table.c.status.in_(OPEN))
        .values(**values)
    )


def put_off(connection: Connection, seconds: float, reason: str) -> None:
    """Let everything that is due wait."""
    connection.execute(
        update(table).where(due(connection)).values(next_attempt_at=moment(connection, seconds), error=reason)
    )


def statuses(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Status of each of these messages that exists."""
    found = connection.execute(select(table.c.id, table.c.status).where(table.c.id.in_(ids)))
    return {row.id: row.status for row in found}


def oldest_open(connection: Connection) -> datetime | None:
    """When the oldest message was written that still waits to be sent."""
    return connection.execute(select(func.min(table.c.created_at)).where(table.c.status == "queued")).scalar()
