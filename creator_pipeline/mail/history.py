"""What readers were told before, as the outbox remembers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select

from creator_pipeline.mail.outbox import digest
from creator_pipeline.store.locks import lock
from creator_pipeline.store.tables import email_messages, profiles


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose event it is."""

    profile_id: str
    email: str
    notify: str


@dataclass(frozen=True, slots=True)
class Told:
    """A mail of before."""

    id: str
    kind: str
    created_at: datetime
    tags: dict[str, str]


def owner_of(connection: Connection, profile_id: str) -> Owner | None:
    """The profile's owner; None where the profile is gone."""
    row = connection.execute(select(profiles.c.email, profiles.c.notify).where(profiles.c.id == profile_id)).first()
    return None if row is None else Owner(profile_id, row.email, row.notify)


def lock_notifications(connection: Connection, profile_id: str, source: str) -> None:
    """Let no other transaction write mails of the same profile and source until this one ends."""
    # Those who tell of different events must see each other's mails.
    lock(connection, f"mail/{profile_id}/{source}")


def known(connection: Connection, key: str) -> bool:
    """Whether a mail has this key."""
    return connection.execute(select(email_messages.c.id).where(email_messages.c.id == key)).first() is not None


def tags_for(source: str, unit: str) -> dict[str, str]:
    """What a mail is noted by, to be found as told."""
    return {"source": source, "unit": digest(unit) if unit else "all"}


def told_to(connection: Connection, to: str, kinds: Sequence[str], since: datetime | None = None) -> list[Told]:
    """Mails of these kinds that reached, or are to reach, a reader; the newest first, 200 at most.

    Args:
        connection: reads the outbox.
        to: the reader's address, as the outbox has it.
        kinds: names of kinds of mails.
        since: aware UTC; only mails that were written after it. None for all.
    """
    table = email_messages
    recent = [] if since is None else [table.c.created_at > since]
    rows = connection.execute(
        select(table.c.id, table.c.kind, table.c.created_at, table.c.payload)
        .where(table.c.to == to, table.c.kind.in_(kinds), table.c.status != "suppressed", *recent)
        .order_by(table.c.created_at.desc())
        .limit(200)
    ).all()
    return [Told(row.id, row.kind, row.created_at, _tags_of(row.payload)) for row in rows]


def _tags_of(payload: str) -> dict[str, str]:
    message: dict[str, Any] = orjson.loads(payload)
    return {tag["name"]: tag["value"] for tag in message["tags"]}


def open_failure(connection: Connection, owner: Owner, source: str, unit: str) -> Told | None:
    """The first mail of a failure whose recovery was not told yet; None where no failure is open.

    Args:
        connection: reads the outbox.
        owner: the reader of the mails.
        source: name of the source.
        unit: what fails and recovers by itself within the source: a file's id; empty for a whole source.
    """
    wanted, first = tags_for(source, unit), None
    for told in told_to(connection, owner.email, ["ingestion_failed", "ingestion_recovered"]):
        if wanted.items() <= told.tags.items():
            if told.kind == "ingestion_recovered":
                break
            first = told
    return first
