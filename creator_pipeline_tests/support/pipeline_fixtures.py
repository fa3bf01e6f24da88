"""A loaded profile and an instance, shared by the tests of what runs by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import tenacity

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.platforms.kdp.child_process import one_reader
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import quick_instances, whop_installation
from creator_pipeline_tests.support.health import PUBLIC, Watched
from creator_pipeline_tests.support.sandbox import SandboxServer

QUIET = {"telemetry": {"enabled": False}}


@pytest.fixture(autouse=True, scope="session")
def _reports_reader() -> Iterator[None]:
    """One process reads the reports of all tests: each that is started imports the reader anew."""
    with one_reader():
        yield


@pytest.fixture(autouse=True, scope="session")
def _quick_instances() -> None:
    quick_instances.make_cheaper()


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


@pytest.fixture(scope="session")
def empty_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of an instance to copy: its databases take a second to make."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").touch()
    with dg.DagsterInstance.local_temp(str(folder), overrides=QUIET) as made:
        made.all_instigator_state()
        made.get_runs_count()
    return folder


@pytest.fixture
def watched(
    sqlite_warehouse: Warehouse, empty_instance: Path, ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    inbox = tmp_path / "inbox"
    (inbox / "alice").mkdir(parents=True)
    monkeypatch.setenv("KDP_INBOX", str(inbox))
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    monkeypatch.setenv("PUBLIC_URL", PUBLIC)
    # Ticks are kept by an instance on disk only.
    shutil.copytree(empty_instance, tmp_path / "dagster")
    with (
        small.small_sandbox() as server,
        dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=QUIET) as instance,
    ):
        instance.add_dynamic_partitions("gumroad_profiles", list(small.SIZES))
        monkeypatch.setenv("GUMROAD_API_URL", server.gumroad_url)
        small.connect_all(sqlite_warehouse, ring, server)
        yield Watched(sqlite_warehouse, server, instance, ring, inbox, monkeypatch)


@pytest.fixture
def gumroad_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """Three sellers with few sales on twelve days."""
    with small.small_sandbox() as running:
        monkeypatch.setenv("GUMROAD_API_URL", running.gumroad_url)
        yield running


@pytest.fixture
def gumroad_warehouse(sqlite_warehouse: Warehouse, ring: KeyRing, gumroad_sandbox: SandboxServer) -> Warehouse:
    """On SQLite, each seller connected, nothing loaded."""
    small.connect_all(sqlite_warehouse, ring, gumroad_sandbox)
    return sqlite_warehouse


@pytest.fixture
def gumroad_instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """With the sellers' partitions; retries of a step without their ten seconds."""
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0.01)
    with small.new_instance() as made:
        yield made


@pytest.fixture
def whop_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """Three accounts on five days."""
    with whop_installation.sandbox() as running:
        monkeypatch.setenv("WHOP_API_URL", running.whop_url)
        monkeypatch.setenv("WHOP_REQUESTS_PER_MINUTE", "60000000")
        yield running


@pytest.fixture
def whop_warehouse(sqlite_warehouse: Warehouse, ring: KeyRing, whop_sandbox: SandboxServer) -> Warehouse:
    """On SQLite, each account connected, nothing loaded."""
    whop_installation.connect_all(sqlite_warehouse, ring, whop_sandbox)
    return sqlite_warehouse


@pytest.fixture
def whop_instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """With the accounts' partitions; retries of a step and of a request without their seconds."""
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0.01)
    monkeypatch.setattr(tenacity.wait_random_exponential, "__call__", lambda *_: 0.001)
    with whop_installation.new_instance() as made:
        yield made
