"""Limits on what comes in."""

from __future__ import annotations

import time

import pytest

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.queue.limits import Limits
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline_tests.support.servers import RedisServer


def test_a_window_moves_and_tells_when_to_come_back(link: RedisLink) -> None:
    """At the edge of two fixed windows twice the limit goes through; a client without Retry-After hammers."""
    for limits in (Limits(link), Limits(None)):
        began = time.monotonic()
        assert [limits.hit("api", "ann", "3/2second") for _ in range(3)] == [(True, 0.0)] * 3
        time.sleep(0.3)
        allowed, after = limits.hit("api", "ann", "3/2second")
        assert not allowed
        # Seconds that a busy machine let pass since the first hit are no longer to be waited for.
        assert 1.95 - (time.monotonic() - began) < after <= 1.7
        assert limits.hit("api", "bob", "3/2second")[0]
        assert limits.hit("uploads", "ann", "3/2second")[0]
        time.sleep(after + 0.02)
        assert limits.hit("api", "ann", "3/2second")[0]


def test_processes_share_the_window_through_redis(link: RedisLink, server: RedisServer) -> None:
    """Each worker of the gateway grants the whole limit again."""
    other = RedisLink(server.url)
    one, two = Limits(link), Limits(other)
    assert [limits.hit("api", "ann", "4/minute")[0] for limits in (one, two, one, two, one)] == [True] * 4 + [False]
    other.client.close()


def test_limits_hold_in_this_process_while_redis_is_down(link: RedisLink, server: RedisServer) -> None:
    """A dead Redis opens the gate to everyone, or closes it to everyone."""
    limits = Limits(link)
    assert [limits.hit("api", "ann", "2/minute")[0] for _ in range(3)] == [True, True, False]
    server.kill()
    assert [limits.hit("api", "ann", "2/minute")[0] for _ in range(3)] == [True, True, False]
    server.start()
    time.sleep(0.11)
    assert [limits.hit("api", "ann", "2/minute")[0] for _ in range(3)] == [True, True, False]
    link.client.script_flush()
    assert limits.hit("api", "bob", "2/minute")[0]


def test_who_asks_is_stored_as_a_digest_and_a_bad_limit_is_named(link: RedisLink) -> None:
    """Bearer keys of callers lie in Redis."""
    Limits(link).hit("api", "bearer-secret", "2/minute")
    assert link.client.keys("*secret*") == []
    assert len(link.client.keys("v1:limit:*")) == 1
    with pytest.raises(ConfigError, match="'often'"):
        Limits(link).hit("api", "ann", "often")
