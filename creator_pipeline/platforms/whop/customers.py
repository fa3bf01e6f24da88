"""Buyers asked for lately, kept in Redis for an hour, encrypted: they hold names and addresses."""

from __future__ import annotations

from typing import Any, cast

import orjson

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.queue.cache import Cache

Json = dict[str, Any]
KIND = "whop_customer"
KEEP_SECONDS = 3600.0
"""A buyer's address hardly changes, and the weekly scan of all members reads past this."""


class Customers:
    """Of one account; the key is in the cache's key, so that none sees another's. Without Redis it is empty."""

    def __init__(self, cache: Cache, ring: KeyRing, key: str) -> None:
        self._cache, self._ring, self._key = cache, ring, key

    def get(self, member_id: str) -> Json | None:
        """A buyer that was kept; None where it must be asked for."""
        kept = self._cache.get(KIND, [self._key, member_id])
        try:
            return None if kept is None else cast("Json", orjson.loads(self._ring.decrypt(str(kept))))
        except ConfigError:
            return None  # of a key that is gone

    def keep(self, member_id: str, member: Json) -> None:
        """Remember a buyer."""
        self._cache.set(KIND, [self._key, member_id], self._ring.encrypt(orjson.dumps(member).decode()), KEEP_SECONDS)
