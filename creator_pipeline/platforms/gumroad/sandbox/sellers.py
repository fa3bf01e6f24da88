"""The sellers of the invented world: the same for the same seed and day."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, timedelta

from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.books import Books
from creator_pipeline.platforms.gumroad.sandbox.clock import WorldClock
from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart
from creator_pipeline.platforms.gumroad.sandbox.invent import Inventor, invented_products, invented_times
from creator_pipeline.platforms.gumroad.sandbox.past import play
from creator_pipeline.platforms.gumroad.sandbox.payouts import FRIDAY, THURSDAY, WEDNESDAY, Terms
from creator_pipeline.platforms.gumroad.sandbox.shapes import opaque_id

SIZES: Mapping[str, int] = {"alice": 430, "bea": 180, "chen": 40}
TERMS: Mapping[str, Terms] = {
    "alice": Terms("stripe", THURSDAY, "usd"),
    "bea": Terms("paypal", FRIDAY, "usd"),
    "chen": Terms("stripe", WEDNESDAY, "eur"),
}
FATES: Mapping[str, Mapping[int, str]] = {
    "alice": {3: "returned"},
    "bea": {2: "failed"},
    "chen": {2: "returned"},
}
ZONES: Mapping[str, str] = {"alice": "America/Los_Angeles", "bea": "Asia/Tokyo"}


def invented_sellers(
    seed: int, today: date, days: int = 120, sizes: Mapping[str, int] | None = None, *, odd: bool = False
) -> GumroadPart:
    """Sellers with a history of sales.

    Args:
        seed: another seed is another history.
        today: the last UTC day.
        days: UTC days of the history, ``today`` included.
        sizes: listed sales of each seller, by profile.
        odd: some sales have fields that Gumroad's documentation doesn't know.
    """
    counts = SIZES if sizes is None else sizes
    clock = WorldClock(today)
    sellers = [
        _seller(f"{seed}/{profile}", at, count, days, clock, odd=odd)
        for at, (profile, count) in enumerate(counts.items())
    ]
    return GumroadPart(sellers, clock)


def _seller(name: str, at: int, count: int, days: int, clock: WorldClock, *, odd: bool) -> GumroadSeller:
    rng, today = random.Random(name), clock.today
    seed, profile = name.split("/", 1)
    products = invented_products(profile, today - timedelta(days=days + 60))
    inventor = Inventor(name, products, rng, base=1 + at * 40_000_000, odd=odd)
    seller_id = opaque_id(seed, "seller", profile)
    seller = GumroadSeller(
        profile=profile,
        name=f"{profile.title()} Exemple",
        timezone=ZONES.get(profile, "UTC"),
        seller_id=seller_id,
        user_id=opaque_id(seed, "user", profile),
        inventor=inventor,
        clock=clock,
        books=Books(seller_id, TERMS.get(profile, Terms()), today - timedelta(days=days)),
        products=products,
    )
    seller.grant({"view_profile", "view_sales", "view_payouts"})
    seller.load(inventor.history(invented_times(rng, today, days, count)))
    first, fates = today - timedelta(days=days - 1), FATES.get(profile, {})
    play(seller, random.Random(f"{name}/money"), first, clock.midnight, fates, odd=odd)
    return seller
