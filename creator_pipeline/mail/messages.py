"""The rows of ``email_messages``: handed out to one sender at a time, and what became of them.

They are handed out by leases (:mod:`creator_pipeline.store.leases`): while a sender has a message, ``next_attempt_at``
is the end of its lease.
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
from creator_pipeline.store.leases import Lease, LeaseTable, database_time
from creator_pipeline.store.tables import email_messages as table

OPEN = ("queued", "held")
RETRY_FOR = timedelta(hours=23)
"""Resend forgets an idempotency key after 24 hours: a later attempt could be a second mail."""
WAIT_FOR = timedelta(hours=24)
"""What was never tried is stale after this."""

LEASES = LeaseTable(table, table.c.next_attempt_at, open_statuses=OPEN, held_statuses=OPEN)
_FIRST = [kind.name for kind in KINDS.values() if kind.category == SECURITY]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this process may send now."""

    lease: Lease
    payload: dict[str, Any]

    @property
    def id(self) -> str:
        """The message's key."""
        return self.lease.id

    @property
    def attempts(self) -> int:
        """Times that it was handed out, this one included."""
        return self.lease.attempt


def any_due(connection: Connection, ids: Sequence[str] | None = None) -> bool:
    """Whether a message can be sent now; only of ``ids`` where given."""
    return LEASES.any_due(connection, *_only(ids))


def expire(connection: Connection) -> list[str]:
    """Give up what is too old to be sent; returns the ids."""
    at = now()
    tried = and_(table.c.attempts > 0, table.c.created_at < at - RETRY_FOR)
    never = and_(table.c.attempts == 0, table.c.created_at < at - WAIT_FOR)
    why = case((table.c.attempts > 0, "Not accepted within 23 hours: "), else_="Not sent within a day: ")
    given_up = connection.execute(
        update(table)
        .where(LEASES.due(connection), or_(tried, never))
        .values(status="failed", error=why.concat(func.coalesce(table.c.error, "nothing sent mail.")))
        .returning(table.c.id)
    )
    return list(given_up.scalars())


def hold(connection: Connection, reason: str, ids: Sequence[str] | None = None) -> int:
    """Note that nothing can be sent, and why; returns how many messages are held."""
    waiting = and_(LEASES.due(connection), *_only(ids))
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
        connection: a write transaction.
        sender: From address of a message that goes for the first time.
        lease_seconds: until another sender may have it.
        ids: only these messages.
    """
    suppressed, columns = 0, [table.c.id, table.c.kind, table.c.to, table.c.payload, table.c.attempts]
    security_first = case((table.c.kind.in_(_FIRST), 0), else_=1)
    while True:
        found = LEASES.lock_due(connection, columns, 1, *_only(ids), first=security_first)
        if not found:
            return None, suppressed
        (row,) = found
        reason = why_suppressed(connection, row.to, KINDS[row.kind].category)
        # What may have been accepted already is not called off: only the same key finds out whether it was.
        if reason is not None and row.attempts == 0:
            connection.execute(update(table).where(table.c.id == row.id).values(status="suppressed", error=reason))
            suppressed += 1
            continue
        payload: dict[str, Any] = orjson.loads(row.payload)
        if "from" not in payload:
            payload = {"from": sender, **payload}
        # Stored before the first attempt: from then on the payload of this key must never change.
        stored = {"status": "queued", "payload": orjson.dumps(payload).decode()}
        (taken,) = LEASES.hand_out(connection, [row.id], lease_seconds, [table.c.attempts], **stored)
        return Claimed(Lease(row.id, taken["attempts"]), payload), suppressed


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
        if verdict.action in {"stop", "refused"}:
            # Never taken, so the next attempt goes by the From address of then.
            unsigned = {name: value for name, value in message.payload.items() if name != "from"}
            values["payload"] = orjson.dumps(unsigned).decode()
        wait = backoff(message.attempts) if verdict.wait is None else verdict.wait
        values["next_attempt_at"] = database_time(connection, wait)
    LEASES.update(connection, [message.lease], **values)


def put_off(connection: Connection, seconds: float, reason: str) -> None:
    """Let everything that is due wait."""
    connection.execute(
        update(table)
        .where(LEASES.due(connection))
        .values(next_attempt_at=database_time(connection, seconds), error=reason)
    )


def _only(ids: Sequence[str] | None) -> list[ColumnElement[bool]]:
    return [] if ids is None else [table.c.id.in_(ids)]


def statuses(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Status of each of these messages that exists."""
    found = connection.execute(select(table.c.id, table.c.status).where(table.c.id.in_(ids)))
    return {row.id: row.status for row in found}


def refused(connection: Connection) -> list[str]:
    """Why mails wait that Resend refused for their recipient, once each."""
    waits = (table.c.status == "queued", table.c.attempts > 0, table.c.error.like("Resend: HTTP 403 %"))
    return list(connection.execute(select(table.c.error).where(*waits).distinct().limit(5)).scalars())


def oldest_open(connection: Connection) -> datetime | None:
    """When the oldest message was written that still waits to be sent."""
    return connection.execute(select(func.min(table.c.created_at)).where(table.c.status == "queued")).scalar()
