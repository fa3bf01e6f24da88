"""A real server that misbehaves, and the client under test."""

import pytest
import tenacity

from creator_pipeline.core.http import ApiClient
from creator_pipeline.platforms.gumroad.client import classify
from creator_pipeline_tests.support.http_server import TOKEN, Free, Server


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def client(server, impatient):
    made = []

    def make(**over) -> ApiClient:
        options = {
            "base_url": server.url,
            "token": TOKEN,
            "classify": classify,
            "pace": Free(),
            "attempts": 4,
            "deadline": 20.0,
        }
        made.append(ApiClient(**(options | over)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def impatient(monkeypatch):
    """Back-off of the real shape, a hundred times as fast."""
    real = tenacity.wait_random_exponential
    monkeypatch.setattr(
        tenacity,
        "wait_random_exponential",
        lambda **bounds: real(**{name: value / 100 for name, value in bounds.items()}),
    )
