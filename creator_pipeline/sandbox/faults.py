"""What can go wrong on the way, switched on by tests and demos; counted, never random."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import cast

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The answer is replaced, or the connection broken, whatever was asked.
TRANSPORT_KINDS = frozenset(
    {
        "400",
        "404",
        "429",
        "429_retry_after",
        "502",
        "500",
        "truncated",
        "truncated_gzip",
        "reset",
        "garbage",
        "bad_json",
        "slow",
    },
)
# Resend answers with one of its own errors, by the error's name.
RESEND_KINDS = frozenset(
    {
        "restricted_api_key",
        "invalid_api_key",
        "unverified_domain",
        "invalid_idempotent_request",
        "concurrent_idempotent_requests",
        "validation_error",
        "rate_limit_exceeded",
        "daily_quota_exceeded",
        "monthly_quota_exceeded",
        "application_error",
    }
)
RETRY_LATER = "Retry later\n"


@dataclass
class Rule:
    """Every ``n``-th request to a path that starts with ``path`` fails by ``kind``, at most ``times`` times."""

    n: int
    kind: str
    path: str
    times: int | None
    seen: int = 0


class Faults:
    """Switches, and counters of what was asked.

    Args:
        kinds: that the platforms' routes produce themselves; a handler reads the kind from ``scope["sandbox_fault"]``.

    Attributes:
        retry_after: seconds in the header of ``429_retry_after``.
        retry_after_as_date: writes that header as an HTTP date.
        delay: seconds that ``slow`` waits before it answers.
        slow_window_days: a list that is asked for a longer window times out (400); None is never.
        requests: requests by path, the refused ones included.
        throttled: requests refused by the rate limit.
    """

    def __init__(self, kinds: frozenset[str] = frozenset()) -> None:
        self._lock = threading.Lock()
        self._kinds = TRANSPORT_KINDS | RESEND_KINDS | kinds
        self.clear()

    def clear(self) -> None:
        """Nothing goes wrong any more, and the counters start again."""
        with self._lock:
            self._rules: list[Rule] = []
            self._limit: tuple[int, float] | None = None
            self._passed: dict[str, deque[float]] = {}
            self.retry_after = 0
            self.retry_after_as_date = False
            self.delay = 1.0
            self.slow_window_days: int | None = None
            self.requests: Counter[str] = Counter()
            self.throttled = 0

    def every(self, n: int, kind: str, *, path: str = "/v2/", times: int | None = None) -> None:
        """Every ``n``-th request fails by ``kind``; the first rule that fits wins.

        Args:
            n: 1 is every request.
            kind: one of ``TRANSPORT_KINDS``, ``RESEND_KINDS`` or the kinds of a platform.
            path: what the request's path starts with.
            times: how often it fails at most; None is without end.

        Raises:
            ValueError: an unknown kind, or ``n`` below 1.
        """
        if n < 1 or kind not in self._kinds:
            raise ValueError(f"no fault {kind!r} every {n}; kinds: {', '.join(sorted(self._kinds))}")
        with self._lock:
            self._rules.append(Rule(n, kind, path, times))

    def limit_per_minute(self, n: int) -> None:
        """More than ``n`` requests of one token within any 60 seconds are refused with 429."""
        self.limit(n, 60.0)

    def limit_per_second(self, n: int) -> None:
        """More than ``n`` requests of one token within any second are refused with 429."""
        self.limit(n, 1.0)

    def limit(self, n: int, seconds: float) -> None:
        """More than ``n`` requests of one token within any ``seconds`` are refused with 429."""
        with self._lock:
            self._limit = (n, seconds)
            self._passed.clear()

    def stop(self) -> None:
        """Nothing goes wrong any more; what was counted stays."""
        with self._lock:
            self._rules = []

    def next_fault(self, path: str, token: str) -> str | None:
        """Count a request; return how it fails: a kind, ``throttled``, or None."""
        with self._lock:
            self.requests[path] += 1
            if self._throttles(token):
                self.throttled += 1
                return "throttled"
            hit: str | None = None
            for rule in self._rules:
                if not path.startswith(rule.path):
                    continue
                rule.seen += 1
                if hit is None and rule.seen % rule.n == 0 and rule.times != 0:
                    rule.times = None if rule.times is None else rule.times - 1
                    hit = rule.kind
            return hit

    def _throttles(self, token: str) -> bool:
        if self._limit is None:
            return False
        count, seconds = self._limit
        now = time.monotonic()
        passed = self._passed.setdefault(token, deque())
        while passed and passed[0] <= now - seconds:
            passed.popleft()
        if len(passed) >= count:
            return True
        passed.append(now)
        return False

    def answer(self, kind: str) -> Response | None:
        """The answer that takes the place of the true one; None for kinds that aren't an answer."""
        if kind in ("429", "throttled"):
            return PlainTextResponse(RETRY_LATER, 429)
        if kind == "429_retry_after":
            then = datetime.now(UTC) + timedelta(seconds=self.retry_after)
            value = format_datetime(then, usegmt=True) if self.retry_after_as_date else str(self.retry_after)
            return PlainTextResponse(RETRY_LATER, 429, {"retry-after": value})
        if kind == "502":
            return HTMLResponse("<html>502 Bad Gateway</html>", 502)
        if kind == "500":
            return HTMLResponse("<!DOCTYPE html><title>Something went wrong</title>", 500)
        if kind == "404":
            return HTMLResponse("<!DOCTYPE html><title>The page you were looking for doesn't exist</title>", 404)
        if kind == "400":
            return PlainTextResponse('{"success":false,"message":"Bad request"}', 400, media_type="application/json")
        if kind == "bad_json":
            return PlainTextResponse('{"success":true,"sales":[{"id":', 200, media_type="application/json")
        if kind == "truncated_gzip":
            packed = gzip.compress(b'{"success":true,"sales":[]}')
            return Response(packed[: len(packed) // 2], 200, {"content-encoding": "gzip"}, "application/json")
        if kind == "garbage":
            return HTMLResponse("<!DOCTYPE html><title>Just a moment...</title>", 200)
        return None


class FaultMiddleware:
    """Stands before the platforms' routes; the sandbox's own routes (``/_sandbox``, ``/``) never fail."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts, breaks or passes on."""
        path = str(scope.get("path", "/"))
        if scope["type"] != "http" or path == "/" or path.startswith("/_sandbox"):
            return await self.app(scope, receive, send)
        headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
        token = next((value for key, value in headers if key == b"authorization"), b"").decode("latin-1")
        kind = self.faults.next_fault(path, token)
        if kind is None:
            return await self.app(scope, receive, send)
        if kind == "reset":
            return await _reset(scope, receive)
        if kind == "truncated":
            return await self._truncate(scope, receive, send)
        if kind == "slow":
            await asyncio.sleep(self.faults.delay)
        answer = self.faults.answer(kind)
        if answer is not None:
            return await answer(scope, receive, send)
        scope["sandbox_fault"] = kind
        return await self.app(scope, receive, send)

    async def _truncate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The true answer with its whole length promised and half of it sent; the server then hangs up."""
        body = bytearray()
        start: Message = {}

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self.app(scope, receive, collect)
        headers = [(key, value) for key, value in start["headers"] if key != b"content-length"]
        headers.append((b"content-length", str(len(body) + 1).encode()))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(body[: len(body) // 2]), "more_body": True})


async def _reset(scope: Scope, receive: Receive) -> None:
    transport = scope["state"]["transport"]
    # Lingering for no time makes the kernel send RST instead of FIN.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
