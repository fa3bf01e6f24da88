"""An installation with everything connected, for the doctor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path

import pytest

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad import subscriptions
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.sandbox.resend import KEY
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.doctor import SECRETS, Healthz, Installation


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """Something that answers at PUBLIC_URL."""
    with HTTPServer(("127.0.0.1", 0), Healthz) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def installation(
    sqlite_warehouse: Warehouse, ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: str
) -> Iterator[Installation]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    (home / "kdp_inbox" / "alice").mkdir(parents=True)
    monkeypatch.setenv("PUBLIC_URL", gateway)
    monkeypatch.setenv("FROM_EMAIL", "Pipeline <no-reply@example.com>")
    monkeypatch.setenv("REDIS_URL", servers.shared_redis().url)
    with small.small_sandbox() as server:
        monkeypatch.setenv("GUMROAD_API_URL", server.gumroad_url)
        monkeypatch.setenv("WHOP_API_URL", server.whop_url)
        monkeypatch.setenv("RESEND_API_URL", server.resend_url)
        monkeypatch.setenv("RESEND_API_KEY", KEY)
        small.connect_all(sqlite_warehouse, ring, server)
        account = next(iter(server.world.whop.values()))
        with sqlite_warehouse.write() as connection:
            profiles.connect(connection, ring, "whop", "alice", account.key, external_account_id=account.id)
        for name in small.SIZES:
            token = server.world.gumroad[name].token
            with GumroadClient(server.gumroad_url, token, LocalPace(1e9)) as client:
                subscriptions.register(client, gateway, SECRETS["GUMROAD_WEBHOOK_SECRET"], name)
        yield Installation(sqlite_warehouse, server, monkeypatch, home, ring)
