"""When each job is due, as Redis knows it: one sorted set, its score in milliseconds of the server's clock.

A hint, never the truth: it may hold jobs that are done, and lack jobs that wait. Moments are given as seconds
from now, so that the database's clock and Redis's needn't agree.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from creator_pipeline.queue.redis_client import RedisLink

HEAL_SECONDS = 15
"""Longest time that a job Redis lost waits for the table to bring it back."""
IDLE_SECONDS = 1.0
"""First pause after Redis had nothing; doubles with each time that it still has nothing."""
IDLE_MAX_SECONDS = 300.0
"""Longest pause. A hosted Redis counts every command, and a question each second is 2.6 million a month."""
_CHUNK = 1_000

_NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

# The mark expires, and is lost with the data of a server that restarts: either way the table is asked again.
_DUE = (
    _NOW
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return false end
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
if tonumber(ARGV[2]) > 0 then
  for _, id in ipairs(ids) do
    redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now + ARGV[2]), id)
  end
end
return ids
"""
)
_SET = (
    _NOW
    + """
for i = 1, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[i + 1]), ARGV[i])
end
"""
)
# LT: what the table says is due is due, whatever a lost answer or a crashed consumer left here.
_LOWER = _SET.replace("KEYS[1], string", "KEYS[1], 'LT', string")


class IdlePause:
    """When a process asks Redis again after it had nothing. Meanwhile the table is asked, so nothing waits for it.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pause = 0.0
        self._until = 0.0

    def over(self) -> bool:
        """Whether Redis may be asked."""
        with self._lock:
            return time.monotonic() >= self._until

    def nothing(self) -> None:
        """Redis had nothing."""
        with self._lock:
            self._pause = min(max(self._pause * 2, IDLE_SECONDS), IDLE_MAX_SECONDS)
            self._until = time.monotonic() + self._pause

    def end(self) -> None:
        """Something came."""
        with self._lock:
            self._pause = self._until = 0.0


@lru_cache(maxsize=32)
def pause_of(link: RedisLink, name: str) -> IdlePause:
    """The pause of this process for a sorted set: consumers come and go with each tick of a sensor."""
    del link, name  # the cache's key
    return IdlePause()


class RedisHints:
    """The sorted set called ``name``. Every method raises RedisDown when Redis can't be used."""

    def __init__(self, link: RedisLink, name: str) -> None:
        self._link = link
        self._due_ids = f"{{{name}}}:wake"
        self._healed = f"{{{name}}}:healed"

    def due(self, limit: int, hold: float = 0.0) -> list[str] | None:
        """Ids that are due, the oldest first; None where the table must be asked first what Redis has lost.

        Args:
            hold: seconds for which no other consumer is told of them; 0 only looks.
        """
        ids = self._link.script(_DUE, [self._due_ids, self._healed], [limit, round(hold * 1000)])
        return None if ids is None else [_text(one) for one in ids]

    def set(self, delays: Mapping[str, float]) -> None:
        """Make each id due after so many seconds."""
        self._each(_SET, delays)

    def heal(self, delays: Mapping[str, float]) -> None:
        """Make each id due after so many seconds at the latest, and remember that the table was asked."""
        self._each(_LOWER, delays)
        self._link.call(lambda client: client.set(self._healed, 1, ex=HEAL_SECONDS))

    def drop(self, ids: Iterable[str]) -> None:
        """Forget ids."""
        for part in _chunks(list(ids)):
            self._link.call(lambda client, part=part: client.zrem(self._due_ids, *part))

    def __len__(self) -> int:
        return int(self._link.call(lambda client: client.zcard(self._due_ids)))

    def _each(self, script: str, delays: Mapping[str, float]) -> None:
        for part in _chunks(list(delays)):
            self._link.script(
                script, [self._due_ids], [value for one in part for value in (one, round(delays[one] * 1000))]
            )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _chunks(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
