"""An invented year of two profiles, written straight into the tables: fractions of a yen, three decimals, refunds."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random

from sqlalchemy import Connection, insert, select

from creator_pipeline.ledger.replace import note_changes
from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import gumroad_products, sales_events, whop_subscriptions
from creator_pipeline_tests.support.payout_samples import put_payout

FIRST = date(2026, 1, 1)
SEEN = datetime(2026, 12, 31, 12, 0, 0, 123456, tzinfo=UTC)
CURRENCIES = {"gumroad": ("USD",), "whop": ("USD", "EUR", "KWD"), "amazon_kdp": ("USD", "EUR", "JPY", "TWD")}
Sums = Counter[tuple[str, str, str, str]]
"""(profile, month, platform, currency) to net micros."""


def fill(warehouse: Warehouse, rows: int = 400, *names: str) -> None:
    """Two profiles, ``alice`` and ``bea`` where none are named, with so many rows of the ledger each."""
    names = names or ("alice", "bea")
    with warehouse.write() as connection:
        for number, name in enumerate(names):
            profiles.add_profile(connection, name, f"{name}@example.com")
            put_rows(connection, name, rows, seed=number)
            put_payout(connection, "po1==", 123_45, date(2026, 3, 6), profile_id=name)
            put_payout(connection, "po2==", 50_00, date(2026, 4, 3), profile_id=name, state="planned")
            connection.execute(insert(gumroad_products).values(_product(name)))
            connection.execute(insert(whop_subscriptions).values(_membership(name)))
    roll_up(warehouse)


def put_rows(connection: Connection, profile_id: str, count: int, seed: int = 0, prefix: str = "s") -> None:
    """Rows of the ledger of one profile, all through the year; every fifth goes back."""
    random, days = Random(seed), dict[str, set[date]]()
    rows: list[dict[str, object]] = []
    for number in range(count):
        platform = random.choice(list(CURRENCIES))
        day = FIRST + timedelta(days=random.randrange(365))
        back = number % 5 == 4
        gross = random.choice([9_990_000, 1, 123_456_789, 7_654_321, 333_333]) * (-1 if back else 1)
        fee = gross // 10
        days.setdefault(platform, set()).add(day)
        rows.append(
            {
                "id": f"{platform}:{profile_id}:{prefix}{number}:sale",
                "profile_id": profile_id,
                "platform": platform,
                "event_type": "refund" if back else "sale",
                "external_id": f"{prefix}{number}",
                "product_id": "p1==",
                "product_name": "Zine, ページ",
                "occurred_at": datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=UTC),
                "occurred_on": day,
                "quantity": -1 if back else 1,
                "gross_micros": gross,
                "fee_micros": fee,
                "net_micros": gross - fee,
                "currency": random.choice(CURRENCIES[platform]),
                "source": f"{day}|{profile_id}",
                "first_seen_at": SEEN,
                "ingested_at": SEEN,
                "fee_exact": True,
            }
        )
    connection.execute(insert(sales_events), rows)
    for platform, touched in days.items():
        note_changes(connection, platform, profile_id, touched)


def _product(profile_id: str) -> dict[str, object]:
    return {
        "profile_id": profile_id, "id": "p1==", "name": "Zine", "currency": "USD", "price_micros": 9_990_000,
        "published": True, "raw": "{}", "first_seen_at": SEEN, "ingested_at": SEEN,
    }  # fmt: skip


def _membership(profile_id: str) -> dict[str, object]:
    return {
        "id": f"mem_{profile_id}", "account_profile_id": profile_id, "status": "active", "has_access": True,
        "plan_id": "plan_1", "product_id": "prod_1", "created_at": SEEN, "updated_at": SEEN, "price_micros": 5_000_000,
        "currency": "EUR", "cancel_at_period_end": False, "holder_hash": "hash-of-a-buyer", "whop_user_id": "user_buyer",
        "raw": "{}", "first_seen_at": SEEN, "ingested_at": SEEN,
    }  # fmt: skip


def ledger_sums(warehouse: Warehouse, profile_id: str | None = None) -> Sums:
    """Net micros of the ledger, added up here and not by a database."""
    columns, sums = sales_events.c, Sums()
    with warehouse.read() as connection:
        for owner, day, platform, currency, net in connection.execute(
            select(columns.profile_id, columns.occurred_on, columns.platform, columns.currency, columns.net_micros)
        ):
            if profile_id in (None, owner):
                sums[owner, f"{day:%Y-%m}", platform, currency] += net
    return sums
