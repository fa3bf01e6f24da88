"""A warehouse of each kind, a Resend of one's own, and settings that send to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, select

from creator_pipeline import settings as environment
from creator_pipeline.core.windows import today
from creator_pipeline.sandbox.resend import KEY, ResendApi
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles, tables
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.support import channels, servers
from creator_pipeline_tests.support.sandbox import SandboxServer, World

_CLEARED = [
    tables.alert_messages,
    tables.email_messages,
    tables.health_reports,
    tables.email_suppressions,
    tables.webhook_events,
    tables.platform_connections,
    tables.profiles,
]


@pytest.fixture(scope="session")
def _urls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file: Path = tmp_path_factory.mktemp("mail") / "warehouse.sqlite"
    return {"sqlite": f"sqlite:///{file}", "postgresql": servers.postgres().fresh_database()}


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(
    request: pytest.FixtureRequest, _urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Warehouse]:
    """Migrated and empty, also the one that ``DATABASE_URL`` names."""
    url = _urls[request.param]
    monkeypatch.setenv("DATABASE_URL", url)
    opened = open_warehouse(url)
    with opened.write() as connection:
        for table in _CLEARED:
            connection.execute(delete(table))
        profiles.add_profile(connection, "alice", "alice@example.net", display_name="Alice", notify="every")
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def _server() -> Iterator[SandboxServer]:
    with SandboxServer(World.invented(7, today=today(), sizes={})) as running:
        yield running


@pytest.fixture
def server(_server: SandboxServer) -> SandboxServer:
    """The stand-in, with an empty inbox and without faults."""
    _server.faults.clear()
    _server.resend.clear()
    _server.resend.per_second, _server.resend.latency = None, 0.0
    _server.resend.events.hooks.clear()
    return _server


@pytest.fixture
def resend(server: SandboxServer) -> ResendApi:
    """The part of the stand-in that is Resend."""
    return server.resend


@pytest.fixture
def unset() -> Settings:
    """Settings of an installation where no mail variable is set."""
    return environment.load().model_copy(update={"resend_api_key": None, "from_email": None, "ops_email": None})


@pytest.fixture
def settings(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that send to the stand-in as fast as they can."""
    monkeypatch.setenv("RESEND_API_URL", server.resend_url)
    monkeypatch.setenv("RESEND_API_KEY", KEY)
    monkeypatch.setenv("RESEND_REQUESTS_PER_SECOND", "100000")
    monkeypatch.setenv("FROM_EMAIL", "Pipeline <no-reply@example.com>")
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    monkeypatch.setenv("PUBLIC_URL", "https://pipeline.example.com")
    return environment.load()


@pytest.fixture
def slack(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[channels.Channels]:
    """A stand-in of Slack, which ``ALERT_URLS`` names."""
    with channels.running() as server:
        channels.slack_at(server.url)
        monkeypatch.setenv("ALERT_URLS", f"slack://{channels.TOKENS}")
        yield server


@pytest.fixture
def message(warehouse: Warehouse) -> Callable[[str], dict[str, Any]]:
    """Reads a row of ``email_messages``; ``payload`` is parsed."""

    def read(key: str) -> dict[str, Any]:
        with warehouse.read() as connection:
            row = (
                connection.execute(select(tables.email_messages).where(tables.email_messages.c.id == key))
                .mappings()
                .one()
            )
        return {**row, "payload": orjson.loads(row["payload"])}

    return read
