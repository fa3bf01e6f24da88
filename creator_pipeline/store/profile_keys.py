"""Bearer keys of profiles, for uploads and job status. Only their digest is stored: a key is as random as it is."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import Connection, select, update

from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import profiles

PREFIX = "cpk_"


def renew(connection: Connection, profile_id: str) -> str:
    """A new key; the former one ends."""
    key = PREFIX + secrets.token_urlsafe(32)
    connection.execute(update(profiles).where(profiles.c.id == profile_id).values(upload_key_hash=_digest(key)))
    return key


def owner(warehouse: Warehouse, key: str) -> str | None:
    """The profile a key belongs to; None where it is nobody's."""
    digest = _digest(key)
    with warehouse.read() as connection:
        row = connection.execute(
            select(profiles.c.id, profiles.c.upload_key_hash).where(profiles.c.upload_key_hash == digest)
        ).first()
    return row.id if row is not None and hmac.compare_digest(row.upload_key_hash, digest) else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
