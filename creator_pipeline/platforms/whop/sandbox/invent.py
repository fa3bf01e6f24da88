"""Whop accounts of the invented world: the same for the same seed and day."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

from creator_pipeline.platforms.whop.sandbox.account import WhopAccount, WorldClock
from creator_pipeline.platforms.whop.sandbox.data import WhopPart
from creator_pipeline.platforms.whop.sandbox.invent_money import live_with_money
from creator_pipeline.platforms.whop.sandbox.object_json import Json, ident, plan_json
from creator_pipeline.platforms.whop.sandbox.tables import live_with_tables

SIZES: Mapping[str, int] = {"alice": 120, "bea": 60, "chen": 25}
PLANS = (
    ("Monthly", "usd", Decimal("29.00"), 30),
    ("Yearly", "eur", Decimal("290.10"), 365),
    ("Course", "jpy", Decimal(4980), None),
    ("Workshop", "kwd", Decimal("12.505"), None),
)
STATUSES = ("active", "active", "active", "trialing", "past_due", "completed", "canceled", "expired", "unresolved")


def invented_accounts(
    seed: int, today: date, days: int = 120, sizes: Mapping[str, int] | None = None, *, odd: bool = False
) -> WhopPart:
    """Accounts with a history of memberships and payments.

    Args:
        seed: another seed is another history.
        today: the last UTC day.
        days: UTC days of the history, ``today`` included.
        sizes: memberships of each account, by profile.
        odd: large accounts have lines of money whose word or currency nobody expects.
    """
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)

    counts = SIZES if sizes is None else sizes
    clock = WorldClock(partial(_now, midnight))
    part = WhopPart([_account(seed, profile, clock) for profile in counts], clock)
    for profile, count in counts.items():
        _live(part, profile, random.Random(f"whop/{seed}/{profile}"), count, midnight, days)
        live_with_money(part, profile, random.Random(f"whop/money/{seed}/{profile}"), midnight, days, odd=odd)
        live_with_tables(part[profile], random.Random(f"whop/tables/{seed}/{profile}"), midnight, days, count)
    return part


def _now(midnight: datetime) -> datetime:
    # A world of another day stands still in the middle of its own.
    now = datetime.now(UTC)
    return now if midnight <= now < midnight + timedelta(days=1) else midnight + timedelta(hours=12)


def _account(seed: int, profile: str, clock: Callable[[], datetime]) -> WhopAccount:
    account = WhopAccount(profile, ident("biz_", seed, profile), f"whop_key_{ident('', seed, profile)}", clock)
    for title, currency, price, days in PLANS:
        product = {"id": ident("prod_", account.id, title), "title": f"{title} club", "account_id": account.id}
        account.put("plans", plan_json(ident("plan_", account.id, title), title, product, currency, price, days))
    return account


def _live(part: WhopPart, profile: str, rng: random.Random, count: int, midnight: datetime, days: int) -> None:
    account = part[profile]
    paid: list[Json] = []
    for _ in range(count):
        created = midnight - timedelta(seconds=rng.randrange(60, (days - 1) * 86_400))
        status = rng.choice(STATUSES)
        title = rng.choice(PLANS)[0]
        _, payment = part.buy(profile, title, created=created, status=status, paid=rng.random() < 0.95)
        if payment["status"] == "paid":
            paid.append(payment)

    def later(payment: Json) -> datetime:
        return min(midnight, datetime.fromisoformat(payment["paid_at"]) + timedelta(days=rng.randrange(1, 20)))

    for payment in rng.sample(paid, len(paid) // 8):
        part.refund(profile, payment["id"], rng.choice([None, Decimal(1)]), at=later(payment))
    whole = [payment for payment in paid if payment["refunded_amount"] is None]
    for at, payment in enumerate(rng.sample(whole, len(whole) // 20)):
        dispute = part.dispute(profile, payment["id"], at=later(payment))
        if at % 2:
            part.close_dispute(profile, dispute["id"], rng.choice(["won", "lost"]))
    for membership in rng.sample(list(account.tables["memberships"].values()), count // 10):
        if membership["status"] == "active":
            part.cancel_at_period_end(profile, membership["id"])
