"""The sellers of the invented world: the same for the same seed and day."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart, GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.invent import Inventor, invented_products, invented_times
from creator_pipeline.platforms.gumroad.sandbox.shapes import opaque_id

SIZES: Mapping[str, int] = {"alice": 430, "bea": 180, "chen": 40}
ZONES: Mapping[str, str] = {"alice": "America/Los_Angeles", "bea": "Asia/Tokyo"}


def invented_sellers(seed: int, today: date, days: int = 120, sizes: Mapping[str, int] | None = None) -> GumroadPart:
    """Sellers with a history of sales.

    Args:
        seed: another seed is another history.
        today: the last UTC day.
        days: UTC days of the history, ``today`` included.
        sizes: listed sales of each seller, by profile.
    """
    counts = SIZES if sizes is None else sizes
    return GumroadPart(
        [_seller(seed, at, profile, count, today, days) for at, (profile, count) in enumerate(counts.items())]
    )


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
