"""How long a first load takes to know what was paid: ``python benchmarks/first_money.py [--sales N] [--days N]``.

One seller of the sandbox with so many sales, paid every week. Everything that payouts tell is read by one process at
Gumroad's real pace, as a first load does before it reads a sale. Printed: requests, seconds, and what the ledger has by
then. The lines of each payout are compared with the sum that was sent; a difference ends the run with 1.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from sqlalchemy import func, select

from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad import payout_sync
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import payout_lines, payouts, sales_events
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.sandbox import SandboxServer, World

ALICE = "alice"


def main() -> int:
    """Exit 1 where a payout isn't the sum of its lines, or one is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sales", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=1_095)
    parser.add_argument("--per-minute", type=float, default=120.0, help="requests that the token has")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    world = World.invented(5, today=today(), sizes={ALICE: asked.sales}, days=asked.days)
    account = world.gumroad[ALICE]
    ring = KeyRing([new_key()])
    warehouse = open_warehouse(servers.postgres().fresh_database())
    warehouse.ensure_migrated()
    with warehouse.write() as connection:
        profiles.add_profile(connection, ALICE, f"{ALICE}@example.com")
        profiles.connect(connection, ring, "gumroad", ALICE, account.token)
    with SandboxServer(world) as server:
        pace = LocalPace(asked.per_minute, processes=1)
        began, processor = time.monotonic(), time.process_time()
        with GumroadClient(server.gumroad_url, account.token, pace) as client:
            payout_sync.load_payouts(warehouse, client, ALICE)
        seconds, requests = time.monotonic() - began, sum(server.faults.requests.values())
        processor = time.process_time() - processor
    line, head, event = payout_lines.c, payouts.c, sales_events.c
    with warehouse.read() as connection:
        by_payout = select(line.payout_id, func.sum(line.net_micros).label("net")).group_by(line.payout_id)
        sums = {row.payout_id: row.net for row in connection.execute(by_payout)}
        listed = set(connection.execute(select(head.payout_id)).scalars())
        sold = connection.execute(select(func.count()).where(event.event_type == "sale")).scalar_one()
    live = {one.id: (one.balance_cents - one.fee_cents) * 10_000 for one in account.books.run.payouts}
    wrong = sorted(listed ^ live.keys()) + [one for one in live if sums.get(one) != live[one]]
    print(f"{asked.sales:,} sales of {asked.days} days, {len(live)} payouts, load {os.getloadavg()[0]:.1f}")
    print(f"{requests} requests at {asked.per_minute:g} a minute: {seconds:.0f} s, {processor:.1f} s of processor")
    print(f"{sold:,} sales are in the ledger; payouts that differ from their lines: {len(wrong)} {wrong[:3]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["DAGSTER_HOME"] = home
        sys.exit(main())
