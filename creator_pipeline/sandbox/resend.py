"""A stand-in of Resend: sends nothing, stores every mail, and is as strict about idempotency keys as the service."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.sandbox.resend_pages import inbox_page, mail_page
from creator_pipeline.sandbox.resend_rules import ERRORS, ApiError, fault_of
from creator_pipeline.sandbox.resend_webhooks import EventSender

KEY = "re_sandbox_key"
"""A key that is taken; any other that begins with ``re_`` is as good."""
MAX_BATCH = 100


@dataclass(slots=True)
class SentMail:
    """A mail that was taken; ``last_event`` is what its webhooks told last."""

    id: str
    idempotency_key: str | None
    payload: dict[str, Any]
    created_at: datetime
    last_event: str = "sent"


@dataclass(slots=True)
class _Seen:
    """A request that came with an idempotency key; ``body`` is None while it is at work."""

    payload: bytes
    body: bytes | None = None


@dataclass(slots=True)
class _State:
    mails: list[SentMail] = field(default_factory=list[SentMail])
    seen: dict[tuple[str, str], _Seen] = field(default_factory=dict[tuple[str, str], _Seen])
    passed: deque[float] = field(default_factory=deque[float])


class ResendApi:
    """``/emails``, ``/domains``, ``/webhooks`` and the inbox.

    Attributes:
        per_second: requests of all keys together within any second; None has no limit (the service: 5).
        latency: seconds a send is at work, during which its key is refused as concurrent.
        events: sends the webhooks.
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.per_second: int | None = None
        self.latency = 0.0
        self.events = EventSender()
        self._lock = threading.Lock()
        self._state = _State()

    @property
    def inbox(self) -> list[SentMail]:
        """Everything that was taken, oldest first."""
        with self._lock:
            return list(self._state.mails)

    def clear(self) -> None:
        """Forget mails and keys."""
        with self._lock:
            self._state = _State()

    def routes(self) -> list[Route]:
        """The API, and the pages for people."""
        return [
            Route("/emails", self.send, methods=["POST"]),
            Route("/emails/batch", self.send_batch, methods=["POST"]),
            Route("/emails/{id}", self.retrieve),
            Route("/domains", self.domains),
            Route("/webhooks", self.add_webhook, methods=["POST"]),
            Route("/inbox", self.show_inbox),
            Route("/inbox/{id}", self.show_mail),
            Route("/_sandbox/inbox", self.inbox_json),
        ]

    async def send(self, request: Request) -> Response:
        """One mail."""
        return await self._post(request, batch=False)

    async def send_batch(self, request: Request) -> Response:
        """Up to 100 mails, all of them or none; with ``x-batch-validation: permissive`` the good ones."""
        return await self._post(request, batch=True)

    async def retrieve(self, request: Request) -> Response:
        """One mail that was taken."""
        if refused := self._refused(request):
            return refused
        mail = self._find(request.path_params["id"])
        if mail is None:
            return _error(ApiError(404, "not_found", "Email not found"))
        stamp = mail.created_at.isoformat()
        said = {"html": None, "text": None, "scheduled_at": None} | mail.payload
        return _json({"object": "email", "id": mail.id, "created_at": stamp, "last_event": mail.last_event} | said)

    async def domains(self, request: Request) -> Response:
        """One verified domain."""
        if refused := self._refused(request):
            return refused
        domain = {"id": str(uuid4()), "name": "example.com", "status": "verified", "region": "us-east-1"}
        return _json({"object": "list", "has_more": False, "data": [domain]})

    async def add_webhook(self, request: Request) -> Response:
        """Register an endpoint; its events follow every mail."""
        if refused := self._refused(request):
            return refused
        wish = cast("dict[str, Any]", orjson.loads(await request.body()))
        hook = self.events.add(str(wish["endpoint"]))
        return _json({"object": "webhook", "id": hook.id, "signing_secret": hook.secret})

    async def show_inbox(self, _request: Request) -> Response:
        """What was "sent", for people."""
        return inbox_page(self.inbox)

    async def show_mail(self, request: Request) -> Response:
        """One mail as its reader sees it."""
        mail = self._find(request.path_params["id"])
        return _error(ApiError(404, "not_found", "Email not found")) if mail is None else mail_page(mail)

    async def inbox_json(self, _request: Request) -> Response:
        """What was "sent", for other processes."""
        rows = [
            {"id": mail.id, "idempotency_key": mail.idempotency_key, "last_event": mail.last_event, **mail.payload}
            for mail in self.inbox
        ]
        return _json(rows)

    def _find(self, mail_id: str) -> SentMail | None:
        return next((mail for mail in self.inbox if mail.id == mail_id), None)

    def _refused(self, request: Request) -> Response | None:
        kind = str(request.scope.get("sandbox_fault", ""))
        if kind in ERRORS:
            asked = {"retry-after": str(self.faults.retry_after)} if kind == "rate_limit_exceeded" else {}
            return _error(ERRORS[kind], asked)
        token = request.headers.get("authorization", "")
        if not token.startswith("Bearer "):
            return _error(ERRORS["missing_api_key"])
        if not token.startswith("Bearer re_"):
            return _error(ERRORS["invalid_api_key"])
        if self._too_fast():
            return _error(ERRORS["rate_limit_exceeded"], {"retry-after": "1", "ratelimit-remaining": "0"})
        return None

    def _too_fast(self) -> bool:
        if self.per_second is None:
            return False
        with self._lock:
            now, passed = time.monotonic(), self._state.passed
            while passed and passed[0] <= now - 1.0:
                passed.popleft()
            if len(passed) >= self.per_second:
                return True
            passed.append(now)
            return False

    async def _post(self, request: Request, *, batch: bool) -> Response:
        # The body first: the time-out of a client that hangs up in between must not look like an answer.
        body = await request.body()
        if refused := self._refused(request):
            return refused
        key = request.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= 256:
            return _error(ERRORS["invalid_idempotency_key"])
        slot = (request.headers["authorization"], key or str(uuid4()))
        if isinstance(earlier := self._begin(slot, body), Response):
            return earlier
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            answer = self._accept(body, key, batch=batch, lenient=_lenient(request))
        except BaseException:
            self._end(slot, None)
            raise
        self._end(slot, bytes(answer.body) if answer.status_code == 200 else None)
        return answer

    def _begin(self, slot: tuple[str, str], body: bytes) -> Response | None:
        with self._lock:
            seen = self._state.seen.get(slot)
            if seen is None:
                self._state.seen[slot] = _Seen(body)
                return None
        if seen.payload != body:
            return _error(ERRORS["invalid_idempotent_request"])
        if seen.body is None:
            return _error(ERRORS["concurrent_idempotent_requests"])
        return Response(seen.body, media_type="application/json")

    def _end(self, slot: tuple[str, str], answer: bytes | None) -> None:
        with self._lock:
            # A refused request may be corrected and sent again under its key.
            if answer is None:
                self._state.seen.pop(slot, None)
            else:
                self._state.seen[slot].body = answer

    def _accept(self, body: bytes, key: str | None, *, batch: bool, lenient: bool) -> Response:
        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _error(ApiError(400, "validation_error", "The body is not JSON."))
        payloads = cast("list[dict[str, Any]]", said if batch else [said])
        if len(payloads) > MAX_BATCH:
            return _error(ApiError(422, "validation_error", "A batch has at most 100 emails."))
        faults = [fault_of(payload) for payload in payloads]
        first = next(filter(None, faults), None)
        if first is not None and not lenient:
            return _error(first)
        taken = [self._store(payload, key) for payload, fault in zip(payloads, faults, strict=True) if fault is None]
        ids = [{"id": mail.id} for mail in taken]
        if not batch:
            return _json(ids[0])
        errors = [{"index": at, "message": fault.message} for at, fault in enumerate(faults) if fault is not None]
        return _json({"data": ids} | ({"errors": errors} if lenient else {}))

    def _store(self, payload: dict[str, Any], key: str | None) -> SentMail:
        mail = SentMail(str(uuid4()), key, payload, datetime.now(UTC))
        with self._lock:
            self._state.mails.append(mail)
        self.events.follow(mail)
        return mail


def _lenient(request: Request) -> bool:
    return request.headers.get("x-batch-validation") == "permissive"


def _json(value: object) -> Response:
    headers = {"ratelimit-limit": "5", "ratelimit-remaining": "4", "ratelimit-reset": "1"}
    return Response(orjson.dumps(value), headers=headers, media_type="application/json")


def _error(error: ApiError, headers: dict[str, str] | None = None) -> Response:
    body = {"statusCode": error.status, "name": error.name, "message": error.message}
    return Response(orjson.dumps(body), error.status, headers, "application/json")
