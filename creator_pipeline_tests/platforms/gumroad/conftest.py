"""A client on a sandbox, and the API's answers as they were written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer


@pytest.fixture
def client_of() -> Iterator[Callable[..., GumroadClient]]:
    """Makes clients that are closed at the end."""
    made: list[GumroadClient] = []

    def make(server: SandboxServer, profile: str = "alice") -> GumroadClient:
        made.append(GumroadClient(server.gumroad_url, server.world.gumroad[profile].token, Free()))
        return made[-1]

    yield make
    for client in made:
        client.close()
