"""Locks that one transaction holds until its end. SQLite needs none: a write transaction locks the whole file."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, func, select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.store.engine import is_postgres
from creator_pipeline.store.tables import profiles


def lock(connection: Connection, name: str | int) -> None:
    """Wait until no other transaction holds the lock of this name, and take it.

    Args:
        name: what is done by one at a time; a number is PostgreSQL's key itself.
    """
    if is_postgres(connection):
        connection.execute(select(func.pg_advisory_xact_lock(_key(name))))


def try_lock(connection: Connection, name: str) -> bool:
    """Take the lock of this name; False where another transaction holds it."""
    return (
        not is_postgres(connection)
        or connection.execute(select(func.pg_try_advisory_xact_lock(_key(name)))).scalar_one()
    )


def lock_profile(connection: Connection, profile_id: str) -> None:
    """Let nobody erase this profile before the transaction ends: what is written after an erasure would stay.

    Raises:
        ConfigError: it is gone already.
    """
    # The weakest lock that a DELETE waits for: loads of one profile don't wait for each other.
    found = select(profiles.c.id).where(profiles.c.id == profile_id).with_for_update(read=True, key_share=True)
    if connection.execute(found).first() is None:
        raise ConfigError(
            f"There is no profile {profile_id!r} any more; nothing was written.",
            hint=f"Add it: creator-pipeline profiles add {profile_id} --email ADDRESS",
        )


def _key(name: str | int) -> int:
    if isinstance(name, int):
        return name
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
