"""Servers that look like the services of ALERT_URLS from outside: Slack's incoming webhooks, and a receiver by keys."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TOKENS = f"T1JJ3T3L2/A1BRTD4JD/{'Tiajkdn7' * 3}"
"""Team, application and token, as Slack gives them."""


class Channels:
    """Answers as Slack does: ``ok`` to what it takes, words and a status to what it doesn't.

    Attributes:
        taken: messages that were taken, in order: title and text of each.
        asked: number of requests.
        keys: ``Idempotency-Key`` of each request that had one.
        script: what becomes of the next requests, one each: a status; ``limited`` (429); ``hang up`` after it was taken,
            ``refuse`` before; ``slow``, which answers after it was taken, too late; ``error`` of Slack's API.
    """

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self.keys: list[str] = []
        self.script: list[int | str] = []
        self.asked = 0
        self.retry_after, self.slow = "30", 1.0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                owner.answer(self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._lock = threading.Lock()
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """One request."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self._lock:
            self.asked += 1
            step = self.script.pop(0) if self.script else 200
            if step in {200, "hang up", "slow"}:
                self._take(json.loads(body), handler.headers.get("Idempotency-Key"))
        if step == "slow":
            time.sleep(self.slow)
        if step in {"hang up", "slow", "refuse"}:
            handler.close_connection = True
            return
        said = {200: b"ok", 404: b"no_service", "error": b'{"ok": false, "error": "channel_not_found"}'}
        status = step if isinstance(step, int) else 429 if step == "limited" else 200
        text = said.get(step, b"rate_limited" if step == "limited" else b"invalid_payload")
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(text)))
        if step == "limited":
            handler.send_header("Retry-After", self.retry_after)
        handler.end_headers()
        handler.wfile.write(text)

    def _take(self, message: Any, key: str | None) -> None:
        self.bodies.append(message)
        if key is not None:
            self.keys.append(key)
        shown = message["attachments"][0] if message.get("attachments") else message
        title = shown.get("title") or shown.get("fallback") or ""
        self.taken.append((title, shown.get("text") or shown.get("message") or ""))

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def running() -> Iterator[Channels]:
    """A server until the block ends."""
    server = Channels()
    try:
        yield server
    finally:
        server.close()


def slack_at(url: str) -> None:
    """Let Apprise's Slack ask a server of this machine, without its pause of a second."""
    from apprise.plugins.slack import NotifySlack

    NotifySlack.webhook_url, NotifySlack.request_rate_per_sec = f"{url}/services", 0.0
