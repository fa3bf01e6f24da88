"""The sender of Gumroad's webhooks: bodies as the service encodes them, and its rule of retries."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote

import httpx

from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart, GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.shapes import Sale, to_cents, utc_text

FIRST_DELAY = 5.0
RETRY_DELAYS = (60.0, 180.0, 600.0)
RETRIED_STATUSES = frozenset({499, 500, 502, 503, 504})
TIMEOUT_SECONDS = 5.0


def sale_payload(
    seller: GumroadSeller, sale: Sale, resource_name: str | None, *, test: bool = False
) -> dict[str, object]:
    """The body of a sale, refund, dispute or dispute_won; ``resource_name`` is None for the settings page's button.

    ``price`` and ``gumroad_fee`` are US cents although ``currency`` names the product's. Every custom field stands at
    the top level too, where it overwrites a field of the same name.

    Args:
        seller: whose sale.
        sale: what the body tells.
        resource_name: name of the event.
        test: adds ``test`` to the body.
    """
    product, buyer = sale.product, sale.buyer
    card = {"visual": "**** **** **** 4242", "type": "visa"} if sale.price else {"visual": None, "type": None}
    body: dict[str, object] = {
        "seller_id": seller.seller_id,
        "product_id": product.id,
        "product_name": product.name,
        "permalink": product.permalink,
        "product_permalink": f"https://{seller.profile}.gumroad.com/l/{product.permalink}",
        "short_product_id": product.permalink,
        "email": buyer.email,
        "price": sale.price,
        "gumroad_fee": sale.fee,
        "currency": product.currency,
        "quantity": sale.quantity,
        "discover_fee_charged": sale.discover,
        "can_contact": True,
        "referrer": sale.referrer,
        "card": {**card, "bin": None, "expiry_month": None, "expiry_year": None},
        "order_number": sale.order_id,
        "sale_id": sale.id,
        "sale_timestamp": utc_text(sale.created),
    }
    middle: dict[str, object | None] = {
        "full_name": buyer.full_name,
        "purchaser_id": buyer.purchaser_id,
        "subscription_id": sale.subscription_id,
        "affiliate_credit_amount_cents": sale.affiliate_cents or None,
        "url_params": sale.url_params or None,
        "variants": sale.variants or None,
        "offer_code": sale.offer_code,
        "test": True if test else None,
    }
    body |= {key: value for key, value in middle.items() if value is not None}
    if sale.custom_fields:
        body |= {**sale.custom_fields, "custom_fields": sale.custom_fields}
    gift = sale.gift == "receiver"
    later: dict[str, object | None] = {
        "license_key": sale.license_key,
        "is_recurring_charge": True if sale.recurring_charge else None,
        "ip_country": buyer.country,
        "recurrence": product.subscription_duration if sale.subscription_id else None,
        "affiliate": sale.affiliate,
        "is_gift_receiver_purchase": gift,
        "gift_price": to_cents(product.price, product.currency) if gift else None,
        "gifter_email": sale.gift_partner if gift else None,
        "refunded": sale.refunded,
        "resource_name": resource_name,
        "disputed": sale.disputed,
        "dispute_won": sale.dispute_won,
    }
    return body | {key: value for key, value in later.items() if value is not None}


def _text(value: object) -> str:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _pairs(payload: Mapping[str, object], parent: str = "") -> Iterator[str]:
    for key, value in payload.items():
        # The sender escapes brackets inside a key before it encodes the form.
        name = key.replace("[", "%5B").replace("]", "%5D")
        path = f"{parent}[{name}]" if parent else name
        if isinstance(value, Mapping):
            yield from _pairs(cast("Mapping[str, object]", value), path)
        elif isinstance(value, list | tuple):
            yield from (
                f"{quote(path + '[]', safe='')}={quote(_text(item), safe='')}" for item in cast("list[object]", value)
            )
        else:
            yield f"{quote(path, safe='')}={quote(_text(value), safe='')}"


def encode(payload: Mapping[str, object]) -> bytes:
    """``application/x-www-form-urlencoded`` with ``%20`` for a space and encoded brackets."""
    return "&".join(_pairs(payload)).encode()


@dataclass(order=True)
class Delivery:
    """One body on its way to one URL; ``due`` is on the monotonic clock."""

    due: float
    number: int
    url: str = field(compare=False)
    payload: dict[str, object] = field(compare=False)
    attempt: int = field(compare=False, default=0)


class PingSender:
    """Sends in the background what happens in ``part``; ``factor`` scales every delay (0 is at once).

    Attributes:
        log: ``(url, status or the name of the error)`` of every attempt, oldest first.
    """

    def __init__(self, part: GumroadPart, factor: float = 1.0) -> None:
        self.part, self.factor = part, factor
        self.log: list[tuple[str, int | str]] = []
        self._queue: list[Delivery] = []
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._busy = self._closed = False
        self._thread = threading.Thread(target=self._run, name="sandbox-pings", daemon=True)
        part.on_event = self.event
        self._thread.start()

    def event(self, seller: GumroadSeller, name: str, sale: Sale) -> None:
        """Queues one event for the webhooks of its name, and a sale for the account's ping URL."""
        if name == "refund" and sale.gift == "sender":
            return
        live = any(not grant.revoked and "view_sales" in grant.scopes for grant in seller.grants)
        urls = [h["post_url"] for h in seller.subscriptions if live and h["resource_name"] == name]
        if name == "sale" and seller.ping_url:
            urls.insert(0, seller.ping_url)
        for url in urls:
            self._push(url, sale_payload(seller, sale, name), FIRST_DELAY)

    def press_test_button(self, profile: str) -> None:
        """The settings page's button: the latest sale to the ping URL, ``test=true``, no ``resource_name``."""
        seller = self.part[profile]
        if seller.ping_url:
            self._push(seller.ping_url, sale_payload(seller, seller.rows[-1], None, test=True), 0.0)

    def _push(self, url: str, payload: dict[str, object], delay: float, attempt: int = 0) -> None:
        with self._wake:
            due = time.monotonic() + delay * self.factor
            heapq.heappush(self._queue, Delivery(due, next(self._numbers), url, payload, attempt))
            self._wake.notify_all()

    def _run(self) -> None:
        with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True) as client:
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
        retry = {"retry_count": delivery.attempt} if delivery.attempt else {}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        try:
            status = client.post(delivery.url, content=encode(delivery.payload | retry), headers=headers).status_code
        except httpx.HTTPError as error:
            self.log.append((delivery.url, type(error).__name__))
            return
        self.log.append((delivery.url, status))
        if status in RETRIED_STATUSES and delivery.attempt < len(RETRY_DELAYS):
            self._push(delivery.url, delivery.payload, RETRY_DELAYS[delivery.attempt], attempt=delivery.attempt + 1)

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
