"""The table ``subscriptions_daily`` from what the platforms told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.orchestration.subscriptions import build
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.platforms.gumroad.tables import SUBSCRIBERS
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import gumroad_sales, subscriptions_daily, whop_subscriptions
from creator_pipeline_tests.support.gumroad_tables import Tables
from creator_pipeline_tests.support.sandbox import SandboxServer


def at(back: int) -> datetime:
    """Noon so many days ago."""
    return datetime.combine(today() - timedelta(days=back), time(12), UTC)


def charge(name: str, number: int, back: int, cents: int, kind: str = "sale", **raw: Any) -> dict[str, Any]:
    """A charge of a monthly membership."""
    told = {"subscription_duration": "monthly", **raw}
    return {
        "profile_id": "alice",
        "id": f"{name}{number}",
        "partition_day": at(back).date(),
        "created_at": at(back),
        "quantity": 1,
        "price_micros": cents * 10_000,
        "fee_micros": 0,
        "refund_exact": True,
        "refunded": False,
        "partially_refunded": False,
        "chargedback": False,
        "disputed": False,
        "dispute_won": False,
        "kind": kind,
        "subscription_id": name,
        "recurring_charge": number > 0,
        "raw": str(told).replace("'", '"').replace("True", "true"),
        "ingested_at": at(0),
    }


def member(name: str, back: int, price: int, **over: Any) -> dict[str, Any]:
    """A yearly membership of Whop."""
    return {
        "id": name,
        "account_profile_id": "alice",
        "status": "active",
        "has_access": True,
        "plan_id": "plan_a",
        "product_id": "prod_a",
        "created_at": at(back),
        "updated_at": at(back),
        "current_period_start": at(back),
        "current_period_end": at(back - 365),
        "cancel_at_period_end": False,
        "price_micros": price,
        "currency": "EUR",
        "raw": "{}",
        "first_seen_at": at(0),
        "ingested_at": at(0),
        **over,
    }


@pytest.fixture
def stored(sqlite_warehouse: Warehouse, ring: KeyRing) -> Warehouse:
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, ring, "gumroad", "alice", "token")
        sales = [
            charge("a", 0, 50, 500, "trial"),
            charge("a", 1, 40, 1100, tip_cents=100),
            charge("a", 2, 10, 1200),
            charge("b", 0, 45, 500),
            charge("c", 0, 20, 700, cancelled=True),
        ]
        connection.execute(insert(gumroad_sales), sales)
        members = [
            member("mem_a", 30, 120_000_000),
            member("mem_b", 30, 240_000_000, cancel_at_period_end=True, canceled_at=at(5)),
            member("mem_c", 30, 60_000_000, status="expired", has_access=False, updated_at=at(3)),
            member("mem_d", 30, 60_000_000, current_period_end=None),
        ]
        for one in members:
            connection.execute(insert(whop_subscriptions).values(one))
    return sqlite_warehouse


def days(warehouse: Warehouse, platform: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(days ago, counts) of each row."""
    table = subscriptions_daily.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(table.day, table.active, table.new, table.cancelling, table.churned, table.mrr_micros)
            .where(table.platform == platform)
            .order_by(table.day)
        ).all()
    for row in rows:
        yield (today() - row[0]).days, tuple(row[1:])


def test_each_platform_s_memberships_are_counted_by_the_same_rule(stored: Warehouse) -> None:
    """Incident: two platforms, two meanings of churn, and one chart of both."""
    assert build(stored).inserted > 0
    gumroad = dict(days(stored, "gumroad"))
    # The trial is worth nothing until it is charged; the tip doesn't come again.
    assert gumroad[50] == (1, 1, 0, 0, 0)
    assert gumroad[45] == (2, 1, 0, 0, 5_000_000)
    assert gumroad[40] == (2, 0, 0, 0, 15_000_000)
    # Of b nobody tells: it was paid for a month, which is over.
    assert gumroad[15] == (2, 0, 0, 1, 17_000_000)
    # c was cancelled, and is paid for until then.
    assert gumroad[0] == (2, 0, 0, 0, 19_000_000)
    whop = dict(days(stored, "whop"))
    assert whop[30] == (3, 3, 0, 0, 35_000_000)
    assert whop[5] == (3, 0, 1, 0, 35_000_000)
    assert whop[3] == (2, 0, 1, 1, 30_000_000)
    assert not build(stored).any


def test_who_leaves_gumroad_s_list_is_lost_on_the_day_it_says(
    sqlite_warehouse: Warehouse, ring: KeyRing, sandbox: SandboxServer
) -> None:
    """Incident: memberships that had ended and were counted until their last month was over."""
    tables = Tables(sqlite_warehouse, ring, sandbox)
    try:
        tables.night()
        window = DayWindow(today() - timedelta(days=130), today() + timedelta(days=1))
        list(load_sales(sqlite_warehouse, tables.client, ring, "alice", window))
        build(sqlite_warehouse)
        before = dict(days(sqlite_warehouse, "gumroad"))[0]
        assert before[0] == len(tables.here(SUBSCRIBERS))
        leaving = next(name for name, row in tables.here(SUBSCRIBERS).items() if row["created_at"].date() < today())
        tables.part.end_membership("alice", leaving)
        tables.night([SUBSCRIBERS])
        build(sqlite_warehouse)
        after = dict(days(sqlite_warehouse, "gumroad"))[0]
        assert (after[0], after[3]) == (before[0] - 1, 1)
    finally:
        tables.close()
