"""The books of three sellers on three platforms, after a year: every payout that arrived, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.orchestration.books import settle
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.gumroad import payout_sync
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.platforms.kdp.sandbox.payments_report import payments_report
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sync import load_payments, quarters
from creator_pipeline.platforms.whop.sync_money import load_money
from creator_pipeline.platforms.whop.sync_payouts import load_payouts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import payout_lines, payouts
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.gumroad_payouts import owner
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer, World

DAYS = 365
SALES = {"alice": 45, "bea": 35, "chen": 20}
"""Paid by Gumroad to a bank in dollars, by PayPal, and in euro."""
MEMBERS = dict.fromkeys(SALES, 4)
ADJUSTMENT = "Technical Adjustment"


@pytest.fixture(scope="module")
def world() -> Iterator[SandboxServer]:
    with SandboxServer(World.invented(7, today=today(), sizes=SALES, whop_sizes=MEMBERS, days=DAYS)) as server:
        yield server


def read(warehouse: Warehouse, ring: KeyRing, server: SandboxServer, profile_id: str, folder: Path) -> None:
    """Everything of a seller: sales, payouts and reports."""
    window = DayWindow(today() - timedelta(days=DAYS + 10), today() + timedelta(days=1))
    with GumroadClient(server.gumroad_url, server.world.gumroad[profile_id].token, Free()) as client:
        list(load_sales(warehouse, client, ring, profile_id, window))
        payout_sync.load_payouts(warehouse, client, profile_id)
    with WhopClient(server.whop_url, server.world.whop[profile_id].key, lambda _operation: Free()) as client:
        for part in quarters(window):
            load_payments(warehouse, client, profile_id, None, part)
        load_money(warehouse, client, profile_id, None)
        load_payouts(warehouse, client, profile_id, None)
    report = payments_report(7, today())
    for made in (*report.royalties, report):
        path = folder / made.name
        path.write_bytes(made.content)
        assert kdp_landing.land(warehouse, path, profile_id).status == "accepted"


@pytest.mark.parametrize("profile_id", sorted(SALES))
def test_every_payout_that_arrived_is_explained_line_by_line(
    sqlite_warehouse: Warehouse, ring: KeyRing, world: SandboxServer, tmp_path: Path, profile_id: str
) -> None:
    """Incident: a seller asks what a sum at the bank was for, and one payout of the year has a cent without a name."""
    owner(sqlite_warehouse, ring, profile_id)
    read(sqlite_warehouse, ring, world, profile_id, tmp_path)
    found = {
        platform.in_ledger: settle(sqlite_warehouse, platform, profile_id)[0]
        for platform in PLATFORMS
        if platform.books is not None
    }
    head, line = payouts.c, payout_lines.c
    with sqlite_warehouse.read() as connection:
        arrived: list[Any] = list(connection.execute(select(payouts).where(head.state == "paid")))
        sums = select(line.provider, line.payout_id, func.sum(line.net_micros), func.count(line.ledger_id))
        told = {
            (one, id_): (int(net), rows)
            for one, id_, net, rows in connection.execute(sums.group_by(*sums.selected_columns[:2]))
        }
        every: list[Any] = list(connection.execute(select(payout_lines)))
    assert {one.provider for one in arrived} == {"gumroad", "whop", "amazon_kdp"}
    keys = {(one.provider, one.payout_id) for one in arrived}
    off = [
        (name, one)
        for name, equations in found.items()
        for one in equations
        if not one.holds and (one.scope != "payout" or (name, one.key) in keys)
    ]
    assert off == []
    for one in arrived:
        net, rows = told[one.provider, one.payout_id]
        assert net == one.balance_micros, one.payout_id
        # A payment of royalties is tied to months of a marketplace, which its reason names.
        assert rows or one.provider == "amazon_kdp", f"{one.payout_id} settles no row of the ledger"
    mine = [one for one in every if (one.provider, one.payout_id) in keys]
    assert not [one for one in mine if one.ledger_id is None and not one.reason]
    parts = [one for one in mine if one.type == ADJUSTMENT]
    assert not [one for one in parts if (one.ledger_id or "").endswith(":technical")], "a part without a name"
    in_dollars = [one for one in arrived if one.provider == "gumroad" and one.currency == "USD"]
    rates = [one for one in found["gumroad"] if one.name == "rate_is_likely"]
    if profile_id == "chen":
        assert not in_dollars
        assert parts == []
        assert sorted(one.key for one in rates if ("gumroad", one.key) in keys) == sorted(
            one.payout_id for one in arrived if one.provider == "gumroad"
        ), "one rate for each payout"
    else:
        assert rates == []
        assert parts
        assert all(told["gumroad", one.payout_id][0] == one.amount_micros for one in in_dollars)
