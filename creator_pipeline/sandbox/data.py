"""The invented world of the sandbox: the same creators, products and sales for the same seed and day."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart, GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.invent import Inventor, invented_products, invented_times
from creator_pipeline.platforms.gumroad.sandbox.shapes import opaque_id
from creator_pipeline.platforms.whop.sandbox.data import WhopPart
from creator_pipeline.platforms.whop.sandbox.invent import invented_whop

SIZES: Mapping[str, int] = {"alice": 430, "bea": 180, "chen": 40}
ZONES: Mapping[str, str] = {"alice": "America/Los_Angeles", "bea": "Asia/Tokyo"}


@dataclass
class World:
    """Everything that is true in the sandbox on the UTC day ``today``; one attribute for each platform."""

    today: date
    gumroad: GumroadPart
    whop: WhopPart

    @classmethod
    def invented(cls, seed: int = 7, *, today: date, sizes: Mapping[str, int] | None = None, days: int = 120) -> World:
        """Sellers with as many listed sales as ``sizes`` says, over the ``days`` UTC days that end with ``today``."""
        counts = SIZES if sizes is None else sizes
        sellers = [_seller(seed, at, profile, count, today, days) for at, (profile, count) in enumerate(counts.items())]
        return cls(today, GumroadPart(sellers), invented_whop(seed, today, days=days))


def _seller(seed: int, at: int, profile: str, count: int, today: date, days: int) -> GumroadSeller:
    rng = random.Random(f"{seed}/{profile}")
    products = invented_products(profile, today - timedelta(days=days + 60))
    inventor = Inventor(f"{seed}/{profile}", products, rng, base=1 + at * 40_000_000)
    midnight = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp())

    def clock() -> int:
        # A world of another day stands still in the middle of its own.
        now = int(time.time())
        return now if midnight <= now < midnight + 86_400 else midnight + 43_200

    seller = GumroadSeller(
        profile=profile,
        name=f"{profile.title()} Exemple",
        timezone=ZONES.get(profile, "UTC"),
        seller_id=opaque_id(seed, "seller", profile),
        user_id=opaque_id(seed, "user", profile),
        inventor=inventor,
        clock=clock,
        products=products,
    )
    seller.grant({"view_profile", "view_sales"})
    seller.load(inventor.history(invented_times(rng, today, days, count)))
    return seller
