"""A real gateway in a thread of the test's process."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import uvicorn
from sqlalchemy import Table, select
from standardwebhooks import Webhook

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.gateway.app import create_app
from creator_pipeline.gateway.server import uvicorn_config
from creator_pipeline.settings import Settings
from creator_pipeline.store import profile_keys, profiles
from creator_pipeline_tests.support import local_http

WHOP_SECRET = "ws_c2VjcmV0IG9mIGEgdGVzdA"
PATH_SECRET = "ping-path-secret-of-a-test"
RESEND_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ACCOUNT = "biz_alice"


def settings_of(url: str, **values: Any) -> Settings:
    """Settings with all secrets, whatever the environment says."""
    given = {
        "database_url": url,
        "app_secret_keys": os.environ["CREATOR_PIPELINE_TEST_KEY"],
        "whop_webhook_secret": WHOP_SECRET,
        "gumroad_webhook_secret": PATH_SECRET,
        "resend_webhook_secret": RESEND_SECRET,
        "redis_url": None,
    }
    return Settings(_env_file=None, **(given | values))


class Gateway(AbstractContextManager["Gateway"]):
    """Serves one warehouse; ``values`` are settings.

    Attributes:
        http: a client of it.
        log: what it logged.
    """

    def __init__(self, url: str, *, listen: int = 0, **values: Any) -> None:
        self._listen = listen
        self.config = settings_of(url, **values)
        self.app = create_app(self.config)
        self.services = self.app.state.services

    def __enter__(self) -> Gateway:
        listener = socket.create_server(("127.0.0.1", self._listen))
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(uvicorn_config(self.app, "127.0.0.1", 0))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve(sockets=[listener])))
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.005)
        self.http = local_http.Client(base_url=self.url, timeout=20)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    @property
    def ring(self) -> KeyRing:
        """Its keys."""
        return self.services.ring

    def add(self, profile_id: str, provider: str | None = None, account: str | None = None) -> None:
        """A profile, and a connection with a token."""
        with self.services.warehouse.write() as connection:
            profiles.add_profile(connection, profile_id, f"{profile_id}@example.com")
            if provider:
                profiles.connect(connection, self.ring, provider, profile_id, "token", external_account_id=account)

    def key(self, profile_id: str) -> dict[str, str]:
        """The header with a new bearer key."""
        with self.services.warehouse.write() as connection:
            return {"Authorization": f"Bearer {profile_keys.renew(connection, profile_id)}"}

    def rows(self, table: Table) -> list[Any]:
        """A whole table."""
        with self.services.warehouse.read() as connection:
            return list(connection.execute(select(table)).mappings())

    def whop(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Send a delivery."""
        return self.http.post("/webhooks/whop", content=body, headers=headers)

    def ping(self, body: bytes | str, secret: str = PATH_SECRET) -> httpx.Response:
        """Send a ping."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.http.post(f"/webhooks/gumroad/{secret}", content=body, headers=headers)


def whop_event(payment: str = "pay_1", account: str | None = ACCOUNT, **more: Any) -> bytes:
    """A body of Whop's."""
    event = {"id": "msg_1", "type": "payment.succeeded", "data": {"id": payment, "user": {"email": "b@example.com"}}}
    return orjson.dumps(event | ({"account_id": account} if account else {}) | more)


def signed(
    body: bytes, delivery_id: str = "msg_1", *, secret: str | bytes = WHOP_SECRET.encode(), age: float = 0
) -> dict[str, str]:
    """Headers of Standard Webhooks over a body."""
    sent = datetime.fromtimestamp(time.time() - age, UTC)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign(delivery_id, sent, body.decode()),
    }
