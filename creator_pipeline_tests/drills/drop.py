"""Thousands of reports dropped at once into a running installation: ``python -m creator_pipeline_tests.drills.drop``.

Gateway and daemon run as processes on SQLite (or on the databases that are named), the platforms are the sandbox. Ten
profiles get their files in one moment: each file is one day's sales of one book; one in fifty can't be used. Meanwhile
a sale happens every few seconds, and its webhook must land. Prints processor seconds of each file, the time of the last
one, and the webhooks' latency before, during and after the drop. With ``--kill`` everything that works is killed in the middle
(``kill -9``). Exit 1 where the ledger isn't the sum of the files, a sale didn't land, or an owner got more than one mail
about the drop.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import httpx
import orjson
import psutil
from sqlalchemy import func, select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.gumroad.subscriptions import post_url
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import email_messages, kdp_uploads, sales_events
from creator_pipeline_tests.faults import configuration
from creator_pipeline_tests.support.kdp_samples import as_csv, table
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.servers import free_port

NAMES = tuple(f"seller{number}" for number in range(10))
BAD_EVERY = 50
FIRST_DAY = date(2025, 1, 1)
PATIENCE = 300
"""Seconds in which a sale must land, however much is under way."""
IDLE_SALES = 5


@dataclass
class Installation:
    """Processes of ours, and where they keep what they know."""

    folder: Path
    sandbox: SandboxServer
    environment: dict[str, str]
    gateway_port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])
    used: float = 0.0
    starts: int = 0

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse of the processes."""
        return open_warehouse(self.environment["DATABASE_URL"])

    def start(self) -> None:
        """Gateway and daemon; returns when the gateway listens: a ping that finds nobody isn't sent again."""
        workspace = ["-w", str(ROOT / "workspace.yaml")]
        for name, words in {
            "gateway": ["creator_pipeline", "gateway", "--port", str(self.gateway_port)],
            "daemon": ["dagster._daemon", "run", *workspace],
        }.items():
            with (self.folder / f"{name}.log").open("ab") as log:
                command = [sys.executable, "-m", *words]
                process = subprocess.Popen(
                    command,
                    start_new_session=True,
                    cwd=ROOT,
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
                self.processes.append(process)
        while not self._listens():
            if any(process.poll() is not None for process in self.processes):
                raise SystemExit(f"A part ended: see {self.folder}/*.log")
            time.sleep(0.2)
        self.starts += 1

    def _listens(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.gateway_port}/healthz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End it all, as a power cut does."""
        self.used += self.processor_seconds()
        victims = self._tree()
        for victim in victims:
            victim.kill()
        psutil.wait_procs(victims, timeout=10)
        for process in self.processes:
            process.wait(10)
        self.processes.clear()

    def processor_seconds(self) -> float:
        """What the processes that live have used, with the children they waited for."""
        total = 0.0
        for process in self._tree():
            try:
                total += sum(process.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue
        return total

    def _tree(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for process in self.processes:
            if process.poll() is None:
                root = psutil.Process(process.pid)
                found += [root, *root.children(recursive=True)]
        return found


@contextmanager
def installed(options: argparse.Namespace) -> Generator[Installation]:
    """An installation whose parts don't run yet, with its profiles."""
    world = World.invented(5, today=today(), sizes=dict.fromkeys(NAMES, 3), whop_sizes={}, days=2)
    with tempfile.TemporaryDirectory() as folder, SandboxServer(world) as sandbox:
        home, port, secrets = Path(folder), free_port(), configuration.secrets({})
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("DAGSTER", "DATABASE"))}
        environment = ours | {
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(home),
            "DATABASE_URL": options.database_url or f"sqlite:///{home}/warehouse.sqlite",
            "GUMROAD_API_URL": sandbox.url,
            "RESEND_API_URL": sandbox.url,
            "WHOP_API_URL": f"{sandbox.url}/api/v1",
            "FROM_EMAIL": "pipeline@example.com",
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "GUMROAD_REQUESTS_PER_MINUTE": "600000",
            "RESEND_REQUESTS_PER_SECOND": "1000",
            **secrets,
        }
        if options.dagster_url:
            environment["DAGSTER_POSTGRES_URL"] = options.dagster_url
        (home / "dagster.yaml").symlink_to(ROOT / "dagster.yaml")
        made = Installation(home, sandbox, environment, port)
        made.warehouse.ensure_migrated()
        _connect(made, secrets)
        try:
            yield made
        finally:
            made.stop()


def _connect(made: Installation, secrets: dict[str, str]) -> None:
    ring, world = KeyRing([secrets["APP_SECRET_KEYS"]]), made.sandbox.world.gumroad
    for name in NAMES:
        url = post_url(f"http://127.0.0.1:{made.gateway_port}", secrets["GUMROAD_WEBHOOK_SECRET"], name)
        for number, resource in enumerate(RESOURCES):
            world[name].subscriptions.append({"id": f"{name}{number}", "resource_name": resource, "post_url": url})
        with made.warehouse.write() as connection:
            profiles.add_profile(connection, name, f"{name}@example.com")
            profiles.connect(connection, ring, "gumroad", name, world[name].token, external_account_id=name)


def write_files(folder: Path, each: int) -> int:
    """``each`` files for each profile, moved in at once; returns their royalties in cents."""
    header, row = table()[:2]
    cents = 0
    for name in NAMES:
        (folder / f".{name}").mkdir(parents=True)
        for number in range(each):
            values = dict(zip(header, row, strict=True))
            good = (number + 1) % BAD_EVERY != 0
            amount = 1000 + number
            values |= {"Royalty Date": str(FIRST_DAY + timedelta(days=number)), "Royalty": f"{amount / 100:.2f}"}
            values |= {"Author Name": name, "Currency": "USD"} | ({} if good else {"Units Sold": "many"})
            cents += amount if good else 0
            path = folder / f".{name}" / f"report-{number:04}.csv"
            path.write_bytes(as_csv([header, list(values.values())]))
    for name in NAMES:
        (folder / name).mkdir(exist_ok=True)
        for path in (folder / f".{name}").iterdir():
            path.rename(folder / name / path.name)
        (folder / f".{name}").rmdir()
    return cents


def count(made: Installation, query: object) -> int:
    """The number a query gives."""
    with made.warehouse.read() as connection:
        return int(connection.execute(query).scalar_one() or 0)


SALES = select(func.count()).select_from(sales_events).where(sales_events.c.platform == "gumroad")
UPLOADS = select(func.count()).select_from(kdp_uploads)


def sale_latency(made: Installation, name: str, patience: float) -> float:
    """Seconds from a sale to its row in the ledger; infinite where patience ends before.

    Args:
        made: the installation.
        name: whose sale.
        patience: seconds.
    """
    sale, began = made.sandbox.world.gumroad.add_sale(name, pings=True), time.monotonic()
    landed = SALES.where(sales_events.c.external_id == sale.id)
    while not count(made, landed):
        if time.monotonic() - began > patience:
            return float("inf")
        time.sleep(0.1)
    return time.monotonic() - began


def sell(made: Installation, every: float, stop: threading.Event, latencies: list[float]) -> None:
    """Sales of all profiles in turn until told to stop, one at a time.

    Args:
        made: the installation.
        every: seconds between two sales.
        stop: ends it after the sale that is under way.
        latencies: takes seconds.
    """
    for name in itertools.cycle(NAMES):
        starts = made.starts
        took = sale_latency(made, name, PATIENCE)
        if took == float("inf") and made.starts != starts:
            print(f"  the ping of {name} went down with the gateway", flush=True)
        else:
            latencies.append(took)
            print(f"  a sale of {name} in {took:.1f} s", flush=True)
        if stop.wait(every):
            return


def check(made: Installation, cents: int) -> list[str]:
    """What isn't as it should be."""
    ledger = sales_events.c
    micros = count(made, select(func.sum(ledger.net_micros)).where(ledger.platform == "amazon_kdp"))
    wrong = [] if micros == cents * 10_000 else [f"the ledger has {micros / 1e6:.2f} USD, the files {cents / 100:.2f}"]
    mails: dict[str, Counter[str]] = {}
    with made.warehouse.read() as connection:
        for to, kind in connection.execute(select(email_messages.c.to, email_messages.c.kind)):
            mails.setdefault(to, Counter())[kind] += 1
    for to, kinds in sorted(mails.items()):
        print(f"  {to}: {dict(kinds)}")
        told = sum(number for kind, number in kinds.items() if kind.startswith(("files_", "ingestion_")))
        if told != 1:
            wrong.append(f"{to} got {told} mails")
    return wrong


def main() -> int:
    """Everything; returns the exit code."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--files", type=int, default=3000, help="of all profiles together")
    asked.add_argument("--patience", type=float, default=3600, help="seconds")
    asked.add_argument("--every", type=float, default=10, help="seconds between two sales; 0: none")
    asked.add_argument("--kill", action="store_true", help="kill all that works in the middle")
    asked.add_argument("--database-url", help="of the warehouse; SQLite by default")
    asked.add_argument("--dagster-url", help="of Dagster's storage; SQLite by default")
    options = asked.parse_args()
    # Told to end, it ends its processes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    before, during, after = list[float](), list[float](), list[float]()
    with installed(options) as made:
        made.start()
        if options.every:
            first = sale_latency(made, NAMES[0], PATIENCE)
            print(f"first sale after {first:.1f} s (the parts start), load {os.getloadavg()[0]:.1f}", flush=True)
            before += [sale_latency(made, name, PATIENCE) for name in NAMES[1 : 1 + IDLE_SALES]]
            print(f"webhooks before: {_shown(before)}", flush=True)
        inbox = made.folder / "kdp_inbox"
        cpu, began = made.processor_seconds(), time.monotonic()
        cents, total = write_files(inbox, options.files // len(NAMES)), options.files // len(NAMES) * len(NAMES)
        print(f"{total} files dropped", flush=True)
        killed, landed, stop, shown = not options.kill, 0, threading.Event(), began
        seller = threading.Thread(target=sell, args=(made, options.every, stop, during), daemon=True)
        if options.every:
            seller.start()
        while (landed := count(made, UPLOADS)) < total and time.monotonic() - began < options.patience:
            if not killed and landed > total // 3:
                made.stop()
                made.start()
                killed = True
                print(f"  killed at {landed} files", flush=True)
            if time.monotonic() - shown > 20:
                shown = time.monotonic()
                used = made.used + made.processor_seconds() - cpu
                print(f"  {landed} files after {shown - began:.0f} s, {used:.0f} s of processor", flush=True)
            time.sleep(0.5)
        seconds, cpu = time.monotonic() - began, made.used + made.processor_seconds() - cpu
        print(f"{landed} of {total} files after {seconds:.0f} s; {cpu / max(1, landed):.2f} s of processor each")
        stop.set()
        if options.every:
            seller.join()
            print(f"webhooks during: {_shown(during)}, load {os.getloadavg()[0]:.1f}", flush=True)
            after += [sale_latency(made, name, PATIENCE) for name in NAMES[:IDLE_SALES]]
            print(f"webhooks after: {_shown(after)}, load {os.getloadavg()[0]:.1f}", flush=True)
        time.sleep(30)
        wrong = check(made, cents) + ([] if landed == total else [f"{total - landed} files never landed"])
        lost = sum(each == float("inf") for each in (*before, *during, *after))
        wrong += [f"{lost} sales never landed"] if lost else []
        print(
            orjson.dumps({"files": landed, "seconds": round(seconds), "cpu_per_file": round(cpu / max(1, landed), 3)})
        )
    for line in wrong:
        print(f"  WRONG: {line}")
    return 1 if wrong else 0


def _shown(latencies: list[float]) -> str:
    if not latencies:
        return "none"
    ordered = sorted(latencies)
    p50, p95 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95))
    return f"p50 {p50:.1f} s, p95 {p95:.1f} s, longest {ordered[-1]:.1f} s of {len(ordered)}"


if __name__ == "__main__":
    sys.exit(main())
