from collections.abc import Iterator

import pytest

from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sandbox.data import WhopAccount
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.whop_samples import TODAY, open_client


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
def two_profiles(warehouse: Warehouse) -> Warehouse:
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.add_profile(connection, "fan", "Fan@example.com")
    return warehouse
