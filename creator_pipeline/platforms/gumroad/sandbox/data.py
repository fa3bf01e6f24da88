"""One Gumroad seller of the invented world, and the part of the world that is Gumroad: state, changes, truth."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from creator_pipeline.platforms.gumroad.sandbox.invent import Inventor
from creator_pipeline.platforms.gumroad.sandbox.shapes import Product, Sale

EVENTS = (
    "sale",
    "refund",
    "dispute",
    "dispute_won",
    "cancellation",
    "subscription_updated",
    "subscription_ended",
    "subscription_restarted",
)


class DayTotals(NamedTuple):
    """One UTC day of a seller in US cents; ``sales`` counts charged sales only, gross includes what went back."""

    sales: int = 0
    gross_cents: int = 0
    refunded_cents: int = 0
    fee_cents: int = 0
    charged_back_cents: int = 0


class SandboxError(ValueError):
    """A change was asked for that can't be made."""


@dataclass
class Grant:
    """One pair of tokens of one seller and what it may do."""

    token: str
    refresh_token: str | None
    scopes: set[str]
    revoked: bool = False


@dataclass
class GumroadSeller:
    """One seller: products, purchases in the order of the list, tokens, webhooks.

    ``rows`` are the listed sales, oldest first by ``keys`` (second, sequence); ``sales`` holds every purchase by id.
    """

    profile: str
    name: str
    timezone: str
    seller_id: str
    user_id: str
    inventor: Inventor
    clock: Callable[[], int]
    grants: list[Grant] = field(default_factory=list[Grant])
    ping_url: str | None = None
    products: list[Product] = field(default_factory=list[Product])
    rows: list[Sale] = field(default_factory=list[Sale])
    keys: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    sales: dict[str, Sale] = field(default_factory=dict[str, Sale])
    numbers: dict[int, Sale] = field(default_factory=dict[int, Sale])
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


class GumroadPart(dict[str, GumroadSeller]):
    """The sellers by profile, the changes that can happen to them, and the truth about their money.

    ``on_event`` is told ``(seller, event, sale)`` after each change made with ``pings=True``.
    """

    def __init__(self, sellers: Iterable[GumroadSeller]) -> None:
        super().__init__({seller.profile: seller for seller in sellers})
        self.lock = threading.RLock()
        self.on_event: Callable[[GumroadSeller, str, Sale], None] | None = None

    def bearer(self, token: str) -> tuple[GumroadSeller, Grant] | None:
        """Whose access token it is, live or revoked."""
        return next(((s, grant) for s in self.values() for grant in s.grants if grant.token == token), None)

    def _tell(self, profile: str, event: str, sale: Sale, *, pings: bool) -> Sale:
        if pings and self.on_event:
            self.on_event(self[profile], event, sale)
        return sale

    def add_sale(self, profile: str, *, pings: bool = False, **over: Any) -> Sale:
        """A new sale, by default of the first product, now, at its price.

        ``over`` may hold ``product`` (id or permalink), ``created_at`` (aware datetime), ``price`` (US cents),
        ``email`` and ``full_name`` of the buyer, and any other field of ``Sale``.

        Raises:
            SandboxError: the seller has no such product.
        """
        seller = self[profile]
        with self.lock:
            product = seller.product(str(over.pop("product", seller.products[0].permalink)))
            if product is None:
                raise SandboxError(f"{profile} sells no such product")
            created_at: datetime | None = over.pop("created_at", None)
            created = seller.clock() if created_at is None else int(created_at.timestamp())
            if created_at is None and seller.keys:
                created = max(created, seller.keys[-1][0])
            person = {key: over.pop(key) for key in ("email", "full_name") if key in over}
            seller.inventor.products[product.permalink] = product
            sale = seller.inventor.sale(product.permalink, created, over.pop("price", None), **over)
            for key, value in person.items():
                setattr(sale.buyer, key, value)
            seller.place(sale)
        return self._tell(profile, "sale", sale, pings=pings)

    def _change(self, profile: str, sale_id: str, **fields: object) -> Sale:
        seller = self[profile]
        sale = seller.sales.get(sale_id)
        if sale is None:
            raise SandboxError(f"{profile} has no sale {sale_id}")
        tally(sale, -1)
        for key, value in fields.items():
            setattr(sale, key, value)
        sale.head = None
        tally(sale, 1)
        return sale

    def refund(self, profile: str, sale_id: str, cents: int | None = None, *, pings: bool = False) -> Sale:
        """Sends back ``cents`` US cents more, by default the rest.

        Args:
            profile: of the seller.
            sale_id: of a charged sale.
            cents: at least 1, at most what is left.
            pings: tell ``on_event``.

        Raises:
            SandboxError: there is no such charged sale, or ``cents`` is out of range.
        """
        with self.lock:
            sale = self[profile].sales.get(sale_id)
            if sale is None or not sale.charged:
                raise SandboxError(f"{profile} has no charged sale {sale_id}")
            rest = sale.price - sale.refunded_cents
            amount = rest if cents is None else cents
            if not 0 < amount <= rest:
                raise SandboxError(f"{amount} of {rest} cents can't be refunded")
            self._change(profile, sale_id, refunded_cents=sale.refunded_cents + amount)
        return self._tell(profile, "refund", sale, pings=pings)

    def dispute(self, profile: str, sale_id: str, *, pings: bool = False) -> Sale:
        """The buyer's bank takes the money back."""
        with self.lock:
            sale = self._change(profile, sale_id, disputed=True, dispute_won=False)
        return self._tell(profile, "dispute", sale, pings=pings)

    def win_dispute(self, profile: str, sale_id: str, *, pings: bool = False) -> Sale:
        """The seller gets it again."""
        with self.lock:
            sale = self._change(profile, sale_id, disputed=True, dispute_won=True)
        return self._tell(profile, "dispute_won", sale, pings=pings)

    def revoke(self, profile: str) -> None:
        """The seller withdraws the app: the tokens die, and its webhooks with them."""
        with self.lock:
            for grant in self[profile].grants:
                grant.revoked = True
            self[profile].subscriptions.clear()

    def drop_scope(self, profile: str, scope: str) -> None:
        """The tokens no longer have ``scope``."""
        with self.lock:
            for grant in self[profile].grants:
                grant.scopes.discard(scope)

    def remove_product(self, profile: str, product_id: str) -> None:
        """Deletes a product; its sales stay."""
        with self.lock:
            seller = self[profile]
            seller.products = [product for product in seller.products if product.id != product_id]

    def edit_product(self, profile: str, product_id: str, **fields: object) -> Product:
        """Changes fields of a product; its old sales show a new name at once.

        Raises:
            SandboxError: the seller has no such product.
        """
        seller = self[profile]
        with self.lock:
            product = seller.product(product_id)
            if product is None:
                raise SandboxError(f"{profile} has no product {product_id}")
            for key, value in fields.items():
                setattr(product, key, value)
            for sale in seller.sales.values():
                if sale.product is product:
                    sale.head = None
        return product

    def totals(self, profile: str) -> dict[date, DayTotals]:
        """The truth by UTC day, from the sales themselves and not from their JSON; days without a sale are absent."""
        sums: dict[int, list[int]] = {}
        with self.lock:
            for sale in self[profile].rows:
                if not sale.counts:
                    continue
                day = sums.setdefault(sale.created // 86_400, [0] * 5)
                lost = sale.price - sale.refunded_cents if sale.chargedback else 0
                for at, cents in enumerate((1, sale.price, sale.refunded_cents, sale.fee, lost)):
                    day[at] += cents
        return {
            datetime.fromtimestamp(day * 86_400, UTC).date(): DayTotals(*values) for day, values in sorted(sums.items())
        }
