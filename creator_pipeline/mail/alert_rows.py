"""The rows of ``alert_messages``: handed out to one sender at a time, and what became of them.

A row that is handed out is ``sending`` until its sender says what became of it. Where the sender died, nobody knows
whether the channel has the notice: it is never sent again to a channel that couldn't tell the repeat.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from creator_pipeline.core.windows import now
from creator_pipeline.mail.mailer import backoff
from creator_pipeline.store.leases import Lease, LeaseTable, database_time
from creator_pipeline.store.tables import alert_messages as table

OPEN = ("queued", "sending")
LOST = ("failed", "unknown")
KEEP_TRYING = timedelta(hours=24)
"""A notice that nobody took for so long is stale."""
DIED = "Its sender was stopped while it was sent."

LEASES = LeaseTable(table, table.c.next_attempt_at, open_statuses=("queued",), held_statuses=("sending",))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notice that this process may send now."""

    lease: Lease
    channel: str
    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """A notice that is not sent any more, and why."""

    id: str
    channel: str
    kind: str
    title: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    Attributes:
        action: ``sent``; ``retry`` later, because it was not taken; ``failed`` for good; ``unknown``: the channel may
            have it.
        reason: why, without secrets.
        wait: seconds that the channel asked for.
    """

    action: str
    reason: str = ""
    wait: float | None = None


def any_due(connection: Connection, ids: Collection[str] | None = None) -> bool:
    """Whether something is to be sent or settled now."""
    due = or_(LEASES.due(connection), _abandoned(connection))
    return connection.execute(select(table.c.id).where(due, *_only(ids)).limit(1)).first() is not None


def any_due_of(connection: Connection, channel: str, ids: Collection[str] | None = None) -> bool:
    """Whether a notice of a channel can be sent now."""
    return LEASES.any_due(connection, table.c.channel == channel, *_only(ids))


def settle(connection: Connection, channels: Collection[str], keyed: Collection[str]) -> list[Ended]:
    """End what is stale or has no channel any more, and what a sender left behind.

    Args:
        connection: a write transaction.
        channels: names of those that there are.
        keyed: names of those that can tell a repeat: what was left behind is sent to them again.
    """
    again = and_(_abandoned(connection), table.c.channel.in_(keyed))
    connection.execute(update(table).where(again).values(status="queued", error=DIED))
    ended = _end(connection, _abandoned(connection), "unknown", DIED)
    gone = and_(LEASES.due(connection), table.c.channel.not_in(channels))
    ended += _end(connection, gone, "failed", "ALERT_URLS has no such channel any more.")
    stale = and_(LEASES.due(connection), table.c.created_at < now() - KEEP_TRYING)
    return ended + _end(connection, stale, "failed", "Not taken within a day: ")


def claim(
    connection: Connection, channel: str, lease_seconds: float, ids: Collection[str] | None = None
) -> Claimed | None:
    """The notice of a channel that has waited the longest; None where none is due.

    Args:
        connection: a write transaction.
        channel: its name.
        lease_seconds: until its sender counts as gone.
        ids: only these notices.
    """
    columns = [table.c.id, table.c.kind, table.c.payload]
    found = LEASES.lock_due(connection, columns, 1, table.c.channel == channel, *_only(ids), first=table.c.created_at)
    if not found:
        return None
    (row,) = found
    (taken,) = LEASES.hand_out(connection, [row.id], lease_seconds, [table.c.attempts], status="sending")
    return Claimed(Lease(row.id, taken["attempts"]), channel, row.kind, orjson.loads(row.payload))


def record(connection: Connection, message: Claimed, outcome: Outcome) -> bool:
    """What became of an attempt; whether this sender still had the notice, which is always believed of a success."""
    if outcome.action == "sent":
        mine = (table.c.id == message.lease.id, table.c.status != "sent")
        values = {"status": "sent", "sent_at": now(), "error": None, "payload": "{}"}
        return bool(connection.execute(update(table).where(*mine).values(**values)).rowcount)
    values: dict[str, Any] = {"error": outcome.reason}
    if outcome.action == "retry":
        wait = backoff(message.lease.attempt) if outcome.wait is None else outcome.wait
        values |= {"status": "queued", "next_attempt_at": database_time(connection, wait)}
        # The others of the channel wait too: one attempt is enough to see that it is still down.
        others = and_(LEASES.due(connection), table.c.channel == message.channel)
        connection.execute(update(table).where(others).values(next_attempt_at=database_time(connection, wait)))
    else:
        values |= {"status": outcome.action, "payload": "{}"}
    return bool(LEASES.update(connection, [message.lease], **values))


class Lost(NamedTuple):
    """A notice that failed, or may not have arrived."""

    id: str
    status: str
    error: str
    created_at: datetime


class Standing(NamedTuple):
    """How a channel stands.

    Attributes:
        waiting: notices that are not sent yet.
        oldest: when the oldest of them was written.
        error: why one of them waits.
        sent_at: when the last one was taken.
        lost: notices of a day that failed, or may not have arrived.
    """

    waiting: int = 0
    oldest: datetime | None = None
    error: str | None = None
    sent_at: datetime | None = None
    lost: int = 0


def standing(connection: Connection) -> dict[str, Standing]:
    """How each channel stands that has a row."""
    is_open, recent = table.c.status.in_(OPEN), table.c.created_at > now() - KEEP_TRYING
    gone = and_(table.c.status.in_(LOST), recent)
    asked = select(
        table.c.channel,
        func.count(case((is_open, 1))),
        func.min(case((is_open, table.c.created_at))),
        func.max(case((is_open, table.c.error))),
        func.max(table.c.sent_at),
        func.count(case((gone, 1))),
    ).group_by(table.c.channel)
    return {row[0]: Standing(*row[1:]) for row in connection.execute(asked)}


def lost(connection: Connection) -> list[Lost]:
    """Notices of a day that failed, or may not have arrived; the newest first, 50 at most."""
    columns = (table.c.id, table.c.status, func.coalesce(table.c.error, ""), table.c.created_at)
    mine = (table.c.status.in_(LOST), table.c.created_at > now() - KEEP_TRYING)
    found = connection.execute(select(*columns).where(*mine).order_by(table.c.created_at.desc()).limit(50))
    return [Lost(*row) for row in found]


def statuses(connection: Connection, ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Status and error of each of these notices."""
    found = connection.execute(select(table.c.id, table.c.status, table.c.error).where(table.c.id.in_(ids)))
    return {row.id: (row.status, row.error or "") for row in found}


def _abandoned(connection: Connection) -> ColumnElement[bool]:
    return and_(table.c.status == "sending", table.c.next_attempt_at <= database_time(connection))


def _end(connection: Connection, these: ColumnElement[bool], status: str, reason: str) -> list[Ended]:
    columns = (table.c.id, table.c.channel, table.c.kind, table.c.payload, table.c.error)
    rows = connection.execute(select(*columns).where(these).with_for_update(skip_locked=True)).all()
    ended = [
        Ended(
            row.id,
            row.channel,
            row.kind,
            orjson.loads(row.payload).get("title", ""),
            status,
            f"{reason}{row.error or 'no reason is known.'}" if reason.endswith(" ") else reason,
        )
        for row in rows
    ]
    for one in ended:
        values = {"status": status, "error": one.reason, "payload": "{}"}
        connection.execute(update(table).where(table.c.id == one.id).values(**values))
    return ended


def _only(ids: Collection[str] | None) -> Sequence[ColumnElement[bool]]:
    return [] if ids is None else [table.c.id.in_(ids)]
