"""Resource subscriptions at the sandbox, which makes one more at each call as Gumroad does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from creator_pipeline.core.errors import RejectedError
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.subscriptions import post_url, register
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline_tests.support.sandbox import SandboxServer

PUBLIC = "https://gateway.example"


@pytest.fixture
def client(sandbox: SandboxServer) -> Iterator[GumroadClient]:
    with GumroadClient(sandbox.url, sandbox.world.gumroad["alice"].token, LocalPace(6_000_000)) as made:
        yield made


def test_asking_twice_makes_eight_and_doubles_are_deleted(sandbox: SandboxServer, client: GumroadClient):
    """Guards: every event arriving as often as somebody connected."""
    first, second = (register(client, PUBLIC, "s", "alice") for _ in range(2))
    assert (first.created, second.kept, second.created) == (8, 8, 0)
    client.subscribe("sale", post_url(PUBLIC, "s", "alice"))
    again = register(client, PUBLIC, "s", "alice")
    assert (again.kept, again.created, again.deleted) == (8, 0, 1)
    assert len(sandbox.world.gumroad["alice"].subscriptions) == 8


def test_a_new_secret_replaces_the_old_address_and_others_are_left_alone(sandbox: SandboxServer, client: GumroadClient):
    """Guards: pings to an address that ended; and somebody else's webhooks deleted by us."""
    client.subscribe("sale", "https://other.example/hook")
    client.subscribe("sale", f"{PUBLIC}/webhooks/gumroad/shared-secret")
    register(client, PUBLIC, "old", "alice")
    changed = register(client, PUBLIC, "new", "alice")
    assert (changed.kept, changed.created, changed.deleted) == (0, 8, 8)
    urls = {hook["post_url"] for hook in sandbox.world.gumroad["alice"].subscriptions}
    assert urls == {
        "https://other.example/hook",
        f"{PUBLIC}/webhooks/gumroad/shared-secret",
        post_url(PUBLIC, "new", "alice"),
    }


def test_an_address_gumroad_cannot_reach_is_named(client: GumroadClient):
    """Guards: a machine at home waiting for pings that never come."""
    with pytest.raises(RejectedError, match="Invalid post URL"):
        register(client, "http://localhost:8088", "s", "alice")
