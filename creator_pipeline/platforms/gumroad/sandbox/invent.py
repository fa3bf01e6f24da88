"""An invented catalogue and an invented history of sales, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from creator_pipeline.platforms.gumroad.sandbox.fees import connect_fee, partner_share, processor_fee
from creator_pipeline.platforms.gumroad.sandbox.shapes import Buyer, Product, Sale, fee_for, opaque_id, to_cents

DAY = 86_400
NAMES = (
    "Inês Pâquerette",
    "Tomáš Dvořák",
    "佐藤 はるか",
    "Zoë Müller-Łukaszewska",
    "Ọlá Adéyẹmí",
    "Lee, “Bo” <b>",
    "Sam O'Neill",
    "Chloé Tremblay",
    "Νίκη Παπαδοπούλου",
    "محمد علي",
    "Ada 🌙 Byrne",
    None,
)
PLACES = (
    ("United States", "US", "CA", "94107"),
    ("Germany", "DE", "Berlin", "10115"),
    ("Japan", "JP", "Tokyo", "150-0001"),
    ("Canada", "CA", "QC", "H2X 1Y4"),
    ("Brazil", "BR", None, None),
)
# (permalink, name, price in minor units, currency); oldest first.
CATALOGUE: tuple[tuple[str, str, int, str], ...] = (
    ("zine", "Zine №1 “Café”", 700, "usd"),
    ("font", "Mono Serif Font", 3500, "usd"),
    ("course", "Letterpress Course", 4900, "usd"),
    ("draft", "Unreleased Synth Presets", 1500, "usd"),
    ("bundle", "Everything Bundle", 6000, "usd"),
    ("print", "Risograph Print A3", 4000, "usd"),
    ("sampler", "Free Sampler", 0, "usd"),
    ("studio", "Studio Membership", 0, "usd"),
    ("origami", "折り紙ワークブック", 1500, "jpy"),
    ("typo", "Typografie für Anfänger · 入門 ✍️", 2000, "eur"),
    ("stamp", "Postage Stamp Textures", 99, "usd"),
    ("atlas", "Atlas of Hedgerows", 1850, "gbp"),
    ("brush", "Night Sky Brush Pack", 2500, "usd"),
)


def invented_products(profile: str, first_day: date) -> list[Product]:
    """Thirteen products in four currencies, oldest first: a membership, a bundle, a print, a free one, a draft."""
    start = int(datetime(first_day.year, first_day.month, first_day.day, 9, 15, 27, tzinfo=UTC).timestamp())
    ids = {permalink: opaque_id(profile, "product", permalink) for permalink, *_ in CATALOGUE}
    products = [
        Product(ids[permalink], permalink, name, price, currency, created=start + seq * 3 * DAY, seq=seq)
        for seq, (permalink, name, price, currency) in enumerate(CATALOGUE, start=1)
    ]
    by_permalink = {product.permalink: product for product in products}
    by_permalink["draft"].published = False
    by_permalink["bundle"].bundle = (ids["brush"], ids["sampler"])
    by_permalink["print"].physical = True
    by_permalink["print"].variants = {"Paper": {"White": 0, "Black": 500}}
    by_permalink["studio"].subscription_duration = "monthly"
    by_permalink["studio"].variants = {"Tier": {"Basic": 500, "Premium": 1200}}
    by_permalink["brush"].variants = {"License": {"Personal": 0, "Commercial": 2400}}
    by_permalink["brush"].custom_fields = ("Twitter handle", "I agree to the terms")
    by_permalink["brush"].tags = ("procreate", "brushes")
    return products


def invented_times(rng: random.Random, today: date, days: int, count: int) -> list[int]:
    """``count`` instants (seconds since 1970), oldest first, the newest few in the first quarter hour of ``today``.

    Some share a second, so that a page of ten breaks between them: rows 9 to 12 from the newest, a launch of twelve,
    and three in every forty.

    Args:
        rng: gives the random numbers.
        today: the last UTC day.
        days: UTC days that the instants spread over, ``today`` included; at least 2.
        count: number of instants.
    """
    midnight = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp())
    todays = min(count, max(6, count // max(days, 1) // 2))
    span = max(days - 1, 1) * DAY
    times = sorted(
        [midnight - 1 - rng.randrange(span) for _ in range(count - todays)]
        + [midnight + rng.randrange(900) for _ in range(todays)]
    )
    runs = [(8, 12), (58, 70), *((at, at + 3) for at in range(108, count, 40))]
    for start, end in runs:
        if end <= count:
            for row in range(start, end):
                times[count - 1 - row] = times[count - end]
    return times


class Inventor:
    """Writes one seller's history; ``order`` numbers start at ``base`` and look random as the service's do.

    Args:
        profile: the seller's.
        products: what is sold.
        rng: gives the random numbers.
        base: the first number of an order.
        odd: some sales have fields that the documentation doesn't know.
    """

    def __init__(
        self, profile: str, products: list[Product], rng: random.Random, base: int, *, odd: bool = False
    ) -> None:
        self.profile, self.rng, self.base = profile, rng, base
        self.unknown_fields = {"loyalty_points": 12, "later_addition": {"nested": [1, None]}} if odd else {}
        self.products = {product.permalink: product for product in products}
        self.by_id = {product.id: product for product in products}
        self.seq = 0
        self.subscriptions: list[tuple[str, Buyer, str]] = []

    def buyer(self) -> Buyer:
        """Somebody; one in three has an account, some have no name."""
        number = self.rng.randrange(10_000)
        country, iso2, state, zip_code = PLACES[number % len(PLACES)]
        account = str(5_530_000_000 + number) if number % 3 == 0 else None
        name = NAMES[number % len(NAMES)]
        return Buyer(f"buyer{number:04d}@example.com", name, country, iso2, state, zip_code, account)

    def sale(self, permalink: str, created: int, price: int | None = None, **over: Any) -> Sale:
        """One sale of a product; ``price`` in US cents, by default what the product costs."""
        self.seq += 1
        product = self.products[permalink]
        cents = to_cents(product.price, product.currency) if price is None else price
        number = (self.base + self.seq) * 387_420_489 % 1_073_741_824
        elsewhere = bool(over.get("processor"))
        fee = connect_fee(cents) if elsewhere else fee_for(cents, discover=bool(over.get("discover")))
        fee = over.setdefault("fee", fee)
        over.setdefault("buyer", self.buyer())
        over.setdefault("processor_fee_cents", processor_fee(cents, 1 if elsewhere else self.seq))
        if points := over.get("affiliate_basis_points"):
            bears = bool(over.get("seller_bears_share_fee"))
            over.setdefault("affiliate", "olek@example.com")
            over.setdefault("affiliate_cents", partner_share(cents, fee, points, seller_bears_fee=bears))
        return Sale(opaque_id(self.profile, "sale", self.seq), number, created, self.seq, product, price=cents, **over)

    def refund_some(self, sale: Sale) -> Sale:
        """Sends part of the money back, exact in US cents."""
        sale.refunded_cents = max(1, sale.price * self.rng.randrange(10, 90) // 100)
        return sale

    def refund_all(self, sale: Sale) -> Sale:
        """Sends all of the money back."""
        sale.refunded_cents = sale.price
        return sale

    def commercial(self, at: int) -> list[Sale]:
        """A variant, custom fields, an affiliate and a licence key."""
        handle: dict[str, str | bool] = {"Twitter handle": "@ines_draws", "I agree to the terms": True}
        license_key = opaque_id(self.profile, "key", self.seq)[:8].upper()
        choices = {"variants": {"License": "Commercial"}, "custom_fields": handle, "license_key": license_key}
        return [self.sale("brush", at, 4900, affiliate_basis_points=2000, **choices)]

    def trial(self, at: int) -> list[Sale]:
        """A sign-up for a free trial: the price shows, nothing was charged."""
        ends = (datetime.fromtimestamp(at, UTC) + timedelta(days=14)).strftime("%b %d, %Y")
        return [self._membership(at, "Basic", charged=False, trial_ends=ends)]

    def _membership(self, at: int, tier: str, **over: Any) -> Sale:
        subscription_id, buyer = opaque_id(self.profile, "subscription", self.seq), self.buyer()
        self.subscriptions.append((subscription_id, buyer, tier))
        price = self.products["studio"].variants["Tier"][tier]
        over |= {"subscription_id": subscription_id, "buyer": buyer, "variants": {"Tier": tier}}
        return self.sale("studio", at, price, **over)

    def renewal(self, at: int) -> list[Sale]:
        """The next charge of a membership, or its first when there is none."""
        if not self.subscriptions:
            return [self._membership(at, "Premium")]
        subscription_id, buyer, tier = self.subscriptions[self.rng.randrange(len(self.subscriptions))]
        price = self.products["studio"].variants["Tier"][tier]
        again = {"subscription_id": subscription_id, "buyer": buyer, "variants": {"Tier": tier}}
        return [self.sale("studio", at, price, recurring_charge=True, **again)]

    def bundle(self, at: int) -> list[Sale]:
        """The line that carries the money, then one of nothing for each product in it."""
        whole = self.sale("bundle", at, bundle="whole")
        parts = [self.by_id[part].permalink for part in whole.product.bundle]
        return [*(self.sale(part, at, 0, bundle="part", buyer=whole.buyer) for part in parts), whole]

    def gift(self, at: int) -> list[Sale]:
        """The sender's row, listed, and the receiver's, which is not."""
        receiver, sender = self.buyer(), self.buyer()
        taken = self.sale("course", at, 0, gift="receiver", gift_partner=sender.email, buyer=receiver)
        return [taken, self.sale("course", at, gift="sender", gift_partner=receiver.email, buyer=sender)]

    def physical(self, at: int) -> list[Sale]:
        """A print with shipping and tax inside the price."""
        black = {"Paper": "Black"}
        return [self.sale("print", at, 5895, variants=black, tax_cents=395, shipping_cents=1000)]

    def recipes(self) -> tuple[Callable[[int], list[Sale]], ...]:
        """Every kind of sale, in the order they come round."""
        won = {"disputed": True, "dispute_won": True}
        return (
            lambda at: [self.sale("zine", at)],
            lambda at: [self.refund_all(self.sale("font", at))],
            self.commercial,
            lambda at: [self.sale("origami", at)],
            self.renewal,
            lambda at: [self.refund_some(self.sale("course", at, 4410, offer_code="SAVE10"))],
            lambda at: [self.sale("sampler", at, 0, referrer=None)],
            self.trial,
            lambda at: [self.refund_some(self.sale("typo", at))],
            lambda at: [self.sale("course", at, disputed=True)],
            self.renewal,
            self.bundle,
            lambda at: [self.sale("course", at, **won)],
            lambda at: [self.refund_some(self.sale("origami", at))],
            lambda at: [self.sale("zine", at, discover=True, referrer="https://gumroad.com/discover")],
            self.gift,
            lambda at: [self.sale("font", at, dead_processor=True)],
            self.physical,
            lambda at: [self.sale("course", at, 9800, quantity=2, extra=dict(self.unknown_fields))],
            lambda at: [self.sale("sampler", at, 500, tip_cents=500)],
            lambda at: [self.refund_some(self.sale("atlas", at))],
            lambda at: [self.sale("stamp", at)],
            lambda at: [self.refund_all(self.sale("typo", at))],
            lambda at: [self.refund_some(self.sale("course", at, disputed=True))],
            *self._money_recipes(),
        )

    def _money_recipes(self) -> tuple[Callable[[int], list[Sale]], ...]:
        """Kinds that the balance tells apart: paid elsewhere, shared with a partner, taxed, slow."""
        half_way = {"processor": "stripe", "affiliate_basis_points": 300}
        return (
            lambda at: [self.sale("course", at, processor="paypal")],
            lambda at: [self.refund_some(self.sale("font", at, affiliate_basis_points=3000))],
            lambda at: [self.refund_all(self.sale("zine", at, processor="paypal"))],
            lambda at: [self.refund_some(self.sale("course", at, 15_000, **half_way))],
            lambda at: [self.refund_all(self.sale("brush", at, affiliate_basis_points=1000))],
            lambda at: [self.sale("typo", at, gumroad_tax_cents=413)],
            lambda at: [self.sale("course", at, succeeded=at + 2 * DAY)],
            lambda at: [self.sale("font", at, processor="stripe", disputed=True)],
            lambda at: [self.sale("font", at, affiliate_basis_points=5000, seller_bears_share_fee=True, disputed=True)],
        )

    def history(self, times: list[int]) -> list[Sale]:
        """As many listed sales as there are ``times``, oldest first (and the receivers of gifts beside them)."""
        sales: list[Sale] = []
        recipes, listed, turn = self.recipes(), 0, 0
        while listed < len(times):
            born = recipes[turn % len(recipes)](times[listed])
            turn += 1
            shown = sum(sale.gift != "receiver" for sale in born)
            if listed + shown <= len(times):
                sales += born
                listed += shown
        return sales
