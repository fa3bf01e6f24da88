"""The sender of Gumroad's webhooks: bodies as the service encodes them, and its rule of retries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart
from creator_pipeline.platforms.gumroad.sandbox.shapes import Sale, to_cents, utc_text
from creator_pipeline.sandbox.webhooks import Delivery, Sender

FIRST_DELAY = 5.0
RETRIED_STATUSES = frozenset({499, 500, 502, 503, 504})


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


@dataclass(frozen=True, kw_only=True)
class Ping(Delivery):
    """A body for one URL; a further attempt has ``retry_count`` in it."""

    payload: dict[str, object]

    def request(self) -> tuple[bytes, dict[str, str]]:
        """The encoded form."""
        retry = {"retry_count": self.attempt} if self.attempt else {}
        return encode(self.payload | retry), {"content-type": "application/x-www-form-urlencoded"}


class PingSender(Sender):
    """Sends in the background what happens in ``part``; its log names the URL of every attempt."""

    retry_delays = (60.0, 180.0, 600.0)
    follow_redirects = True

    def __init__(self, part: GumroadPart, factor: float = 1.0) -> None:
        super().__init__("sandbox-pings", factor)
        self.part = part
        part.on_event = self.event

    def is_retried(self, outcome: int | str) -> bool:
        """Some statuses only, and no error of the connection."""
        return outcome in RETRIED_STATUSES

    def event(self, seller: GumroadSeller, name: str, sale: Sale) -> None:
        """Queues one event for the webhooks of its name, and a sale for the account's ping URL."""
        if name == "refund" and sale.gift == "sender":
            return
        live = any(not grant.revoked and "view_sales" in grant.scopes for grant in seller.grants)
        urls = [h["post_url"] for h in seller.subscriptions if live and h["resource_name"] == name]
        if name == "sale" and seller.ping_url:
            urls.insert(0, seller.ping_url)
        for url in urls:
            self._push(Ping(id=url, url=url, payload=sale_payload(seller, sale, name)), FIRST_DELAY)

    def press_test_button(self, profile: str) -> None:
        """The settings page's button: the latest sale to the ping URL, ``test=true``, no ``resource_name``."""
        seller = self.part[profile]
        if url := seller.ping_url:
            self._push(Ping(id=url, url=url, payload=sale_payload(seller, seller.rows[-1], None, test=True)), 0.0)

    def close(self) -> None:
        """Drops what is queued and ends the thread."""
        super().close()
        self.part.on_event = None
