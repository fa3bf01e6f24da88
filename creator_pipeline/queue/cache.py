"""Answers kept for a while in Redis; without it every look-up is a miss.

A key is ``v1:{kind}:{sha256 of the canonical input}``, so that neither a token nor an address can be read from it.
The input must name everything the answer depends on, above all whose answer it is.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter
from functools import lru_cache
from typing import Any

import orjson

from creator_pipeline.queue.redis_client import RedisDown, RedisLink, connect
from creator_pipeline.settings import Settings

JITTER = 0.1
"""Share of the lifetime that is taken off at random: what was kept together must not end together."""


class Cache:
    """JSON-able values by kind and input. Safe to share between threads.

    Args:
        redis: None works as a Redis that is down.
    """

    def __init__(self, redis: RedisLink | None) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {}

    def get(self, kind: str, of: Any) -> Any:
        """The value kept for the input ``of`` (JSON-able, order of keys doesn't matter); None where there is none."""
        if self._redis is None:
            return self._count(kind, "misses")
        key = cache_key(kind, of)
        try:
            content = self._redis.call(lambda client: client.get(key))
        except RedisDown:
            return self._count(kind, "errors", "misses")
        if content is None:
            return self._count(kind, "misses")
        try:
            value = orjson.loads(content)
        except orjson.JSONDecodeError:
            return self._count(kind, "errors", "misses")
        self._count(kind, "hits")
        return value

    def set(self, kind: str, of: Any, value: Any, ttl: float) -> None:
        """Keep a value for ``ttl`` seconds at most.

        Args:
            kind: what sort of answer it is; counted apart.
            of: the input that the answer depends on; JSON-able, order of keys doesn't matter.
            value: JSON-able.
            ttl: seconds; a random part of it, at most ``JITTER``, is taken off.

        Raises:
            ValueError: the value is None, which reads as a miss.
        """
        if value is None:
            raise ValueError("None reads as a miss and can't be cached")
        key, content = cache_key(kind, of), orjson.dumps(value)
        milliseconds = max(1, round(ttl * 1000 * (1 - JITTER * random.random())))  # noqa: S311 - spreads load only
        self._write(kind, lambda client: client.set(key, content, px=milliseconds))

    def invalidate(self, kind: str, of: Any) -> None:
        """Forget the value of an input. While Redis is down it can't be reached: it ends with its ``ttl``."""
        key = cache_key(kind, of)
        self._write(kind, lambda client: client.delete(key))

    def stats(self) -> dict[str, dict[str, int]]:
        """Hits, misses and errors of this process for each kind; an error at a look-up is a miss too."""
        with self._lock:
            return {
                kind: {name: counts[name] for name in ("hits", "misses", "errors")}
                for kind, counts in sorted(self._counts.items())
            }

    def _write(self, kind: str, work: Any) -> None:
        if self._redis is None:
            return
        try:
            self._redis.call(work)
        except RedisDown:
            self._count(kind, "errors")

    def _count(self, kind: str, *names: str) -> None:
        with self._lock:
            self._counts.setdefault(kind, Counter()).update(names)


def cache_key(kind: str, of: Any) -> str:
    """The key of an input."""
    return f"v1:{kind}:{hashlib.sha256(orjson.dumps(of, option=orjson.OPT_SORT_KEYS)).hexdigest()}"


def cache_for(settings: Settings) -> Cache:
    """The cache of this process and Redis: one, so that its counters are the process's."""
    return _cache(connect(settings))


@lru_cache(maxsize=8)
def _cache(redis: RedisLink | None) -> Cache:
    return Cache(redis)
