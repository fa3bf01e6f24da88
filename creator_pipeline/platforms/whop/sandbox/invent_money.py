"""What happened to the money of an invented account beside its sales."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal

from creator_pipeline.platforms.whop.sandbox.data import WhopPart

A_LOT = 20
"""Payments that an account must have before rare things happen to it."""


def live_with_money(
    part: WhopPart, profile: str, rng: random.Random, midnight: datetime, days: int, *, odd: bool = False
) -> None:
    """Rare movements, then the payouts of every week, all before ``midnight``.

    Args:
        part: with the account's sales.
        profile: of the account.
        rng: of its money.
        midnight: end of the history, UTC.
        days: that the history reaches back.
        odd: two of them more: a word that Whop's documentation doesn't know, and a currency that nobody sells in.
    """
    account = part[profile]
    start = midnight - timedelta(days=days)
    if len(account.tables["payments"]) >= A_LOT:
        _rare(part, profile, rng, start, midnight, odd=odd)
    account.books.caught_up = start
    part.catch_up(account, midnight)


def _rare(part: WhopPart, profile: str, rng: random.Random, start: datetime, midnight: datetime, *, odd: bool) -> None:
    account = part[profile]

    def some_time() -> datetime:
        return start + timedelta(seconds=rng.randrange(int((midnight - start).total_seconds())))

    whole = [row for row in account.tables["payments"].values() if row["substatus"] == "succeeded"]
    for payment in rng.sample(whole, max(1, len(whole) // 40)):
        paid_at = datetime.fromisoformat(payment["paid_at"])
        part.alert(profile, payment["id"], at=min(midnight, paid_at + timedelta(days=rng.randrange(1, 9))))
    given = [row for row in account.tables["refunds"].values() if row["reason"] is None]
    for refund in rng.sample(given, min(1, len(given))):
        made = datetime.fromisoformat(refund["created_at"])
        part.fail_refund(profile, refund["id"], at=min(midnight, made + timedelta(days=2)))
    for cents in (720, 1131):
        part.earn(profile, Decimal(cents) / 100, at=some_time())
    part.top_up(profile, "25.00", at=some_time())
    held = some_time()
    part.reserve(profile, "12.50", at=held)
    part.release(profile, "7.25", at=min(midnight, held + timedelta(days=6)))
    part.convert(profile, "10.00", "usd", "eur", at=some_time())
    if odd:
        part.post(profile, "payment_gross", "0.0015", "xau", at=some_time())
        part.post(profile, "loyalty_correction", "-1.3337", at=some_time())
