"""Every request gets an id, limits, a bound on its body, refusals in one shape, and one line in the log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from itertools import count
from typing import Any
from uuid import uuid4

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.gateway.errors import GatewayError, respond, too_many, unavailable
from creator_pipeline.gateway.limits import Gate, Rule, network_of, rule_for, too_large
from creator_pipeline.gateway.metrics import Metrics

_log = logging.getLogger("creator_pipeline.gateway.requests")
_PROCESS = uuid4().hex[:16].encode()
_NUMBERS = count(1)
# An id that a caller sends is used; ours need no secret, and a system call for each would be felt.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CHUNK_SECONDS = 10.0
"""A sender that is silent for so long in the middle of a body is hung up on."""
THROWN_AWAY_BYTES = 64 * 1024
LINGER_SECONDS = 2.0
LINGER_BYTES = 2 * 1024 * 1024
"""Thrown away unread behind a refusal, for so long."""
SECURITY = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
            b"frame-ancestors 'none'; base-uri 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""The referrer of a page could carry a token of its address to where a link leads."""


class Middleware:
    """Outermost layer around the routes.

    Args:
        app: the routes.
        gate: counts requests.
        metrics: of this process.
    """

    def __init__(self, app: ASGIApp, gate: Gate, metrics: Metrics) -> None:
        self._app = app
        self._gate = gate
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _request_id(scope)
        scope["request_id"] = request_id.decode()
        client = scope.get("client")
        caller = network_of(client[0]) if client else "local"
        method = scope["method"]
        if method == "HEAD":
            # Its answer is that of GET; the server, which has the former scope, leaves the body out.
            scope = {**scope, "method": "GET", "head": True}
        scope["caller"] = caller
        status, crowded = 0, 0.0
        rule = rule_for(scope["path"])
        body = _Body(scope, receive, rule)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                if status >= 400 and body.much_unread and b"connection" not in present:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id),
                    *(header for header in SECURITY if header[0] not in present),
                ]
            await send(message)

        try:
            crowded = await self._gate.check(rule, caller)
            if crowded and not _shows_something(scope, rule):
                raise too_many(crowded)
            await self._app(scope, body, body.lingering(answer))
        except Exception as error:
            if status:
                raise
            refusal = _refusal(error)
            if crowded and refusal.status in {401, 403, 404}:
                refusal = too_many(crowded)
            await respond(Request(scope), refusal)(scope, receive, body.lingering(answer))
        finally:
            self._account(scope, method if method in _METHODS else "OTHER", status, time.perf_counter() - began)

    def _account(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.request(method, route, status, seconds)
        fields: dict[str, Any] = {
            "request_id": scope["request_id"],
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "caller": scope["caller"],
        }
        _log.info("request", extra=fields)


def _request_id(scope: Scope) -> bytes:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else b"%s-%d" % (_PROCESS, next(_NUMBERS))


def _shows_something(scope: Scope, rule: Rule) -> bool:
    """Whether this may be somebody whom strangers must not keep out: what is shown is checked in the route."""
    names = {name for name, _ in scope["headers"]}
    typed = scope["method"] == "POST" and rule.prefix == "/uploads/"
    return rule.signed or typed or b"authorization" in names


def _refusal(error: Exception) -> GatewayError:
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, ConfigError | TransientError):
        # A wrong setting too: what is sent again after the fix is not lost.
        _log.error("%s", error)
        return unavailable(error)
    _log.error("A request failed", exc_info=error)
    return GatewayError(500, "internal", "The gateway failed.", "Its log says why, under this request id.")


class _Body:
    """Hands the body on, as far as the rule allows."""

    def __init__(self, scope: Scope, receive: Receive, rule: Rule) -> None:
        self._receive = receive
        self._rule = rule
        self._left = rule.body_bytes
        self._deadline: float | None = None
        self._more = True
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        self._announced = int(announced) if announced.isdigit() else 0
        self._any = self._announced > 0 or b"transfer-encoding" in headers

    @property
    def unread(self) -> bool:
        """Whether more of it may be on its way."""
        return self._any and self._more

    @property
    def much_unread(self) -> bool:
        """Whether it is more than is thrown away for the sake of the connection."""
        return self.unread and (not self._announced or self._announced > THROWN_AWAY_BYTES)

    async def __call__(self) -> Message:
        if not self._more:
            return await self._receive()
        if self._announced > self._rule.body_bytes:
            raise too_large(self._rule.body_bytes)
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._rule.body_seconds
        try:
            async with asyncio.timeout_at(min(self._deadline, now + CHUNK_SECONDS)):
                message = await self._receive()
        except TimeoutError:
            raise GatewayError(
                408, "timeout", "The body took too long.", "Send it again.", headers={"Connection": "close"}
            ) from None
        self._left -= len(message.get("body", b""))
        self._more = message.get("more_body", False)
        if self._left < 0:
            raise too_large(self._rule.body_bytes)
        return message

    def lingering(self, send: Send) -> Send:
        """``send`` that, once a refusal is out, takes a little more of a body that is still coming.

        Hanging up at once would reset the connection, and the sender would see that and not the refusal.
        """

        status = 0

        async def sent(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not last or status < 400 or status == 408 or not self.unread:
                await send(message)
                return
            await send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._drain()
            await send({"type": "http.response.body", "body": b""})

        return sent

    async def _drain(self) -> None:
        taken = 0
        while self._more and taken < LINGER_BYTES:
            message = await self._receive()
            taken += len(message.get("body", b""))
            self._more = message["type"] == "http.request" and message.get("more_body", False)
