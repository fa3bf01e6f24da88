"""Buyers that were asked for lately, with a Redis, while it is down, and for another account."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.customers import Customers
from creator_pipeline.platforms.whop.sandbox.data import WhopAccount
from creator_pipeline.queue.cache import Cache
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline_tests.support.sandbox import SandboxServer
from creator_pipeline_tests.support.servers import RedisServer
from creator_pipeline_tests.support.whop_samples import NoPace

Open = Callable[..., WhopClient]


@pytest.fixture
def redis() -> RedisServer:
    with RedisServer() as started:
        yield started


@pytest.fixture
def opened(server: SandboxServer, account: WhopAccount, redis: RedisServer) -> Open:
    def client(ring: KeyRing, key: str = account.key) -> WhopClient:
        customers = Customers(Cache(RedisLink(redis.url)), ring, key)
        return WhopClient(server.whop_url, account.key, lambda _: NoPace(), customers=customers)

    return client


def test_a_buyer_is_asked_for_once_and_lies_in_redis_unreadable(
    opened: Open, account: WhopAccount, ring: KeyRing, redis: RedisServer
) -> None:
    """Guards: a request for each of a buyer's fifty payments; and buyers' addresses in a cache anyone can dump."""
    member_id = next(iter(account.tables["members"]))
    with opened(ring) as client:
        first, again = client.fetch_customer(member_id), client.fetch_customer(member_id)
        assert first == again
        assert client.usage.requests == 1
        assert client.usage.metadata().items() >= {"cache_hits": 1, "cache_misses": 1}.items()
        link = RedisLink(redis.url)
        kept = b"".join(link.client.get(key) for key in link.client.scan_iter())
        assert kept
        assert b"@" not in kept
        redis.kill()
        assert client.fetch_customer(member_id) == first
        assert client.usage.requests == 2


def test_another_account_and_a_key_that_is_gone_find_nothing(opened: Open, account: WhopAccount, ring: KeyRing) -> None:
    """Guards: one seller's buyers shown to another; and a rotated key that stops every refresh for an hour."""
    member_id = next(iter(account.tables["members"]))
    for given in ((ring,), (ring, "another key"), (KeyRing([new_key()]),)):
        with opened(*given) as client:
            assert client.fetch_customer(member_id)["id"] == member_id
            assert client.usage.requests == 1
