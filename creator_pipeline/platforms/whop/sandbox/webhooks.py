"""The sender of Whop's webhooks: Standard Webhooks signatures over the exact bytes, and Whop's rule of retries."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import orjson
from standardwebhooks import Webhook

from creator_pipeline.platforms.whop.sandbox.api import VERSION
from creator_pipeline.platforms.whop.sandbox.data import WhopAccount, WhopPart
from creator_pipeline.platforms.whop.sandbox.object_json import Json, ident, stamp

RETRY_DELAYS = (10.0, 20.0, 40.0)
TIMEOUT_SECONDS = 5.0


def signed_headers(secret: str, delivery_id: str, body: bytes, moment: datetime) -> dict[str, str]:
    """The headers of a delivery; the key is the literal bytes of the whole secret.

    Args:
        secret: of the webhook.
        delivery_id: ``msg_…``.
        body: the exact bytes that are sent, UTF-8.
        moment: time of sending, with its zone; the header has whole seconds since 1970.
    """
    signature = Webhook(secret.encode()).sign(delivery_id, moment, body.decode())
    return {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }


@dataclass(order=True)
class Delivery:
    """One body on its way to one URL; ``due`` is on the monotonic clock."""

    due: float
    number: int
    url: str = field(compare=False)
    secret: str = field(compare=False)
    id: str = field(compare=False)
    body: bytes = field(compare=False)
    attempt: int = field(compare=False, default=0)


class WebhookSender:
    """Sends in the background what happens in ``part``; ``factor`` scales every delay (0 is at once).

    Attributes:
        log: ``(delivery id, status or the name of the error)`` of every attempt, oldest first.
        deliveries: every delivery by its id, the dropped ones too, for :meth:`replay`.
    """

    def __init__(self, part: WhopPart, factor: float = 1.0) -> None:
        self.part, self.factor = part, factor
        self.log: list[tuple[str, int | str]] = []
        self.deliveries: dict[str, Delivery] = {}
        self._queue: list[Delivery] = []
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._busy = self._closed = False
        self._thread = threading.Thread(target=self._run, name="sandbox-whop-webhooks", daemon=True)
        part.on_event = self.event
        self._thread.start()

    def event(self, account: WhopAccount, name: str, data: Json) -> None:
        """Queues one event for the account's webhooks (URL to secret, in ``account.hooks``)."""
        for url, secret in account.hooks.items():
            number = next(self._numbers)
            delivery_id = ident("msg_", account.id, url, number)
            envelope = {
                "id": delivery_id,
                "type": name,
                "timestamp": stamp(datetime.now(UTC)),
                "api_version": "v1",
                "api_version_date": VERSION,
                "account_id": account.id,
                "data": data,
            }
            body = orjson.dumps(envelope)
            self._push(Delivery(0.0, number, url, secret, delivery_id, body), 0.0)

    def replay(self, delivery_id: str) -> None:
        """Sends a delivery again under the same ``webhook-id``, signed anew."""
        old = self.deliveries[delivery_id]
        self._push(Delivery(0.0, next(self._numbers), old.url, old.secret, old.id, old.body), 0.0)

    def _push(self, delivery: Delivery, delay: float) -> None:
        with self._wake:
            self.deliveries[delivery.id] = delivery
            delivery.due = time.monotonic() + delay * self.factor
            heapq.heappush(self._queue, delivery)
            self._wake.notify_all()

    def _run(self) -> None:
        with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
            while (delivery := self._next_due()) is not None:
                self._send(client, delivery)
                with self._wake:
                    self._busy = False
                    self._wake.notify_all()

    def _next_due(self) -> Delivery | None:
        with self._wake:
            while not self._closed:
                wait = self._queue[0].due - time.monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    self._busy = True
                    return heapq.heappop(self._queue)
                self._wake.wait(wait)
        return None

    def _send(self, client: httpx.Client, delivery: Delivery) -> None:
        headers = signed_headers(delivery.secret, delivery.id, delivery.body, datetime.now(UTC))
        outcome: int | str
        try:
            outcome = client.post(delivery.url, content=delivery.body, headers=headers).status_code
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        self.log.append((delivery.id, outcome))
        good = isinstance(outcome, int) and 200 <= outcome < 300
        if not good and delivery.attempt < len(RETRY_DELAYS):
            delay = RETRY_DELAYS[delivery.attempt]
            delivery.attempt += 1
            self._push(delivery, delay)

    def wait_idle(self, seconds: float = 5.0) -> bool:
        """Waits until nothing is on its way; false when it still is after ``seconds``."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._queue and not self._busy, seconds)

    def close(self) -> None:
        """Drops what is queued and ends the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join()
        self.part.on_event = None
