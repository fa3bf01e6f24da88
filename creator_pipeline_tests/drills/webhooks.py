"""Deliveries sent three times each while everything is killed: ``python -m creator_pipeline_tests.drills.webhooks``.

Sales of two Gumroad accounts and purchases of one Whop account happen while their deliveries are sent, each three
times, in random order, over many connections; whoever gets no answer sends again, as the platforms do. Meanwhile
gateway and daemon are each killed twice (``kill -9``; the second time with the runs that are at work), and Redis
once. At the end each delivery must be stored once, the ledger must equal the platforms' totals, and no job be left.
Exit 1 on any difference.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.platforms.gumroad.sandbox.pings import encode, sale_payload
from creator_pipeline.platforms.gumroad.subscriptions import post_url
from creator_pipeline.platforms.whop.sandbox.compare import differences as whop_differences
from creator_pipeline.platforms.whop.sandbox.data import WhopAccount
from creator_pipeline.platforms.whop.sandbox.webhooks import signed_headers
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline_tests.drills.common import begin
from creator_pipeline_tests.faults.system import System
from creator_pipeline_tests.support.sandbox import World

TIMES = 3
WHOP_SHARE = 5
"""One in so many deliveries is Whop's."""
SELLERS = ("alice", "bea")
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Delivery:
    """``headers`` are made anew for each sending: a signature is good for five minutes."""

    url: str
    body: bytes
    headers: Callable[[], dict[str, str]]


class Platforms:
    """Makes things happen, and the deliveries that tell of them."""

    def __init__(self, system: System, count: int) -> None:
        self._system = system
        self._told: list[Delivery] = []
        self._secret = system.secrets["WHOP_WEBHOOK_SECRET"]
        system.sandbox.world.whop.on_event = self._whop
        self.kinds = ["whop" if n % WHOP_SHARE == 0 else SELLERS[n % 2] for n in range(count)]
        self._made: dict[int, Delivery] = {}
        self._numbers = itertools.count()

    def delivery(self, number: int) -> Delivery:
        """The delivery of this number; what it tells of happens when it is first asked for."""
        if number not in self._made:
            kind = self.kinds[number]
            self._made[number] = self._bought() if kind == "whop" else self._sold(kind)
        return self._made[number]

    def _sold(self, profile: str) -> Delivery:
        part, secret = self._system.sandbox.world.gumroad, self._system.secrets["GUMROAD_WEBHOOK_SECRET"]
        body = encode(sale_payload(part[profile], part.add_sale(profile), "sale"))
        return Delivery(post_url(self._system.gateway_url, secret, profile), body, lambda: FORM)

    def _bought(self) -> Delivery:
        if not self._told:
            self._system.sandbox.world.whop.buy("alice")
        return self._told.pop()

    def _whop(self, account: WhopAccount, name: str, data: dict[str, Any]) -> None:
        delivery_id = f"msg_{next(self._numbers)}"
        body = orjson.dumps({"id": delivery_id, "type": name, "account_id": account.id, "data": data})

        def headers() -> dict[str, str]:
            return signed_headers(self._secret, delivery_id, body, datetime.now(UTC))

        self._told.append(Delivery(f"{self._system.gateway_url}/webhooks/whop", body, headers))


class Senders:
    """So many connections; each delivery is sent until it is answered.

    Attributes:
        answered: sendings that were answered with success; ``again`` those that had to be repeated.
    """

    def __init__(self, platforms: Platforms, order: list[int]) -> None:
        self.platforms, self._order = platforms, iter(order)
        self.answered = self.again = 0
        self.statuses: dict[str, int] = {}

    async def run(self, connections: int) -> None:
        """All of them."""
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._connection())

    async def _connection(self) -> None:
        async with httpx.AsyncClient(timeout=5) as client:
            for number in self._order:
                delivery = self.platforms.delivery(number)
                while not await self._sent(client, delivery):
                    self.again += 1
                    await asyncio.sleep(0.25)
                self.answered += 1

    async def _sent(self, client: httpx.AsyncClient, delivery: Delivery) -> bool:
        try:
            answer = await client.post(delivery.url, content=delivery.body, headers=delivery.headers())
        except httpx.TransportError as error:
            self._note(type(error).__name__)
            return False
        self._note(str(answer.status_code))
        return answer.status_code == 202

    def _note(self, word: str) -> None:
        self.statuses[word] = self.statuses.get(word, 0) + 1


def mischief(system: System) -> list[tuple[float, str, Callable[[], None]]]:
    """What is done, and after which share of the sendings."""

    def dagster() -> None:
        # The runs belong to the code server: they die with it, in the middle of what they do.
        system.kill("daemon", tree=True)
        system.kill("code", tree=True)
        for worker in system.run_workers():
            worker.kill()
        system.start("code", "daemon")

    return [
        (0.15, "gateway killed", lambda: system.restart("gateway")),
        (0.30, "daemon killed", lambda: system.restart("daemon")),
        (0.45, "Redis killed", lambda: system.restart("redis")),
        (0.60, "gateway killed", lambda: system.restart("gateway")),
        (0.75, "daemon, code server and runs killed", dagster),
    ]


async def storm(system: System, senders: Senders, total: int, connections: int) -> None:
    """Send, and do the mischief on the way."""
    sending = asyncio.create_task(senders.run(connections))
    for share, what, do in mischief(system):
        while senders.answered < share * total and not sending.done():
            await asyncio.sleep(0.02)
        began = time.monotonic()
        await asyncio.to_thread(do)
        print(f"  at {senders.answered:6} of {total}: {what}, back after {time.monotonic() - began:.1f} s", flush=True)
    await sending


def check(system: System, platforms: Platforms, count: int) -> list[str]:
    """What isn't as it should be."""
    wrong: list[str] = []
    stored, sendings = system.ask(
        "SELECT count(*), sum(repeats + 1) FROM webhook_events WHERE provider <> 'oauth_state'"
    )[0]
    print(f"  stored: {stored} deliveries, sent {sendings} times as far as the gateway knows")
    if stored != count:
        wrong.append(f"{stored} deliveries are stored, not {count}")
    if sendings < TIMES * count:
        wrong.append(f"only {sendings} sendings are counted")
    for provider, status, number in system.ask("SELECT provider, status, count(*) FROM webhook_events GROUP BY 1, 2"):
        print(f"  {provider}: {number} {status}")
        if status not in {"done", "ignored"}:
            wrong.append(f"{number} deliveries of {provider} are still {status}")
    for status, number, attempts in system.ask("SELECT status, count(*), max(attempts) FROM ingestion_jobs GROUP BY 1"):
        print(f"  jobs: {number} {status}, {attempts} attempts at most")
        if status != "completed":
            wrong.append(f"{number} jobs are {status}")
    for status, number in system.ask("SELECT status, count(*) FROM runs GROUP BY 1", "dagster"):
        print(f"  runs: {number} {status}")
    for name in SELLERS:
        off = differences(system.warehouse, name, system.sandbox.world.gumroad.totals(name))
        wrong += [f"{name} {day}: ledger {here}, Gumroad {there}" for day, here, there in off]
    off = whop_differences(system.warehouse, "alice", system.sandbox.world.whop.totals("alice"))
    wrong += [f"alice {one}" for one in off]
    made = sum(len(system.sandbox.world.gumroad[name].rows) for name in SELLERS)
    print(f"  Gumroad: {made} sales; ledger rows: {system.ask('SELECT count(*) FROM sales_events')[0][0]}")
    return wrong


def main() -> int:
    """Everything; returns the exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--deliveries", type=int, default=5_000)
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--drain-seconds", type=float, default=400.0)
    wish = options.parse_args()
    order = [number for number in range(wish.deliveries) for _ in range(TIMES)]
    random.Random(wish.seed).shuffle(order)
    world = World.invented(wish.seed, today=today(), sizes=dict.fromkeys(SELLERS, 5), days=3)
    with System(world) as system:
        begin(system)
        system.add_profiles(*SELLERS)
        history(system)
        platforms = Platforms(system, wish.deliveries)
        senders = Senders(platforms, order)
        began = time.monotonic()
        print(
            f"{wish.deliveries} deliveries, {TIMES} times each, {wish.connections} connections, load {os.getloadavg()[0]:.1f}"
        )
        asyncio.run(storm(system, senders, len(order), wish.connections))
        print(
            f"  sent in {time.monotonic() - began:.0f} s, {senders.again} sendings repeated; answers: {senders.statuses}"
        )
        wrong: list[str] = []
        try:
            system.wait_until_quiet(wish.drain_seconds)
        except TimeoutError as error:
            wrong.append(str(error))
        print(f"  quiet {time.monotonic() - began:.0f} s after the first delivery")
        wrong += check(system, platforms, wish.deliveries)
    for line in wrong:
        print(f"  WRONG: {line}")
    print("Every delivery stored once, the ledger equal, no job left." if not wrong else f"{len(wrong)} differences.")
    return 1 if wrong else 0


def history(system: System) -> None:
    """What there was before the first delivery."""
    first = min(day for name in SELLERS for day in system.sandbox.world.gumroad.totals(name))
    for name in SELLERS:
        span = {"from": str(first), "to": str(today().fromordinal(today().toordinal() + 1))}
        JobQueue(system.warehouse, None).enqueue(name, "gumroad", "initial_sync", span)
    days = [day for day, _ in system.sandbox.world.whop.totals("alice")]
    done = system.run(
        *("creator-pipeline", "backfill", "whop", "--profile", "alice"),
        *("--from", str(min(days)), "--to", str(today())),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    system.wait_until_quiet(120)
    with system.warehouse.write() as connection:
        connection.exec_driver_sql("DELETE FROM ingestion_jobs")


if __name__ == "__main__":
    sys.exit(main())
