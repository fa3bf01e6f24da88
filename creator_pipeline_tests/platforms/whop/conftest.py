import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sandbox.data import WhopAccount
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import paths
from creator_pipeline_tests.support.sandbox import SandboxServer, World

TODAY = date(2026, 9, 20)
EVERYTHING = DayWindow(date(2026, 1, 1), date(2026, 9, 22))
FIXTURES = paths.FIXTURES / "whop"
MOMENT = datetime(2026, 9, 20, 12, tzinfo=UTC)


class NoPace:
    def wait(self) -> float:
        return 0.0


def fixture(name: str) -> dict:
    return json.loads((FIXTURES / "2026-10-15-1" / f"{name}.json").read_text(encoding="utf-8"))


def open_client(server: SandboxServer, key: str) -> WhopClient:
    return WhopClient(server.whop_url, key, lambda _operation: NoPace())


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(World.invented(today=TODAY, sizes={"alice": 3})) as running:
        yield running


@pytest.fixture
def account(server: SandboxServer) -> WhopAccount:
    return server.world.whop["alice"]


@pytest.fixture
def client(server: SandboxServer, account: WhopAccount) -> Iterator[WhopClient]:
    with open_client(server, account.key) as opened:
        yield opened


@pytest.fixture
def house(warehouse: Warehouse) -> Warehouse:
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.add_profile(connection, "fan", "Fan@example.com")
    return warehouse
