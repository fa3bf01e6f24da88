"""Addresses that can't be reached: learned from what Resend tells, and forgotten when it, or a person, says so.

What a reader turned off stands in the same table and is nobody's to lift but the reader's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, delete, func, select, union, update

from creator_pipeline.core.windows import now
from creator_pipeline.mail.kinds import CATEGORIES
from creator_pipeline.mail.unsubscribe import ALL
from creator_pipeline.store.tables import email_messages, email_suppressions, profiles
from creator_pipeline.store.upserts import insert_new

UNREACHABLE = ("bounced", "complained")
"""Reasons of an address that gets nothing at all."""
_ADDED, _REMOVED = "suppression.added", "suppression.removed"
_WHERE = ("to", "email", "email_address", "address", "recipient")
"""Where an event has its address. Of the events about suppressions the name isn't documented."""


class Suppression(NamedTuple):
    """A row of ``email_suppressions``, and whose address it is. ``profile_id`` is empty where it is nobody's."""

    email: str
    category: str
    reason: str
    created_at: datetime
    profile_id: str


def learn(connection: Connection, event: str, data: Mapping[str, Any], *, ours: bool) -> bool:
    """Note what an event says of addresses; whether it changed anything.

    Resend's list is the account's: what bounced for another application of the account gets none of our mails either.
    Addresses that were never written to from here are left alone, because they are none of ours.

    Args:
        connection: a write transaction.
        event: its type.
        data: of the event.
        ours: the event is of a mail of this installation.
    """
    found = list(_addresses(data))
    if event == _REMOVED:
        return sum(lift(connection, address) for address in found) > 0
    reason = _reason(event, data)
    if reason is None:
        return False
    wanted = found if ours else [address for address in found if _is_known(connection, address)]
    for address in wanted:
        _suppress(connection, address, reason)
    return bool(wanted)


def lift(connection: Connection, address: str) -> bool:
    """Let mails to an address go again; False where nothing stood against it but its reader's own choice."""
    table = email_suppressions
    mine = (table.c.email == address.strip().casefold(), table.c.reason.in_(UNREACHABLE))
    return bool(connection.execute(delete(table).where(*mine)).rowcount)


def listed(connection: Connection) -> list[Suppression]:
    """All, the newest first."""
    table = email_suppressions.c
    rows = connection.execute(
        select(table.email, table.category, table.reason, table.created_at, profiles.c.id)
        .select_from(email_suppressions.outerjoin(profiles, func.lower(profiles.c.email) == table.email))
        .order_by(table.created_at.desc(), table.email, table.category, profiles.c.id)
    )
    return [Suppression(email, category, reason, at, owner or "") for email, category, reason, at, owner in rows]


def _reason(event: str, data: Mapping[str, Any]) -> str | None:
    """Why an address gets nothing any more; None where the event doesn't say so."""
    if event == "email.complained":
        return "complained"
    if event == "email.bounced":
        bounce = _object(data.get("bounce"))
        return "bounced" if bounce.get("type") == "Permanent" else None
    if event in {"email.suppressed", _ADDED}:
        said = {**data, **_object(data.get("suppressed"))}
        words = " ".join(str(said.get(name, "")) for name in ("reason", "type", "origin", "message")).lower()
        return "complained" if "complain" in words else "bounced"
    return None


def _suppress(connection: Connection, address: str, reason: str) -> None:
    table = email_suppressions
    row = {"email": address, "category": ALL, "reason": reason, "created_at": now()}
    if insert_new(connection, table, row):
        return
    mine = (table.c.email == address, table.c.category == ALL)
    if connection.execute(select(table.c.reason).where(*mine)).scalar() == "unsubscribed":
        # Who turned everything off still has when the address is lifted.
        for category in CATEGORIES:
            insert_new(connection, table, {**row, "category": category, "reason": "unsubscribed"})
    connection.execute(update(table).where(*mine).values(reason=reason))


def _is_known(connection: Connection, address: str) -> bool:
    """Whether it is a profile's address, or one that a mail of ours goes to."""
    asked = union(
        select(profiles.c.id).where(func.lower(profiles.c.email) == address),
        select(email_messages.c.id).where(func.lower(email_messages.c.to) == address),
    )
    return connection.execute(asked.limit(1)).first() is not None


def _addresses(data: Mapping[str, Any]) -> Iterator[str]:
    for name in _WHERE:
        value = data.get(name)
        for one in cast("list[Any]", value) if isinstance(value, list) else [value]:
            address = parseaddr(one)[1].casefold() if isinstance(one, str) else ""
            if "@" in address:
                yield address


def _object(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
