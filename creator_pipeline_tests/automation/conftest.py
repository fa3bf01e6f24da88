"""A loaded profile and an instance, shared by the tests of what runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.dagster_support.resources import GumroadResource, WarehouseResource
from creator_pipeline.gumroad.client import GumroadClient
from creator_pipeline.gumroad.sync import load_sales
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.sandbox.server import SandboxServer
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse

RESOURCES = {"warehouse": WarehouseResource(), "gumroad": GumroadResource()}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("gumroad_profiles", ["chen"])
        yield made


@pytest.fixture
def client(sandbox: SandboxServer) -> Iterator[GumroadClient]:
    token = sandbox.world.gumroad["chen"].token
    with GumroadClient(sandbox.gumroad_url, token, LocalPace(10_000_000)) as made:
        yield made


@pytest.fixture
def loaded(warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing, client: GumroadClient) -> Warehouse:
    """The warehouse with everything chen has sold."""
    seller = sandbox.world.gumroad["chen"]
    with warehouse.write() as connection:
        profiles.add_profile(connection, "chen", "chen@example.com")
        profiles.connect(connection, ring, "gumroad", "chen", seller.token)
    window = DayWindow(today() - timedelta(days=130), today() + timedelta(days=1))
    list(load_sales(warehouse, client, ring, "chen", window))
    return warehouse


def truth(sandbox: SandboxServer) -> dict[object, tuple[int, ...]]:
    return {day: tuple(total) for day, total in sandbox.world.gumroad.totals("chen").items()}
