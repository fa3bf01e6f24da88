"""One night after a day on which much of the past changed, and what it costs beside reading 35 days again.

``python -m creator_pipeline_tests.drills.night``: a year of sales; 50 old ones are refunded, 10 disputed, 5 products
and 3 memberships change. Then the runs that the schedules of a night ask for, and those of the webhooks' queue.
First (``come``) with all webhooks but those of disputes lost, then (``lost``) with those lost as well.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import select

from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.definitions import defs
from creator_pipeline.platforms.gumroad import subscriptions
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.platforms.whop.sandbox.compare import differences as whop_differences
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import gumroad_products, sales_events, whop_subscriptions
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.code_location import schedule_named
from creator_pipeline_tests.support.gateway import PATH_SECRET, Gateway
from creator_pipeline_tests.support.installation import run_waiting
from creator_pipeline_tests.support.sandbox import SandboxServer, World

ALICE = "alice"
DISPUTED_AGES = (1, 3, 5, 9, 16, 25, 33, 60, 110, 300)
"""Days between a sale and the day of its dispute."""
NIGHT = (
    schedule_named("gumroad_products_nightly"),
    schedule_named("gumroad_nightly"),
    schedule_named("whop_nightly"),
    schedule_named("whop_changes_nightly"),
    schedule_named("gumroad_drift_nightly"),
)


@dataclass
class Changes:
    """What happened on the day."""

    refunded: list[str] = field(default_factory=list[str])
    disputed: list[str] = field(default_factory=list[str])


@dataclass
class Town:
    """A seller, her tables, and what the platforms were asked."""

    server: SandboxServer
    warehouse: Warehouse
    instance: dg.DagsterInstance
    gateway: Gateway
    asked: dict[str, int] = field(default_factory=dict[str, int])

    def count(self) -> int:
        """Requests to the platforms so far."""
        return self.server.faults.requests.total()

    def run(self, schedule: dg.ScheduleDefinition) -> None:
        """What the daemon does at a schedule's time."""
        before = self.count()
        context = dg.build_schedule_context(instance=self.instance, scheduled_execution_time=datetime.now(UTC))
        for request in schedule(context, warehouse=WarehouseResource()):
            assert isinstance(request, dg.RunRequest), request
            job = defs.resolve_job_def(schedule.job_name)
            config = {**small.QUIET, **(request.run_config or {})}
            result = job.execute_in_process(
                instance=self.instance, tags=request.tags, run_config=config, partition_key=request.partition_key
            )
            assert result.success
        self.asked[schedule.name] = self.asked.get(schedule.name, 0) + self.count() - before

    def night(self) -> None:
        """The runs of one night."""
        for schedule in NIGHT:
            self.run(schedule)

    def webhooks(self) -> None:
        """The runs of the queue."""
        before = self.count()
        for result in run_waiting(self.instance):
            assert result.success
        self.asked["webhook_jobs"] = self.count() - before

    def wrong(self) -> list[Any]:
        """Where tables and platforms differ: days of both ledgers, products, memberships."""
        gumroad, whop = self.server.world.gumroad, self.server.world.whop
        found: list[Any] = [*differences(self.warehouse, ALICE, gumroad.totals(ALICE))]
        found += whop_differences(self.warehouse, ALICE, whop.totals(ALICE))
        table = gumroad_products.c
        with self.warehouse.read() as connection:
            names = dict(connection.execute(select(table.id, table.name).where(table.removed_at.is_(None))).all())
            rows = connection.execute(
                select(whop_subscriptions.c.id, whop_subscriptions.c.status, whop_subscriptions.c.plan_id)
            ).all()
        found += sorted(names.items() ^ {product.id: product.name for product in gumroad[ALICE].products}.items())
        there = whop[ALICE].tables["memberships"].values()
        return found + sorted({tuple(row) for row in rows} ^ {(m["id"], m["status"], m["plan_id"]) for m in there})

    def told(self, event: str, ids: list[str]) -> int:
        """How many of these sales have such a row in the ledger."""
        events = sales_events.c
        asked = select(events.external_id).where(events.event_type == event, events.external_id.in_(ids)).distinct()
        with self.warehouse.read() as connection:
            return len(connection.execute(asked).all())


@contextmanager
def town(folder: Path, sales: int, days: int) -> Iterator[Town]:
    """A seller with a history that is loaded, after a night on which nothing had happened."""
    database = f"sqlite:///{folder / 'warehouse.sqlite'}"
    world = World.invented(11, today=today(), sizes={ALICE: sales}, days=days)
    with (
        SandboxServer(world) as server,
        Gateway(database) as gateway,
        dg.DagsterInstance.ephemeral() as instance,
        environment(
            DATABASE_URL=database,
            GUMROAD_API_URL=server.gumroad_url,
            WHOP_API_URL=server.whop_url,
            GUMROAD_REQUESTS_PER_MINUTE="60000000",
            WHOP_REQUESTS_PER_MINUTE="60000000",
            PIPELINE_START_DATE=str(today() - timedelta(days=days)),
        ),
    ):
        ring, warehouse = KeyRing([os.environ["APP_SECRET_KEYS"]]), open_warehouse(database)
        seller, account = server.world.gumroad[ALICE], server.world.whop[ALICE]
        with warehouse.write() as connection:
            profiles.add_profile(connection, ALICE, seller.email, timezone=seller.timezone)
            profiles.connect(connection, ring, "gumroad", ALICE, seller.token)
            profiles.connect(connection, ring, "whop", ALICE, account.key, external_account_id=account.id)
        for name in ("gumroad_profiles", "whop_profiles"):
            instance.add_dynamic_partitions(name, [ALICE])
        with GumroadClient(server.gumroad_url, seller.token, LocalPace(1e9)) as client:
            subscriptions.register(client, gateway.url, PATH_SECRET, ALICE)
        made = Town(server, warehouse, instance, gateway)
        everything = small.range_of(
            ALICE, ALICE, DayWindow(today() - timedelta(days=days), today() + timedelta(days=1))
        )
        for job in ("gumroad_sync", "whop_sync"):
            assert small.run(instance, everything, job).success
        assert small.run(instance, {}, "whop_memberships_scan", partition_key=ALICE).success
        made.night()
        assert made.wrong() == []
        made.asked.clear()
        yield made


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Variables of this process, put back afterwards."""
    former = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in former.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def happen(t: Town, refunds: int, ages: tuple[int, ...], products: int, *, pings: bool) -> Changes:
    """The day. Only disputes send pings, and those only where ``pings`` says so."""
    gumroad, whop, done = t.server.world.gumroad, t.server.world.whop, Changes()
    rng = random.Random(3)
    good = [row for row in gumroad[ALICE].rows if row.counts and not row.refunded_cents and not row.disputed]
    old = [row for row in good if age(row.created) > max(ages[:-1], default=0) // 3]
    for sale in rng.sample(old, refunds):
        part = sale.price // 3 if sale.product.currency == "usd" and rng.random() < 0.5 else None
        gumroad.refund(ALICE, sale.id, part or None)
        done.refunded.append(sale.id)
    for days in ages:
        left = [row for row in good if row.id not in {*done.refunded, *done.disputed}]
        sale = min(left, key=lambda row: abs(age(row.created) - days))
        gumroad.dispute(ALICE, sale.id, pings=pings)
        done.disputed.append(sale.id)
    for number, product in enumerate(gumroad[ALICE].products[:products]):
        gumroad.edit_product(ALICE, product.id, name=f"{product.name}, edition {number + 2}")
    living = [row["id"] for row in whop[ALICE].tables["memberships"].values() if row["status"] == "active"]
    whop.move_plan(ALICE, living[0], "Yearly")
    whop.expire(ALICE, living[1])
    whop.past_due(ALICE, living[2])
    return done


def age(created: int) -> int:
    """Days since a moment in seconds since 1970."""
    return (today() - datetime.fromtimestamp(created, UTC).date()).days


def arrived(t: Town, count: int) -> None:
    """Wait until the gateway has stored so many jobs; a ping is sent by a thread of its own."""
    for _ in range(600):
        if t.gateway.services.queue.depth().get("queued", 0) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(t.gateway.services.queue.depth())


def main() -> int:
    """Both nights, as a table."""
    say = sys.stdout.write
    os.environ.setdefault("APP_SECRET_KEYS", new_key())
    os.environ.setdefault("CREATOR_PIPELINE_TEST_KEY", os.environ["APP_SECRET_KEYS"])
    good = True
    for pings in [word == "come" for word in sys.argv[1:] or ("come", "lost")]:
        with (
            tempfile.TemporaryDirectory() as folder,
            environment(DAGSTER_HOME=folder),
            town(Path(folder), 2_000, 365) as t,
        ):
            done = happen(t, 50, DISPUTED_AGES, 5, pings=pings)
            say(
                f"\n50 refunds, 10 disputes, 5 products, 3 memberships; pings of the disputes {'come' if pings else 'are lost'}\n"
            )
            if pings:
                arrived(t, len(done.disputed))
                t.webhooks()
            t.night()
            for name, requests in t.asked.items():
                say(f"  {name:28}{requests:6} requests\n")
            say(f"  {'the night':28}{sum(t.asked.values()):6} requests\n")
            stages = [("the night", None)]
            stages += (
                []
                if pings
                else [
                    ("Sunday's look-back", schedule_named("gumroad_lookback")),
                    ("the sweep", schedule_named("gumroad_sweep")),
                ]
            )
            for name, schedule in stages:
                if schedule is not None:
                    t.run(schedule)
                refunds, disputes = t.told("refund", done.refunded), t.told("chargeback", done.disputed)
                cost = f" ({t.asked[schedule.name]} requests)" if schedule is not None else ""
                say(f"  after {name}{cost}: {refunds} of 50 refunds, {disputes} of 10 disputes, ")
                say(f"{len(t.wrong())} differences\n")
            if pings:
                good = not t.wrong()
                t.run(schedule_named("gumroad_lookback"))
                within = sum(age(t.server.world.gumroad[ALICE].sales[sale].created) < 35 for sale in done.refunded)
                say(
                    f"  beside it, 35 days read again: {t.asked['gumroad_lookback']} requests for {within} of the 50 refunds\n"
                )
            else:
                ages = [age(t.server.world.gumroad[ALICE].sales[sale].created) for sale in done.disputed]
                say(f"  the disputed sales were {', '.join(map(str, ages))} days old\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
