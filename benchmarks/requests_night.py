"""Requests of a night in which nothing changed, by every schedule of Gumroad: ``python benchmarks/requests_night.py``.

A seller of the sandbox with products, members and weekly payouts; the jobs are those that the nightly schedules ask
for, each run for real with Dagster. Printed for each size: the first reading of the declared lists beside the least
possible, a first load's payouts with the seconds that they take at 120 requests a minute, and the requests of an
unchanged night by what they ask for.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from math import ceil
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]

import dagster as dg

from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import now, today
from creator_pipeline.runtime.run_logs import RunLines
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support.installation import QUIET
from creator_pipeline_tests.support.sandbox import SandboxServer, World

ALICE = "alice"
DAYS = 60
PER_MINUTE = 120 * 0.97
IDS = re.compile(r"/(products|payouts|subscribers|sales|variant_categories)/(?!upcoming|summary)[^/]+")


def asked(server: SandboxServer) -> Counter[str]:
    """Requests so far, by what they ask for."""
    found = Counter[str]()
    for path, count in server.faults.requests.items():
        if path.startswith("/v2/"):
            found[IDS.sub(r"/\1/…", path)] += count
    return found


def jobs(names: set[str], warehouse, instance: dg.DagsterInstance) -> None:
    """Run what these schedules ask for now."""
    from creator_pipeline.definitions import defs
    from creator_pipeline.orchestration.schedules import requests
    from creator_pipeline.platforms import of_name

    platform = of_name("gumroad")
    assert platform is not None
    for line in sorted(platform.dagster.get().schedules, key=lambda one: one.cron.split()[1::-1]):
        for one in requests(platform, line, warehouse, now()) if line.name in names else ():
            assert isinstance(one, dg.RunRequest), one
            done = defs.resolve_job_def(line.job).execute_in_process(
                instance=instance,
                tags=dict(one.tags),
                partition_key=one.partition_key,
                run_config={**QUIET, **one.run_config},
            )
            assert done.success


def seller(members: int, sales: int) -> World:
    """One that sells little each day, and has so many members of its one membership."""
    world = World.invented(5, today=today(), sizes={ALICE: sales}, days=DAYS)
    account = world.gumroad[ALICE]
    studio = account.product("studio")
    assert studio
    account.overlay.added["subscribers", studio.id] = [
        {
            "id": f"member{number:06}==",
            "email": f"member{number}@example.com",
            "product_id": studio.id,
            "product_name": studio.name,
            "purchase_ids": [],
            "created_at": "2026-01-05T10:00:00Z",
            "recurrence": "monthly",
            "status": "alive",
        }
        for number in range(members)
    ]
    return world


def night(members: int, sales: int) -> None:
    """One seller, read for the first time and then twice more."""
    from creator_pipeline.platforms.gumroad.definitions import PARTS

    every = {line.name for line in PARTS.schedules if line.name.endswith("_nightly")}
    world = seller(members, sales)
    account = world.gumroad[ALICE]
    with tempfile.TemporaryDirectory() as folder, SandboxServer(world) as server:
        os.environ |= {
            "DAGSTER_HOME": folder,
            "DATABASE_URL": f"sqlite:///{folder}/warehouse.sqlite",
            "GUMROAD_API_URL": server.gumroad_url,
        }
        warehouse, ring = open_warehouse(os.environ["DATABASE_URL"]), KeyRing([os.environ["APP_SECRET_KEYS"]])
        with warehouse.write() as connection:
            profiles.add_profile(connection, ALICE, f"{ALICE}@example.com")
            profiles.connect(connection, ring, "gumroad", ALICE, account.token)
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("gumroad_profiles", [ALICE])
            jobs({"gumroad_payouts_nightly"}, warehouse, instance)
            payouts = sum(asked(server).values())
            jobs({"gumroad_products_nightly"}, warehouse, instance)
            before = sum(asked(server).values())
            jobs({"gumroad_tables_nightly"}, warehouse, instance)
            lists = sum(asked(server).values()) - before
            jobs(every, warehouse, instance)
            before = asked(server)
            jobs(every, warehouse, instance)
            used = asked(server) - before
        warehouse.engine.dispose()
    products = len(account.products)
    memberships = sum(bool(one.subscription_duration) for one in account.products)
    with_variants = sum(bool(one.variants) for one in account.products)
    categories = sum(len(one.variants) for one in account.products)
    least = memberships + 3 * products + with_variants + categories + 1
    print(f"\n{members:,} members, {products} products, {sales:,} sales in {DAYS} days")
    print(f"  declared lists for the first time: {lists}, least {least}, {lists / least:.3f}")
    print(f"  the first load's payouts: {payouts} requests, {payouts / PER_MINUTE * 60:.0f} s at 120 a minute")
    print(f"  an unchanged night: {sum(used.values())}")
    week = sum(1 for row in account.rows if (now() - timedelta(days=7)).timestamp() < row.created)
    for path, count in sorted(used.items()):
        print(f"    {count:4}  {path}" + (f" (a week has {ceil(week / 10)} pages)" if path == "/v2/sales" else ""))


def main() -> None:
    """Print it for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, nargs="*", default=[0, 3_000])
    parser.add_argument("--sales", type=int, default=80)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    RunLines.muted = True
    os.environ |= {
        "APP_SECRET_KEYS": new_key(),
        "REDIS_URL": "",
        "GUMROAD_REQUESTS_PER_MINUTE": "600000",
        "ENABLE_WHOP": "false",
        "ENABLE_EMAIL": "false",
        "PIPELINE_START_DATE": (today() - timedelta(days=DAYS)).isoformat(),
    }
    for members in options.members:
        night(members, options.sales)


if __name__ == "__main__":
    main()
