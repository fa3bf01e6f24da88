"""The cache: an answer kept for a while, and never anybody else's."""

from __future__ import annotations

import time

import pytest

from creator_pipeline.queue.cache import Cache, cache_for, cache_key
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline.settings import Settings
from creator_pipeline_tests.support.servers import RedisServer


def test_a_value_is_kept_by_its_input_until_its_time_is_over(link: RedisLink) -> None:
    """A product's new price is never seen."""
    cache = Cache(link)
    assert cache.get("products", {"profile": "alice", "page": 1}) is None
    cache.set("products", {"profile": "alice", "page": 1}, [{"id": "p", "price": 900}], 100)
    assert cache.get("products", {"page": 1, "profile": "alice"}) == [{"id": "p", "price": 900}]
    assert cache.get("products", {"profile": "bob", "page": 1}) is None
    assert cache.get("user", {"profile": "alice", "page": 1}) is None
    assert 0 < link.client.pttl(cache_key("products", {"page": 1, "profile": "alice"})) <= 100_000
    link.client.pexpire(cache_key("products", {"page": 1, "profile": "alice"}), 1)
    time.sleep(0.01)
    assert cache.get("products", {"profile": "alice", "page": 1}) is None
    assert cache.stats() == {
        "products": {"hits": 1, "misses": 3, "errors": 0},
        "user": {"hits": 0, "misses": 1, "errors": 0},
    }


def test_values_kept_together_end_apart_and_never_late(link: RedisLink) -> None:
    """Everything that was loaded together expires together, and the platform gets a storm."""
    cache = Cache(link)
    for n in range(50):
        cache.set("k", n, n, 100)
    left = [link.client.pttl(cache_key("k", n)) for n in range(50)]
    assert max(left) <= 100_000
    assert min(left) >= 89_000
    assert max(left) - min(left) > 2_000


def test_an_invalidated_value_is_gone(link: RedisLink) -> None:
    """A disconnected account's products are shown until tomorrow."""
    cache = Cache(link)
    cache.set("k", "a", False, 100)
    cache.set("k", "b", 0, 100)
    cache.invalidate("k", "a")
    assert cache.get("k", "a") is None
    assert cache.get("k", "b") == 0


def test_keys_show_neither_tokens_nor_addresses(link: RedisLink) -> None:
    """Whoever may list the keys reads the buyers' addresses."""
    Cache(link).set("customers", {"email": "ann@example.com"}, {"id": "u"}, 100)
    (key,) = link.client.keys("*")
    assert key == cache_key("customers", {"email": "ann@example.com"}).encode()
    assert key.startswith(b"v1:customers:")
    assert b"ann" not in key


def test_none_and_broken_values_are_no_hits(link: RedisLink) -> None:
    """A failed look-up is kept as the answer nothing."""
    cache = Cache(link)
    with pytest.raises(ValueError, match="miss"):
        cache.set("k", 1, None, 100)
    link.client.set(cache_key("k", 1), b"{broken")
    assert cache.get("k", 1) is None
    assert cache.stats() == {"k": {"hits": 0, "misses": 1, "errors": 1}}


def test_without_redis_every_look_up_is_a_miss_and_nothing_breaks(link: RedisLink, server: RedisServer) -> None:
    """The cache is what stops the sync."""
    cache, none = Cache(link), Cache(None)
    cache.set("k", 1, "kept", 100)
    server.stop()
    for one in (cache, none):
        one.set("k", 1, "v", 100)
        one.invalidate("k", 1)
        assert one.get("k", 1) is None
    assert none.stats() == {"k": {"hits": 0, "misses": 1, "errors": 0}}
    assert cache.stats() == {"k": {"hits": 0, "misses": 1, "errors": 3}}
    server.start()
    time.sleep(0.11)
    cache.set("k", 1, "again", 100)
    assert cache.get("k", 1) == "again"


def test_a_process_has_one_cache_so_that_its_counters_are_whole() -> None:
    """The metrics show the hits of the last client only."""
    values = Settings(_env_file=None, redis_url="redis://127.0.0.1:1/5")
    assert cache_for(values) is cache_for(values)
