"""A warehouse of each kind, a Redis of one's own for each test, and the queue with and without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete

from creator_pipeline.queue import redis_client as room
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import ingestion_jobs
from creator_pipeline_tests.support import servers


@pytest.fixture(scope="session")
def _urls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file: Path = tmp_path_factory.mktemp("queue") / "warehouse.sqlite"
    return {"sqlite": f"sqlite:///{file}", "postgresql": servers.postgres().fresh_database()}


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(request: pytest.FixtureRequest, _urls: dict[str, str]) -> Iterator[Warehouse]:
    """Migrated, without jobs."""
    opened = open_warehouse(_urls[request.param])
    with opened.write() as connection:
        connection.execute(delete(ingestion_jobs))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def server() -> Iterator[servers.RedisServer]:
    """A running Redis that keeps nothing over a restart."""
    with servers.RedisServer() as started:
        yield started


@pytest.fixture
def link(server: servers.RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisLink]:
    """A link whose breaker tries again soon, and for which a busy machine's Redis is not a slow one."""
    monkeypatch.setattr(room, "BREAK_SECONDS", 0.05)
    monkeypatch.setattr(room, "BREAK_MAX_SECONDS", 0.1)
    for name in ("COMMAND_SECONDS", "SLOW_SECONDS", "PROBE_SECONDS"):
        monkeypatch.setattr(room, name, 60.0)
    made = RedisLink(server.url)
    yield made
    made.client.close()


@pytest.fixture(params=["with redis", "without redis"])
def queue(request: pytest.FixtureRequest, warehouse: Warehouse) -> Iterator[JobQueue]:
    """The queue in either mode; the same is expected of both."""
    if request.param == "without redis":
        yield JobQueue(warehouse, None)
        return
    name = f"test:{uuid4().hex}"
    shared = RedisLink(servers.shared_redis().url)
    yield JobQueue(warehouse, shared, name=name)
    shared.client.delete(f"{{{name}}}:wake", f"{{{name}}}:healed")
    shared.client.close()
