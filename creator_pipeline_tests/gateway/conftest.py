"""Gateways: one on a fresh database of each kind, and one on SQLite that a module's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from creator_pipeline.core.secrets import new_key
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.gateway import Gateway


@pytest.fixture
def gateway(warehouse: Warehouse) -> Iterator[Gateway]:
    """On each database."""
    with Gateway(os.environ["DATABASE_URL"]) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """On one SQLite file; for tests that don't mind what others left."""
    os.environ.setdefault("CREATOR_PIPELINE_TEST_KEY", new_key())
    folder = tmp_path_factory.mktemp("gateway")
    with Gateway(
        f"sqlite:///{folder / 'warehouse.sqlite'}", dagster_home=folder, kdp_inbox=str(folder / "inbox")
    ) as running:
        running.add("alice", "whop", "biz_alice")
        running.add("bob")
        yield running
        running.services.warehouse.engine.dispose()
