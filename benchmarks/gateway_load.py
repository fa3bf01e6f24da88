"""How many signed deliveries a second the gateway stores, and how long each waits at half of that.

    python benchmarks/gateway_load.py [--seconds 10] [--connections 32] [--repeats 1]

Runs the real command on a fresh SQLite file and a fresh PostgreSQL database (found as the tests find it), with a
connection of Whop, so that each delivery is verified, stored, and becomes a job. Every delivery that was answered is
counted in the tables afterwards. The load comes from this very machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
import orjson
import uvloop
from sqlalchemy import func, select
from standardwebhooks import Webhook

from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import ingestion_jobs, webhook_events
from creator_pipeline_tests.support import servers

SECRET = "ws_benchmark"
ACCOUNT = "biz_benchmark"


def requests(repeats: int) -> Iterator[bytes]:
    """Signed deliveries, each with its own id, each as often as told."""
    webhook, sent = Webhook(SECRET.encode()), datetime.now(UTC)
    for number in count():
        if number % 1000 == 0:
            sent = datetime.now(UTC)
        event = {
            "id": f"msg_{number}_{secrets.token_hex(4)}",
            "type": "payment.succeeded",
            "account_id": ACCOUNT,
            "data": {"id": f"pay_{number}", "total": "29.0", "currency": "usd", "status": "paid", "filler": "x" * 1200},
        }
        body = orjson.dumps(event)
        lines = [
            "POST /webhooks/whop HTTP/1.1",
            "Host: gateway",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"webhook-id: {event['id']}",
            f"webhook-timestamp: {int(sent.timestamp())}",
            f"webhook-signature: {webhook.sign(event['id'], sent, body.decode())}",
        ]
        for _ in range(repeats):
            yield "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Result:
    """Seconds of each answer, and answers by status."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.buffer = b""
        self.answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Connected."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of an answer."""
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if found:
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(rest) >= length and self.answered is not None:
                self.buffer = b""
                self.answered.set_result(int(head[9:12]))

    async def send(self, request: bytes) -> int:
        """The status of the answer."""
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answered


async def load(port: int, connections: int, seconds: float, source: Iterator[bytes], rate: float | None) -> Result:
    """As fast as it goes, or ``rate`` requests a second however slow the answers are."""
    loop, result = asyncio.get_running_loop(), Result()
    clients = [(await loop.create_connection(Client, "127.0.0.1", port))[1] for _ in range(connections)]
    began = time.perf_counter()
    number = count()

    async def work(client: Client) -> None:
        while True:
            due = began + next(number) / rate if rate else time.perf_counter()
            if due > began + seconds:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            status = await client.send(next(source))
            # From when it was due: a late sender must not hide a slow receiver.
            result.seconds.append(time.perf_counter() - due)
            result.statuses[status] = result.statuses.get(status, 0) + 1

    await asyncio.gather(*(work(client) for client in clients))
    for client in clients:
        client.transport.close()
    return result


def measure(kind: str, url: str, home: Path, options: argparse.Namespace) -> bool:
    """One database; whether nothing was lost."""
    key, port = new_key(), servers.free_port()
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "DATABASE_URL": url,
        "APP_SECRET_KEYS": key,
        "WHOP_WEBHOOK_SECRET": SECRET,
        "REDIS_URL": "" if options.without_redis else servers.shared_redis().url,
    }
    house = open_warehouse(url)
    with house.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, KeyRing([key]), "whop", "alice", "key", external_account_id=ACCOUNT)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from creator_pipeline.cli import main; main()", "gateway", "--port", str(port)]
    with (home / "gateway.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log, cwd=home)
    try:
        wait_for(port)
        source = requests(options.repeats)
        ready = [next(source) for _ in range(options.seconds * 3000)]
        fast = uvloop.run(load(port, options.connections, options.seconds, iter(ready), None))
        rate = len(fast.seconds) / options.seconds
        half = uvloop.run(load(port, options.connections, options.seconds, source, rate / 2))
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with house.read() as connection:
        stored = connection.execute(select(func.count()).select_from(webhook_events)).scalar_one()
        repeats = connection.execute(select(func.coalesce(func.sum(webhook_events.c.repeats), 0))).scalar_one()
        jobs = connection.execute(select(func.count()).select_from(ingestion_jobs)).scalar_one()
    house.engine.dispose()
    answered = len(fast.seconds) + len(half.seconds)
    print(
        f"{kind:11} {rate:7.0f}/s  p50 {fast.percentile(0.5):6.1f} ms  p99 {fast.percentile(0.99):6.1f} ms   "
        f"at {rate / 2:.0f}/s: p50 {half.percentile(0.5):5.1f} ms  p99 {half.percentile(0.99):5.1f} ms   "
        f"CPU of the gateway with its start {cpu / answered * 1000:.2f} ms each   "
        f"statuses {fast.statuses} {half.statuses}  answered {answered}, stored {stored} + {repeats} repeats, "
        f"jobs {jobs}, exit {code}"
    )
    return stored + repeats == answered and jobs == stored and code == 0


def wait_for(port: int) -> None:
    """Until it answers."""
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the gateway did not start")


def main() -> int:
    """Exit 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=1, help="times each delivery is sent")
    parser.add_argument("--without-redis", action="store_true")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("sqlite", "postgresql"):
            home = Path(folder) / kind
            home.mkdir()
            url = f"sqlite:///{home / 'warehouse.sqlite'}" if kind == "sqlite" else servers.postgres().fresh_database()
            good &= measure(kind, url, home, options)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
