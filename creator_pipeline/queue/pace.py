"""Outgoing pace: requests of one token are spaced evenly (GCRA, burst 1), so that a limit is never tripped.

Slots are reserved ahead: a caller takes the next free one and sleeps until then, so waiting costs no polling, and
threads and processes go in the order in which they asked.
"""

from __future__ import annotations

import hashlib
import threading
import time
from functools import lru_cache

from creator_pipeline.core.http import Pace
from creator_pipeline.queue.redis_client import BREAK_MAX_SECONDS, RedisDown, RedisLink, connect
from creator_pipeline.settings import Settings

PROCESSES = 6
"""Processes that may call a platform at once: ``max_concurrent_runs`` of dagster.yaml (a test compares them)."""

USED_SHARE = 0.97
"""Of the limit. n + 1 evenly spaced requests fit into the window of n but for this, and a late one must not count."""

_KEPT_MS = 60_000

_RESERVE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local slot = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local after = slot + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + ARGV[2])
return slot - now
"""


class LocalPace:
    """The pace of one process: its share of the rate that is safe when :data:`PROCESSES` run at once.

    Args:
        per_minute: the token's whole budget.
        processes: how many share it without seeing each other.
    """

    def __init__(self, per_minute: float, *, processes: int = PROCESSES) -> None:
        self._interval = 60.0 * processes / (per_minute * USED_SHARE)
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve(self, *, start: bool = True) -> float:
        """Take the next slot; returns the seconds until it comes.

        Args:
            start: False where others have used the budget up to now: the first slot is an interval away.
        """
        with self._lock:
            now = time.monotonic()
            slot = max(now if start else now + self._interval, self._next)
            self._next = slot + self._interval
        return slot - now

    def wait(self) -> float:
        """Block until one request may go; returns the seconds waited."""
        delay = self.reserve()
        time.sleep(delay)
        return delay


class RedisPace:
    """The pace of one token, shared by all processes through Redis, by its clock.

    While Redis is down each process keeps to its :class:`LocalPace`. When it is back, the process stays below that
    for as long as others may need to notice: so the sum is never above the budget.

    Args:
        key: one for each API and token, without the token itself.
        per_minute: the token's whole budget.
    """

    def __init__(self, redis: RedisLink, key: str, per_minute: float) -> None:
        self._redis = redis
        self._key = f"v1:pace:{key}"
        self._interval_us = round(60_000_000 / (per_minute * USED_SHARE))
        self._local = LocalPace(per_minute)
        self._careful_until = 0.0

    def wait(self) -> float:
        """Block until one request may go; returns the seconds waited."""
        began = time.monotonic()
        careful = began < self._careful_until
        try:
            slot_us = self._redis.script(_RESERVE, [self._key], [self._interval_us, _KEPT_MS])
            delay = int(slot_us) / 1_000_000
            if careful:
                delay = max(delay, self._local.reserve())
        except RedisDown:
            self._careful_until = time.monotonic() + BREAK_MAX_SECONDS
            delay = self._local.reserve(start=careful)
        time.sleep(delay)
        return time.monotonic() - began


def pace_for(settings: Settings, api: str, token: str, per_minute: float) -> Pace:
    """The pace of a token at an API; the same object for the same token.

    Each profile has its own token, so none waits for another.

    Args:
        settings: name Redis.
        api: a name for the API.
        token: whose budget it is; only its digest is kept.
        per_minute: the whole budget.

    Raises:
        ConfigError: the variables of Redis can't be read.
    """
    digest = hashlib.sha256(token.encode()).hexdigest()[:16]
    return _pace(connect(settings), f"{api}:{digest}", per_minute)


@lru_cache(maxsize=1024)
def _pace(redis: RedisLink | None, key: str, per_minute: float) -> Pace:
    # The key is in the cache's key: without Redis too, each token has its own pace.
    return LocalPace(per_minute) if redis is None else RedisPace(redis, key, per_minute)
