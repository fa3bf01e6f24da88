"""One Gumroad seller of the invented world: products, purchases in the order of the list, tokens, books."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from creator_pipeline.platforms.gumroad.sandbox.books import Books
from creator_pipeline.platforms.gumroad.sandbox.invent import Inventor
from creator_pipeline.platforms.gumroad.sandbox.shapes import Product, Sale
from creator_pipeline.platforms.gumroad.sandbox.tables import Overlay


@dataclass
class Grant:
    """One pair of tokens of one seller and what it may do."""

    token: str
    refresh_token: str | None
    scopes: set[str]
    revoked: bool = False


@dataclass
class GumroadSeller:
    """One seller: products, purchases in the order of the list, tokens, webhooks, money.

    ``rows`` are the listed sales, oldest first by ``keys`` (second, sequence); ``sales`` holds every purchase by id.
    ``tax_center`` says whether the account may read its earnings; ``readings`` counts the payouts that were read.
    ``preorders`` says how the totals count pre-orders, which was read in the service's source and never seen: on the
    day of their authorization, not at all, or on the day of the charge.
    """

    profile: str
    name: str
    timezone: str
    seller_id: str
    user_id: str
    inventor: Inventor
    clock: Callable[[], int]
    books: Books
    tax_center: bool = True
    readings: int = 0
    preorders: str = "authorized"
    grants: list[Grant] = field(default_factory=list[Grant])
    ping_url: str | None = None
    products: list[Product] = field(default_factory=list[Product])
    rows: list[Sale] = field(default_factory=list[Sale])
    keys: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    sales: dict[str, Sale] = field(default_factory=dict[str, Sale])
    numbers: dict[int, Sale] = field(default_factory=dict[int, Sale])
    overlay: Overlay = field(default_factory=Overlay)
    subscriptions: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    @property
    def token(self) -> str:
        """The newest access token."""
        return self.grants[-1].token

    @property
    def refresh_token(self) -> str | None:
        """The newest refresh token."""
        return self.grants[-1].refresh_token

    @property
    def scopes(self) -> set[str]:
        """What the newest token may do."""
        return self.grants[-1].scopes

    def grant(self, scopes: set[str]) -> Grant:
        """A new pair of tokens."""
        digits = hashlib.blake2b(f"{self.seller_id}{len(self.grants)}".encode(), digest_size=8).hexdigest()
        stem = f"{self.profile}_{digits}"
        self.grants.append(Grant(f"gr_sandbox_{stem}", f"gr_refresh_{stem}", scopes))
        return self.grants[-1]

    @property
    def email(self) -> str:
        """The creator's address."""
        return f"{self.profile}@example.com"

    @property
    def zone(self) -> ZoneInfo:
        """The seller's time zone, in which the platform's days are."""
        return ZoneInfo(self.timezone)

    def load(self, sales: Iterable[Sale]) -> None:
        """Load a history, in any order."""
        for sale in sales:
            self.sales[sale.id] = sale
            self.numbers[sale.order_id] = sale
            tally(sale, 1)
        self.rows = sorted((s for s in self.sales.values() if s.gift != "receiver"), key=lambda sale: sale.key)
        self.keys = [sale.key for sale in self.rows]

    def place(self, sale: Sale) -> None:
        """Puts one new sale where it belongs."""
        self.sales[sale.id] = sale
        self.numbers[sale.order_id] = sale
        tally(sale, 1)
        if sale.gift != "receiver":
            at = bisect_left(self.keys, sale.key)
            self.keys.insert(at, sale.key)
            self.rows.insert(at, sale)

    def between(self, start: int | None, end: int | None) -> tuple[int, int]:
        """The slice of ``rows`` with ``start <= created < end`` (seconds since 1970; None is open)."""
        low = 0 if start is None else bisect_left(self.keys, (start, 0))
        high = len(self.keys) if end is None else bisect_left(self.keys, (end, 0))
        return low, max(low, high)

    def behind(self, instant: int, number: int) -> int:
        """The end of the slice of rows behind a page key: not younger than its instant, below its number."""
        end = bisect_right(self.keys, instant, key=lambda key: key[0])
        sale = self.numbers.get(number)
        return end if sale is None else min(end, bisect_left(self.keys, sale.key))

    def product(self, name: str) -> Product | None:
        """By id or permalink, only what isn't deleted."""
        return next((p for p in self.products if name in (p.id, p.permalink)), None)


def tally(sale: Sale, sign: int) -> None:
    """Adds a sale to its product's totals, or takes it out before a change."""
    if sale.charged and sale.bundle != "part" and sale.gift != "receiver":
        sale.product.sales_count += sign
        sale.product.sales_usd_cents += sign * (sale.price - sale.refunded_cents)
