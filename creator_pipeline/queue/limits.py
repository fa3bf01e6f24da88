"""Limits on what comes in: a moving window for each caller, in Redis; in this process's memory without it."""

from __future__ import annotations

import hashlib
import time
from functools import lru_cache

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.queue.redis_client import RedisDown, RedisLink


class Limits:
    """Counts hits. Safe to share between threads.

    Args:
        redis: None works as a Redis that is down: each process then counts for itself.
    """

    def __init__(self, redis: RedisLink | None) -> None:
        self._redis = redis
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._shared = None
        if redis is not None:
            storage = RedisStorage("redis://", connection_pool=redis.client.connection_pool, key_prefix="v1:limit")
            self._shared = MovingWindowRateLimiter(storage)

    def hit(self, kind: str, key: str, limit_text: str) -> tuple[bool, float]:
        """Count one request; says whether it is allowed, and else after how many seconds the next one will be.

        Args:
            kind: what is limited, as ``api`` or ``uploads``.
            key: who asks; only its digest is stored.
            limit_text: as ``100/minute`` or ``5 per 10 second``.

        Raises:
            ConfigError: ``limit_text`` can't be read.
        """
        item = _parsed(limit_text)
        who = hashlib.sha256(key.encode()).hexdigest()[:32]
        redis, shared = self._redis, self._shared
        if redis is not None and shared is not None:
            try:
                return redis.call(lambda _: _hit(shared, item, kind, who))
            except RedisDown:
                pass
        return _hit(self._local, item, kind, who)


def _hit(limiter: MovingWindowRateLimiter, item: RateLimitItem, kind: str, who: str) -> tuple[bool, float]:
    if limiter.hit(item, kind, who):
        return True, 0.0
    return False, max(0.001, limiter.get_window_stats(item, kind, who).reset_time - time.time())


@lru_cache(maxsize=64)
def _parsed(limit_text: str) -> RateLimitItem:
    try:
        return parse(limit_text)
    except ValueError:
        raise ConfigError(f"The limit {limit_text!r} can't be read.", hint="It looks like 100/minute.") from None
