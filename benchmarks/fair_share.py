"""How long a profile waits for its own while others' big loads are at work: ``python benchmarks/fair_share.py``.

The whole installation with its real processes (gateway, code server, daemon, PostgreSQL, Redis) and the project's
``dagster.yaml``, at production's pace of 120 requests a minute; the sandbox answers late. Printed: seconds from a sale
to its row in the ledger, and from the hour of the nightly schedule to the end of another profile's nightly run,

* ``idle``: with nothing else at work,
* ``backfill``: while ``dagster job backfill`` of one profile has a run for each of many days in the queue,
* ``first loads``: while those of more profiles than there are slots are at work.

``--play sales`` is for itself: seconds from each of many sales of several profiles to its row, at moments that fit
nobody's interval, and from a burst of sales of one profile to its last row, with the runs that it took.

The machine is part of the figures: compare plays of one run of this command only.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorType, ScheduleInstigatorData

from creator_pipeline.core.windows import partition_key, today
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline_tests.faults.system import System
from creator_pipeline_tests.support.sandbox import World

PAGE_SECONDS = 0.3
PATIENCE = 1200.0
DAYS = 70
BIG, PINGED, NIGHTLY = "alice", "bea", "chen"
LOADS = ("dora", "emil", "fay", "gus", "hana", "ida")
LOAD_SALES = 1_500
"""Of each first load: 150 requests, so 75 s of its token's pace."""
AT_WORK = "SELECT count(*) FROM runs WHERE status IN ('STARTING', 'STARTED')"
REFRESHES = "SELECT count(*) FROM runs WHERE pipeline_name = 'gumroad_refresh'"
BURST = 20
QUEUED = "SELECT count(*) FROM runs WHERE status = 'QUEUED'"


def until(holds: Callable[[], object], what: str) -> float:
    """Wait for it; returns the seconds."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"{what} was not so after {PATIENCE:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began


def waits(system: System) -> tuple[float, float]:
    """Seconds from a sale, which Gumroad tells of by a ping, to its row; and from the schedule to the end of a run."""
    os.environ |= {key: system.environment()[key] for key in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL")}
    with dg.DagsterInstance.get() as instance:
        wanted = dg.RunsFilter(
            tags={"creator_pipeline/profile": NIGHTLY, "creator_pipeline/trigger": "nightly"},
            statuses=[dg.DagsterRunStatus.SUCCESS],
        )
        night = _make_due(system, instance)
        sold = time.time()
        sale = system.sandbox.world.gumroad.add_sale(PINGED, pings=True)
        row = f"SELECT 1 FROM sales_events WHERE external_id = '{sale.id}'"
        landed = done = 0.0
        while not (landed and done):
            if time.time() - sold > PATIENCE:
                raise TimeoutError(f"Waited for {PATIENCE:.0f} s: row {landed:.0f}, night {done:.0f}")
            landed = landed or (time.time() if system.ask(row) else 0.0)
            done = done or (time.time() if instance.get_runs_count(wanted) else 0.0)
            time.sleep(0.1)
    return landed - sold, done - night


def _make_due(system: System, instance: dg.DagsterInstance) -> float:
    """As if switched on yesterday: the daemon catches up the newest time that was missed. Returns when it looks."""
    # It looks at the begin of a minute, and what it has seen once it remembers.
    while not 1 < time.time() % 60 < 40:
        time.sleep(0.5)
    on = system.run("dagster", "schedule", "start", "gumroad_nightly", "-w", "workspace.yaml")
    assert on.returncode == 0, on.stdout + on.stderr
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name == "gumroad_nightly" and state.instigator_data:
            since = (datetime.now(UTC) - timedelta(days=1)).timestamp()
            cron = state.instigator_data.cron_schedule
            instance.update_instigator_state(state.with_data(ScheduleInstigatorData(cron, since)))
    return (time.time() // 60 + 1) * 60


def backfill(system: System, days: int) -> None:
    """A run for each day of one profile, the way that tags nothing: Dagster's own command."""
    keys = ",".join(partition_key(today() - timedelta(days=back), BIG) for back in range(1, days + 1))
    words = ("job", "backfill", "-w", "workspace.yaml", "-j", "gumroad_sync", "--noprompt", "--partitions", keys)
    done = system.run("dagster", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: system.ask(QUEUED, "dagster")[0][0] > days // 2, "a full queue")


def first_loads(system: System, count: int) -> None:
    """What connecting their accounts asks for."""
    queue = JobQueue(system.warehouse, RedisLink(f"redis://127.0.0.1:{system.port('redis')}/0"))
    span = {"from": (today() - timedelta(days=DAYS - 1)).isoformat(), "to": (today() + timedelta(days=1)).isoformat()}
    for name in LOADS[:count]:
        queue.enqueue(name, "gumroad", "initial_sync", span)


def sales(system: System, names: Sequence[str], count: int) -> None:
    """Print how long sales wait, one after the other, and a burst of them."""
    gumroad, chance, waited = system.sandbox.world.gumroad, random.Random(7), list[float]()
    rows = "SELECT count(*) FROM sales_events WHERE external_id IN ('{}')"
    for number in range(count):
        # Not in step with any interval, and after what follows a sale: the roll-up is a run, too.
        time.sleep(chance.uniform(3, 9))
        sale = gumroad.add_sale(names[number % len(names)], pings=True)
        query = rows.format(sale.id)
        waited.append(until(lambda query=query: system.ask(query)[0][0], "a row"))
    before = system.ask(REFRESHES, "dagster")[0][0]
    told = "', '".join(gumroad.add_sale(names[0], pings=True).id for _ in range(BURST))
    burst = until(lambda: system.ask(rows.format(told))[0][0] == BURST, "the rows of a burst")
    runs = system.ask(REFRESHES, "dagster")[0][0] - before
    middle, late = statistics.median(waited), statistics.quantiles(waited, n=20, method="inclusive")[-1]
    print(f"{count} sales: median {middle:.1f} s, p95 {late:.1f}, longest {max(waited):.1f}", flush=True)
    load = os.getloadavg()[0]
    print(f"{BURST} sales of one profile at once: {burst:.1f} s, {runs} runs; load {load:.1f}", flush=True)


def play(name: str, options: argparse.Namespace) -> None:
    """One installation; prints both waits, and the runs at work and in the queue when they began."""
    small = dict.fromkeys((PINGED, NIGHTLY), 20) | {BIG: DAYS * 12}
    sizes = small | dict.fromkeys(LOADS, LOAD_SALES)
    world = World.invented(7, today=today(), sizes=sizes, days=DAYS)
    settings = {
        "gumroad_requests_per_minute": "120",
        "pipeline_start_date": (today() - timedelta(days=DAYS)).isoformat(),
        "enable_whop": "false",
        "enable_email": "false",
    }
    with System(world, secrets=settings) as system:
        system.sandbox.faults.every(1, "slow")
        system.sandbox.faults.delay = PAGE_SECONDS
        system.start("postgres", "redis", "gateway", "code", "daemon")
        names = (BIG, PINGED, NIGHTLY, *(LOADS if name == "first loads" else ()))
        system.add_profiles(*names)
        until(lambda: len(system.ask("SELECT 1 FROM dynamic_partitions", "dagster")) >= len(names), "partitions")
        if name == "sales":
            sales(system, names, options.sales)
            return
        if name == "backfill":
            backfill(system, options.days)
        elif name == "first loads":
            first_loads(system, len(LOADS))
        if name != "idle":
            until(lambda: system.ask(AT_WORK, "dagster")[0][0] >= 2, "runs at work")
            # Until there are as many as there may be: each is launched by itself.
            time.sleep(5 if options.quick else 15)
        at_work, queued = (system.ask(query, "dagster")[0][0] for query in (AT_WORK, QUEUED))
        row, night = waits(system)
        print(f"{name:<12}{row:10.1f}{night:10.1f}{at_work:10}{queued:10}{os.getloadavg()[0]:8.1f}", flush=True)


def main() -> None:
    """Play, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a backfill of five days only")
    parser.add_argument("--play", nargs="*", default=["idle", "backfill", "first loads"])
    parser.add_argument("--sales", type=int, default=40, help="of the play of this name")
    parser.add_argument("--days", type=int, default=40, help="runs of the backfill")
    options = parser.parse_args()
    if options.quick:
        options.days, options.play = 5, ["backfill"]
    print(f"{'seconds':<12}{'webhook':>10}{'nightly':>10}{'at work':>10}{'queued':>10}{'load':>8}")
    for name in options.play:
        play(name, options)


if __name__ == "__main__":
    main()
