"""Gumroad's objects as the sandbox knows them: the truth (exact US cents, flags) from which the JSON is derived."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "krw": "₩", "vnd": "₫"}
# Listed minor units per US cent, in millionths: frozen at the purchase on the real service, constant here.
RATES = {"usd": 1_000_000, "eur": 920_000, "gbp": 787_400, "jpy": 1_493_700, "krw": 1_400_000_000, "vnd": 255_000_000}
PERIODS = {"monthly": " a month", "yearly": " a year"}


def opaque_id(*parts: object) -> str:
    """A 24-character identifier that ends in ``==``, the same for the same parts."""
    text = "/".join(str(part) for part in parts)
    return base64.urlsafe_b64encode(hashlib.blake2b(text.encode(), digest_size=16).digest()).decode()


def to_listed(cents: int, currency: str) -> int:
    """US cents as minor units of the listed currency (JPY: whole yen), rounded half up."""
    return (cents * RATES[currency] + 500_000) // 1_000_000


def to_cents(listed: int, currency: str) -> int:
    """Minor units of the listed currency as US cents, rounded half up."""
    return (listed * 1_000_000 + RATES[currency] // 2) // RATES[currency]


def major_text(listed: int, currency: str) -> str:
    """Major units with thousands commas, ``.00`` dropped: ``1,250``, ``8``, ``7.50``."""
    if currency in ("jpy", "vnd"):
        return f"{listed:,}"
    whole, rest = divmod(listed, 100)
    return f"{whole:,}.{rest:02d}" if rest else f"{whole:,}"


def money_text(listed: int, currency: str) -> str:
    """As shown to people, with the symbol; less than a US dollar is written ``99¢``."""
    if currency == "usd" and 0 < listed < 100:
        return f"{listed}¢"
    return SYMBOLS[currency] + major_text(listed, currency)


def fee_for(price: int, *, discover: bool = False) -> int:
    """The fee in US cents: 12.9 % and 80 cents, or 30 % when Discover brought the buyer; nothing on a free sale."""
    if price == 0:
        return 0
    return (price * 30 + 50) // 100 if discover else (price * 129 + 500) // 1000 + 80


def utc_text(epoch: int) -> str:
    """``2026-09-19T18:42:07Z``."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago_text(seconds: int) -> str:
    """Rails' distance of time in words, which changes from one read to the next."""
    minutes = max(0, seconds) // 60
    if minutes < 45:
        return "less than a minute ago" if minutes == 0 else f"{minutes} minute{'s'[: minutes > 1]} ago"
    if minutes < 1440:
        hours = max(1, round(minutes / 60))
        return f"about {hours} hour{'s'[: hours > 1]} ago"
    days = minutes // 1440
    if days < 30:
        return f"{days} day{'s'[: days > 1]} ago"
    months = days // 30
    return f"about {months} month{'s'[: months > 1]} ago"


@dataclass(slots=True)
class Product:
    """A product; ``price`` is in minor units of ``currency``."""

    id: str
    permalink: str
    name: str
    price: int
    currency: str = "usd"
    created: int = 0
    seq: int = 0
    published: bool = True
    physical: bool = False
    subscription_duration: str | None = None
    variants: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    custom_fields: tuple[str, ...] = ()
    bundle: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str | None = None
    sales_count: int = 0
    sales_usd_cents: int = 0

    @property
    def number(self) -> int:
        """The number in this product's page key."""
        return 400_000_000 + self.seq


@dataclass(slots=True)
class Buyer:
    """An invented person; ``email`` is of example.com."""

    email: str
    full_name: str | None = None
    country: str = "United States"
    country_iso2: str = "US"
    state: str | None = None
    zip_code: str | None = None
    purchaser_id: str | None = None


@dataclass(slots=True)
class Sale:
    """One row of the seller's purchases. Money is US cents, whatever the product's currency.

    ``order_id`` is the number in page keys; ``(created, seq)`` is the order of the list. ``charged`` is false for the
    sign-up of a free trial. ``gift`` is ``sender`` or ``receiver``, ``bundle`` is ``whole`` or ``part``.

    ``processor`` is ``paypal`` or ``stripe`` where the seller's own account was paid and the service only took its
    fee. ``processor_fee_cents`` is what the processor charged (None: the service doesn't know).
    ``gumroad_tax_cents`` is tax that the service collected on top of the price and keeps. ``succeeded`` is when a slow
    payment arrived, if not at once. ``commission`` is ``completion`` for the second half of a commission's price, which
    the totals leave out. ``preorder_authorized`` is when a pre-order was made that is charged now (seconds since 1970).
    """

    id: str
    order_id: int
    created: int
    seq: int
    product: Product
    price: int
    fee: int
    buyer: Buyer
    quantity: int = 1
    refunded_cents: int = 0
    disputed: bool = False
    dispute_won: bool = False
    charged: bool = True
    discover: bool = False
    dead_processor: bool = False
    gift: str | None = None
    gift_partner: str | None = None
    bundle: str | None = None
    commission: str | None = None
    preorder_authorized: int | None = None
    subscription_id: str | None = None
    recurring_charge: bool = False
    trial_ends: str | None = None
    cancelled: bool = False
    tip_cents: int = 0
    tax_cents: int = 0
    shipping_cents: int = 0
    variants: dict[str, str] = field(default_factory=dict[str, str])
    custom_fields: dict[str, str | bool] = field(default_factory=dict[str, "str | bool"])
    offer_code: str | None = None
    offer_text: str = "10%"
    affiliate: str | None = None
    affiliate_cents: int = 0
    affiliate_basis_points: int = 0
    seller_bears_share_fee: bool = False
    processor: str = ""
    processor_fee_cents: int | None = None
    gumroad_tax_cents: int = 0
    succeeded: int | None = None
    license_key: str | None = None
    referrer: str | None = "direct"
    url_params: dict[str, str] = field(default_factory=dict[str, str])
    extra: dict[str, object] = field(default_factory=dict[str, object])
    head: bytes | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Place in the list, oldest first."""
        return self.created, self.seq

    @property
    def counts(self) -> bool:
        """Whether it is money of the seller's: charged, not free, not a gift's receiver, not part of a bundle."""
        return self.charged and self.price > 0 and self.gift != "receiver" and self.bundle != "part"

    @property
    def chargedback(self) -> bool:
        """Disputed and not won back."""
        return self.disputed and not self.dispute_won

    @property
    def refunded(self) -> bool:
        """Refunded in full."""
        return self.price > 0 and self.refunded_cents >= self.price

    @property
    def partially_refunded(self) -> bool:
        """Refunded, not in full."""
        return 0 < self.refunded_cents < self.price
