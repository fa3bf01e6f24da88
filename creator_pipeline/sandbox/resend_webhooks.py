"""Webhooks of the stand-in of Resend: what became of each mail, signed as Svix does."""

from __future__ import annotations

import base64
import queue
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import httpx
import orjson
from standardwebhooks import Webhook

from creator_pipeline.core.tls import tls_context

if TYPE_CHECKING:
    from creator_pipeline.sandbox.resend import SentMail

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Hook:
    """A registered endpoint."""

    id: str
    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class _Delivery:
    hook: Hook
    delivery_id: str
    body: bytes


class EventSender:
    """Sends each mail's events in the background, once; the service's retries are left to :meth:`send_again`.

    An address that begins with ``bounced`` or ``complained`` meets that fate, as at the service's own test addresses.

    Attributes:
        log: ``(event, status or the name of the error)`` of every delivery, oldest first.
    """

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        self.log: list[tuple[str, int | str]] = []
        self._queue: queue.Queue[_Delivery | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._last: _Delivery | None = None

    def add(self, url: str) -> Hook:
        """Register an endpoint; returns it with its secret."""
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        hook = Hook(str(uuid4()), url, secret)
        self.hooks.append(hook)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sandbox-resend", daemon=True)
            self._thread.start()
        return hook

    def follow(self, mail: SentMail) -> None:
        """Queue the events of a mail that was taken."""
        to = cast("list[str]", [mail.payload["to"]] if isinstance(mail.payload["to"], str) else mail.payload["to"])
        if to[0].startswith("bounced"):
            bounce = {"type": "Permanent", "subType": "NoEmail", "message": "The address does not exist."}
            self.tell(mail, "bounced", bounce=bounce)
            return
        self.tell(mail, "sent")
        self.tell(mail, "delivered")
        if to[0].startswith("complained"):
            self.tell(mail, "complained")

    def tell(self, mail: SentMail, event: str, **more: Any) -> None:
        """Queue one event, ``email.{event}``."""
        mail.last_event = event
        tags = {tag["name"]: tag["value"] for tag in mail.payload.get("tags") or []}
        said = {name: mail.payload[name] for name in ("from", "to", "subject")}
        stamp = datetime.now(UTC).isoformat()
        data = {"email_id": mail.id, "created_at": mail.created_at.isoformat(), "tags": tags, **said, **more}
        body = orjson.dumps({"type": f"email.{event}", "created_at": stamp, "data": data})
        for hook in self.hooks:
            self._queue.put(_Delivery(hook, f"msg_{uuid4().hex}", body))

    def send_again(self) -> None:
        """Deliver the last event once more, under the same id."""
        if self._last is not None:
            self._queue.put(self._last)

    def wait_idle(self) -> None:
        """Wait until everything queued was delivered, or refused."""
        self._queue.join()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        with httpx.Client(verify=tls_context(), timeout=TIMEOUT_SECONDS) as client:
            while (delivery := self._queue.get()) is not None:
                self._last = delivery
                self._send(client, delivery)
                self._queue.task_done()
        self._queue.task_done()

    def _send(self, client: httpx.Client, delivery: _Delivery) -> None:
        event = str(orjson.loads(delivery.body)["type"])
        try:
            answer = client.post(
                delivery.hook.url,
                content=delivery.body,
                headers=signed(delivery.hook, delivery.delivery_id, delivery.body),
            )
        except httpx.HTTPError as error:
            self.log.append((event, type(error).__name__))
        else:
            self.log.append((event, answer.status_code))


def signed(hook: Hook, delivery_id: str, body: bytes) -> dict[str, str]:
    """The headers of a delivery."""
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "svix-id": delivery_id,
        "svix-timestamp": str(int(now.timestamp())),
        "svix-signature": Webhook(hook.secret).sign(delivery_id, now, body.decode()),
    }
