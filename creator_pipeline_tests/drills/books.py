"""Thirty nights of three sellers on two platforms, whose money moves every day; and each night their books.

``python -m creator_pipeline_tests.drills.books``: a world that began sixty days before; every day there are refunds,
disputes that are opened, lost and won, payouts that come back. Each night everything is read as the nightly runs do. On
some nights the reading is killed (``kill -9``) and done again. Each night every equation of the books must hold, or
name what it can't explain; what Whop says of each balance must be what the ledger and the payouts leave.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from creator_pipeline.core.money import from_decimal
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.ledger.statement import statements
from creator_pipeline.orchestration.books import rebuild, settle
from creator_pipeline.platforms import of_name
from creator_pipeline.platforms.books import Identity
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.gumroad import payout_sync
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sandbox.changes import SandboxError
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sync import load_payments, quarters
from creator_pipeline.platforms.whop.sync_money import load_money
from creator_pipeline.platforms.whop.sync_payouts import load_payouts
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.profiles import add_profile, connect
from creator_pipeline.store.tables import payouts, sales_events
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer, World

SELLERS = {"alice": 90, "bea": 60, "chen": 30}
"""Paid to a bank in dollars, by PayPal, and in euro."""
HISTORY_DAYS = 60
KILLED = (4, 11, 19, 26)


@dataclass
class Report:
    """What was seen over the nights."""

    requests: Counter[str] = field(default_factory=Counter[str])
    identities: int = 0
    off: list[str] = field(default_factory=list[str])
    kills: int = 0
    payouts: int = 0
    events: Counter[str] = field(default_factory=Counter[str])


def read(warehouse: Warehouse, ring: KeyRing, urls: tuple[str, str], profile_id: str, keys: tuple[str, str]) -> None:
    """Everything of one seller, as the nightly runs read it.

    Args:
        warehouse: to load into.
        ring: hashes buyers.
        urls: of Gumroad and Whop.
        profile_id: whose accounts.
        keys: of both accounts.
    """
    window = DayWindow(today() - timedelta(days=HISTORY_DAYS + 40), today() + timedelta(days=1))
    with GumroadClient(urls[0], keys[0], Free()) as client:
        for _ in load_sales(warehouse, client, ring, profile_id, window):
            pass
        payout_sync.load_payouts(warehouse, client, profile_id)
    with WhopClient(urls[1], keys[1], lambda _operation: Free()) as client:
        for part in quarters(window):
            load_payments(warehouse, client, profile_id, None, part)
        load_money(warehouse, client, profile_id, None)
        load_payouts(warehouse, client, profile_id, None)


def day_of(world: World, rng: random.Random, report: Report, night: int) -> None:
    """What happens to every seller on a day."""
    for profile_id in SELLERS:
        gumroad = world.gumroad
        sales = [sale for sale in gumroad[profile_id].rows if sale.charged and sale.price > 200]
        for verb in rng.sample(("refund", "part", "fraud", "dispute", "win", "nothing"), 2):
            # The service gives nothing back of a sale that is disputed, and nobody disputes what is given back.
            fit = [sale for sale in sales if not sale.disputed and sale.refunded_cents < sale.price]
            if verb == "win":
                fit = [sale for sale in sales if sale.disputed and not sale.dispute_won]
            if not fit or verb == "nothing":
                continue
            sale = rng.choice(fit)
            match verb:
                case "refund":
                    gumroad.refund(profile_id, sale.id)
                case "part":
                    gumroad.refund(profile_id, sale.id, min(sale.price // 4, sale.price - sale.refunded_cents))
                case "fraud":
                    gumroad.refund(profile_id, sale.id, fraud=True)
                case "dispute":
                    gumroad.dispute(profile_id, sale.id)
                case _:
                    gumroad.win_dispute(profile_id, sale.id)
            report.events[verb] += 1
        if night % 13 == 5:
            try:
                gumroad.return_payout(profile_id)
                report.events["payout returned"] += 1
            except SandboxError:
                report.events["refused by the platform"] += 1


def nights(count: int, seed: int, database: str, report: Report) -> Iterator[tuple[int, Warehouse, World]]:
    """Each night after everything was read, with the tables and the world.

    Args:
        count: how many.
        seed: of the world and of what happens.
        database: URL of the warehouse.
        report: what is seen is added to it.
    """
    rng, ring, warehouse = random.Random(seed), KeyRing([KEY]), open_warehouse(database)
    world = World.invented(seed, today=today() - timedelta(days=count), sizes=SELLERS, days=HISTORY_DAYS)
    with SandboxServer(world) as server:
        keys = {one: (world.gumroad[one].token, world.whop[one].key) for one in SELLERS}
        with warehouse.write() as connection:
            for profile_id, (gumroad_key, whop_key) in keys.items():
                add_profile(connection, profile_id, f"{profile_id}@example.com")
                connect(connection, ring, "gumroad", profile_id, gumroad_key)
                connect(connection, ring, "whop", profile_id, whop_key)
        for night in range(count + 1):
            if night:
                day_of(world, rng, report, night)
                world.advance(1)
            before = server.faults.requests.total()
            for profile_id in SELLERS:
                if night in KILLED:
                    report.kills += _killed(
                        database, (server.gumroad_url, server.whop_url), profile_id, keys[profile_id]
                    )
                read(warehouse, ring, (server.gumroad_url, server.whop_url), profile_id, keys[profile_id])
            report.requests[f"night {night}"] = server.faults.requests.total() - before
            yield night, warehouse, world


KEY = new_key()


def _killed(database: str, urls: tuple[str, str], profile_id: str, keys: tuple[str, str]) -> int:
    """Begin the same reading in a process of its own, and kill it in the middle; whether it was at work."""
    words = [sys.executable, "-m", __spec__.name, "--read", KEY, database, *urls, profile_id, *keys]
    process = subprocess.Popen(words)
    time.sleep(1.8)
    process.send_signal(signal.SIGKILL)
    return int(process.wait() == -signal.SIGKILL)


def checked(warehouse: Warehouse, world: World, report: Report) -> list[tuple[str, Identity]]:
    """Every equation of every seller that doesn't hold; balances that Whop tells are compared exactly."""
    off: list[tuple[str, Identity]] = []
    for name in ("gumroad", "whop"):
        platform = of_name(name)
        assert isinstance(platform, Platform)
        for profile_id in SELLERS:
            found, _ = settle(warehouse, platform, profile_id)
            report.identities += len(found)
            off += [(profile_id, one) for one in found if not one.holds]
    for profile_id in SELLERS:
        with warehouse.read() as connection:
            here = {
                currency: one.closing
                for (name, currency), one in statements(connection, profile_id).items()
                if name == "whop"
            }
        for currency, balance in world.whop.books(profile_id).balances.items():
            told = from_decimal(balance.total)
            if abs(here.get(currency.upper(), 0) - told) > 1_000:
                off.append(
                    (
                        profile_id,
                        Identity(
                            "closing",
                            "balance",
                            currency,
                            currency.upper(),
                            told,
                            here.get(currency.upper(), 0),
                        ),
                    )
                )
    return off


def main() -> int:
    """Play the nights and say what was seen; 1 where an equation failed that isn't a known doubt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--read", nargs=7, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        key, database, gumroad, whop, profile_id, *keys = given.read
        read(open_warehouse(database), KeyRing([key]), (gumroad, whop), profile_id, (keys[0], keys[1]))
        return 0
    report, begun, bad = Report(), time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        for night, warehouse, world in nights(
            given.nights, given.seed, f"sqlite:///{Path(folder) / 'w.sqlite'}", report
        ):
            off = checked(warehouse, world, report)
            bad += bool(off)
            print(
                f"night {night:2}: {report.requests[f'night {night}']:4} requests, {len(off)} equations don't hold",
                flush=True,
            )
            for profile_id, one in off[:6]:
                print(
                    f"    {profile_id} {one.name} {one.key}: {one.stated_micros} / {one.found_micros} {one.currency} {one.reason}"
                )
            changed = {one: rebuild(warehouse, one) for one in SELLERS} if night == given.nights else {}
            if any(changed.values()):
                bad += 1
                print(f"    a ledger made anew from what is stored is another one: {changed}")
            if night == given.nights:
                _summary(warehouse, report)
    print(
        f"{given.nights} nights in {time.monotonic() - begun:.0f} s: {report.identities} equations, {bad} nights with one that doesn't hold, {report.kills} kills."
    )
    print(", ".join(f"{count} {what}" for what, count in sorted(report.events.items())))
    return int(bad > 0)


def _summary(warehouse: Warehouse, report: Report) -> None:
    head: Any = payouts.c
    with warehouse.read() as connection:
        for provider, state, count in connection.execute(
            select(head.provider, head.state, func.count()).group_by(head.provider, head.state).order_by(head.provider)
        ):
            print(f"{provider}: {count} payouts {state}")
        rows = connection.execute(select(func.count()).select_from(sales_events)).scalar_one()
    print(f"{rows} rows of the ledger")


if __name__ == "__main__":
    sys.exit(main())
