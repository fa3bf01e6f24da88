"""The sender of Whop's webhooks: Standard Webhooks signatures over the exact bytes, and Whop's rule of retries."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from standardwebhooks import Webhook

from creator_pipeline.platforms.whop.sandbox.api import VERSION
from creator_pipeline.platforms.whop.sandbox.data import WhopAccount, WhopPart
from creator_pipeline.platforms.whop.sandbox.object_json import Json, ident, stamp
from creator_pipeline.sandbox.webhooks import Delivery, Sender


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


@dataclass(frozen=True, kw_only=True)
class WhopDelivery(Delivery):
    """One body for one webhook; every attempt is signed anew."""

    secret: str
    body: bytes

    def request(self) -> tuple[bytes, dict[str, str]]:
        """The same bytes, signed now."""
        return self.body, signed_headers(self.secret, self.id, self.body, datetime.now(UTC))


class WebhookSender(Sender):
    """Sends in the background what happens in ``part``.

    Attributes:
        deliveries: every delivery by its id, the dropped ones too, for :meth:`replay`.
    """

    retry_delays = (10.0, 20.0, 40.0)

    def __init__(self, part: WhopPart, factor: float = 1.0) -> None:
        super().__init__("sandbox-whop-webhooks", factor)
        self.part = part
        self.deliveries: dict[str, WhopDelivery] = {}
        self._events = itertools.count()
        part.on_event = self.event

    def is_retried(self, outcome: int | str) -> bool:
        """Everything but a status of 2xx."""
        return not (isinstance(outcome, int) and 200 <= outcome < 300)

    def event(self, account: WhopAccount, name: str, data: Json) -> None:
        """Queues one event for the account's webhooks (URL to secret, in ``account.hooks``)."""
        for url, secret in account.hooks.items():
            delivery_id = ident("msg_", account.id, url, next(self._events))
            envelope = {
                "id": delivery_id,
                "type": name,
                "timestamp": stamp(datetime.now(UTC)),
                "api_version": "v1",
                "api_version_date": VERSION,
                "account_id": account.id,
                "data": data,
            }
            delivery = WhopDelivery(id=delivery_id, url=url, secret=secret, body=orjson.dumps(envelope))
            self.deliveries[delivery_id] = delivery
            self._push(delivery, 0.0)

    def replay(self, delivery_id: str) -> None:
        """Sends a delivery again under the same ``webhook-id``, signed anew."""
        self._push(self.deliveries[delivery_id], 0.0)

    def close(self) -> None:
        """Drops what is queued and ends the thread."""
        super().close()
        self.part.on_event = None
