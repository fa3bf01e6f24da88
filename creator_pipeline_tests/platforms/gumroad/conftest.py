"""A client on a sandbox, and the API's answers as they were written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline_tests.support import paths
from creator_pipeline_tests.support.sandbox import SandboxServer

FIXTURES = paths.FIXTURES / "gumroad"


class Free:
    """A pace that never waits."""

    def wait(self) -> float:
        """Go."""
        return 0.0


def fixture(name: str) -> dict[str, Any]:
    """An answer of the API."""
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def sale_of(name: str, **over: Any) -> dict[str, Any]:
    """The sale of a fixture, with some fields changed; None takes a field away."""
    sale = fixture(name)["sale"] | over
    return {key: value for key, value in sale.items() if key not in over or value is not None}


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
