"""Requests used beside the least possible, for each strategy: ``python benchmarks/requests_used.py [--quick]``.

Against the sandbox, through the project's own code, into a fresh SQLite file. The least is a page for each ten sales
of the days that must be read (one where there are none), one for each named sale where that is less, and one for
Gumroad's totals where they are needed: a scan, or a refund that can only be derived by proportion.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from creator_pipeline.core.http import Pace
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.gumroad import drift
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.named_sales import refresh_sales
from creator_pipeline.platforms.gumroad.sync import load_sales, lookback
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.support.sandbox import SandboxServer, World

ALICE = "alice"
DAYS = 365
SIZES = (0, 1, 9, 10, 11, 500, 20_000)


class Unpaced:
    """Readers are limited by the network alone: the case in which a window is split."""

    def wait(self) -> float:
        """Go at once."""
        return 0.0


class Installation:
    """A sandbox with one seller, a warehouse, and a count of what was asked."""

    def __init__(self, sales: int, pace: Pace, folder: str) -> None:
        self.server = SandboxServer(World.invented(5, today=today(), sizes={ALICE: sales}, days=DAYS))
        self.warehouse: Warehouse = open_warehouse(f"sqlite:///{folder}/warehouse.sqlite")
        with self.warehouse.write() as connection:
            profiles.add_profile(connection, ALICE, f"{ALICE}@example.com")
        self.pace = pace
        self.ring = KeyRing([new_key()])

    @property
    def seller(self):
        """The world's truth of the seller."""
        return self.server.world.gumroad[ALICE]

    def client(self) -> GumroadClient:
        """A client of the seller's account."""
        return GumroadClient(self.server.gumroad_url, self.seller.token, self.pace)

    def load(self, window: DayWindow) -> int:
        """Read a window; returns requests."""
        with self.client() as client:
            for _ in load_sales(self.warehouse, client, self.ring, ALICE, window):
                pass
            return client.usage.requests

    def pages(self, window: DayWindow) -> int:
        """The least a window costs: its pages, and the totals where a refund needs them."""
        rows = [row for row in self.seller.rows if window.start <= _day(row.created) < window.end]
        derived = any(row.partially_refunded and row.product.currency != "usd" for row in rows)
        return max(1, ceil(len(rows) / 10)) + derived


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


@contextmanager
def installation(sales: int, pace: Pace) -> Iterator[Installation]:
    """A running one."""
    with tempfile.TemporaryDirectory() as folder:
        made = Installation(sales, pace, folder)
        with made.server:
            yield made
        made.warehouse.engine.dispose()


def line(what: str, used: int, least: int) -> None:
    """One line of the table."""
    print(f"{what:52}{used:8,}{least:8,}{used / least:8.3f}{used - least:+7}", flush=True)


def initial(sales: int, pace: Pace, named: str, page_seconds: float = 0.0) -> None:
    """Everything since two years before the first sale."""
    window = DayWindow(today() - timedelta(days=3 * DAYS), today() + timedelta(days=1))
    with installation(sales, pace) as made:
        if page_seconds:
            made.server.faults.every(1, "slow", path="/v2/sales")
            made.server.faults.delay = page_seconds
        line(f"initial load, {sales:,} sales, {named}", made.load(window), made.pages(window))


def later(sales: int) -> None:
    """Nightly, webhook and drift, on an account that is loaded."""
    everything = DayWindow(today() - timedelta(days=DAYS), today() + timedelta(days=1))
    with installation(sales, Unpaced()) as made:
        made.load(everything)
        nightly = lookback(today(), 2)
        line(f"nightly, yesterday and today, {sales:,} sales", made.load(nightly), made.pages(nightly))
        for count in (1, 5):
            new = [made.server.world.gumroad.add_sale(ALICE).id for _ in range(count)]
            line(f"webhook, {count} new sales", _refresh(made, new), 1)
        old = [row for row in made.seller.rows if row.counts and row.price and not row.refunded][100:]
        made.server.world.gumroad.refund(ALICE, old[0].id)
        line("webhook, a refund of an old sale", _refresh(made, [old[0].id]), 1)
        day = _day(old[-1].created)
        same = [row.id for row in made.seller.rows if _day(row.created) == day]
        window = DayWindow(day, day + timedelta(days=1))
        line(f"webhook, all {len(same)} sales of a day", _refresh(made, same), min(len(same), made.pages(window)))
        line("drift, nothing changed since the last scan", _scan(made), 1)
        hit = old[50]
        made.server.world.gumroad.refund(ALICE, hit.id)
        # Gumroad tells the seller's day, which lies in two UTC days west of Greenwich.
        local = datetime.fromtimestamp(hit.created, made.seller.zone).date()
        window = DayWindow(local, local + timedelta(days=2))
        line("drift, one refund in the past year", _scan(made), 1 + made.pages(window))


def _refresh(made: Installation, ids: list[str]) -> int:
    with made.client() as client:
        refresh_sales(made.warehouse, client, made.ring, ALICE, ids)
        return client.usage.requests


def _scan(made: Installation) -> int:
    first = today() - timedelta(days=DAYS)
    with made.client() as client:
        found = drift.scan(made.warehouse, client, ALICE, first, today())
        assert found is not None
        for window in found[0]:
            for _ in load_sales(made.warehouse, client, made.ring, ALICE, window):
                pass
        drift.remember(made.warehouse, ALICE, first, today(), found[1])
        return client.usage.requests


def table(*, quick: bool = False) -> None:
    """Print it."""
    print(f"{'strategy':52}{'used':>8}{'least':>8}{'ratio':>8}{'over':>7}")
    for sales in SIZES[:-1] if quick else SIZES:
        initial(sales, Unpaced(), "no pace")
    for sales in (0, 9, 11, 500, 2_000):
        initial(sales, Unpaced(), "50 ms a page, no pace", 0.05)
    for sales in (0, 11, 500):
        initial(sales, LocalPace(6_000, processes=1), "100 a second")
    later(1_000 if quick else 20_000)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="1,000 sales instead of 20,000")
    table(quick=options.parse_args().quick)
