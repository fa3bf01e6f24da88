"""Bazaar's webhooks: a secret in a header, and the id of an order."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

import orjson

from creator_pipeline.platforms.webhooks import Account, Delivery, RefusedDelivery, Webhooks
from creator_pipeline.settings import Settings
from creator_pipeline_tests.platforms.bazaar import PLATFORM

SECRET = "BAZAAR_WEBHOOK_SECRET"


def read(config: Settings, _path: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Delivery:
    """What a delivery asks to read again."""
    secret = config.variable(SECRET)
    if not secret or not hmac.compare_digest(headers.get("x-bazaar-secret", ""), secret):
        raise RefusedDelivery(401, SECRET)
    told = orjson.loads(body)
    delivery_id = hashlib.sha256(body).hexdigest()[:40]
    return Delivery(
        PLATFORM.in_ledger, delivery_id, told["event"], {"ids": [told["order_id"]]}, account_id=told["shop"]
    )


def owners(_delivery: Delivery, accounts: Sequence[Account], _config: Settings) -> Sequence[Account]:
    """Any connected shop may be meant; each asks for its own orders."""
    return accounts


WEBHOOKS = Webhooks(
    path="/webhooks/bazaar",
    content_type="application/json",
    needs=SECRET,
    description="A delivery of Bazaar. It only names an order that is read again.",
    read=read,
    owners=owners,
)
