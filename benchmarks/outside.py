"""The load as somebody else would measure it: ``python benchmarks/outside.py [--sales N] [--rounds N] [--work MS …]``.

Whole processes, each from its start to its end, in turns within a round: the command of an installation
(``creator-pipeline backfill``, with Dagster's records), ``gumroad_load.py`` by one process and by two, dlt, and a COPY
of the same pages without a ledger. Wall time, processor time of the process and all that it started, the largest
resident size of one process (what ``/usr/bin/time -v`` says), and of all of them at once with what they share counted
once. Ratios are of loads of one round. Counts and sums are compared with the server's after each load, in the ledger
too: a wrong one ends the run.

``--work`` is the processor time that the server spends on a page, in milliseconds: a harness of one's own has a server
that is seldom as fast as ours, and its time is everybody's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import psycopg2
import standin
from run import peers_python

from creator_pipeline.core.secrets import new_key
from creator_pipeline.core.windows import today
from creator_pipeline_tests.support import servers

SCHEMA, BIN = "outside", Path(sys.executable).parent
COMMAND, TWO, ONE, DLT, COPY = "creator-pipeline backfill", "two processes", "one process", "dlt", "COPY, no ledger"
DAYS = 732


class Taken(NamedTuple):
    """What a load took; sizes in MB."""

    wall: float
    cpu: float
    largest: float
    together: float


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children = (thread / "children").read_text().split()
            found += [one for child in children for one in family(int(child))]
    return found


def shared_once(pid: int) -> int:
    """Kilobytes of a process, what it shares counted in parts."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return 0


def timed(command: list[str], environment: Mapping[str, str], folder: Path) -> Taken:
    """Run it; ends this process where it fails."""
    peak, ended, log = 0, threading.Event(), folder / "load.log"
    with log.open("wb") as stream:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=stream, stderr=stream)

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.1):
                peak = max(peak, sum(map(shared_once, family(process.pid))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{log.read_text()[-3000:]}")
    return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, peak / 1024)


@contextlib.contextmanager
def server(work: float) -> Generator[str]:
    """The stand-in, which spends so many milliseconds more on a page."""
    command = [sys.executable, str(HERE / "standin.py"), str(work)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


class Harness:
    """A server, databases, and an installation that has one profile."""

    def __init__(self, url: str, folder: Path, sales: int) -> None:
        self.url, self.folder, self.token = url, folder, f"0-{sales}-0"
        self.truth = standin.totals(self.token)
        self.dsn, self.warehouse, self.dagster = (servers.postgres().fresh_database() for _ in range(3))
        # As installed: byte code is kept, and nothing of whoever runs this is known to it.
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}
        self.installed = kept | {
            "DAGSTER_HOME": str(folder),
            "DATABASE_URL": self.warehouse,
            "DAGSTER_POSTGRES_URL": self.dagster,
            "REDIS_URL": "",
            "APP_SECRET_KEYS": new_key(),
            "GUMROAD_API_URL": url,
            "GUMROAD_REQUESTS_PER_MINUTE": "60000000",
            "ENABLE_EMAIL": "false",
            "PIPELINE_START_DATE": (today() - timedelta(days=DAYS)).isoformat(),
        }
        self.plain = kept
        shutil.copy(HERE.parent / "dagster.yaml", folder)

    def query(self, dsn: str, statement: str) -> tuple[int, ...]:
        """The first row, where there is one."""
        connection = psycopg2.connect(dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else ()
        connection.close()
        return tuple(row or ())

    def load(self, who: str) -> Taken:
        """One load into nothing, checked."""
        if who == COMMAND:
            return self._command()
        self.query(self.dsn, f"SET client_min_messages = error; DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        if who in (ONE, TWO):
            words = ["--base", self.url, "--tokens", self.token, "--dsn", self.dsn, "--schema", SCHEMA]
            count = ["--processes", "1"] if who == ONE else []
            command = [sys.executable, str(HERE / "gumroad_load.py"), *words, *count]
        else:
            script = HERE / "peers" / ("dlt_load.py" if who == DLT else "copy_load.py")
            command = [peers_python(), str(script), self.url, self.token, self.dsn, SCHEMA]
        taken = timed(command, self.plain, self.folder)
        self._check(who, self.dsn, f"SELECT count(*), sum(price)::bigint FROM {SCHEMA}.sales")
        if who in (ONE, TWO):
            self._ledger(who, self.dsn, f"{SCHEMA}.")
        return taken

    def _command(self) -> Taken:
        for url in (self.warehouse, self.dagster):
            self.query(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        profile = ["profiles", "add", "alice", "--email", "alice@example.com", "--gumroad-token", self.token]
        for words in (
            ["creator-pipeline", "migrate"],
            ["dagster", "instance", "migrate"],
            ["creator-pipeline", *profile],
        ):
            timed([str(BIN / words[0]), *words[1:]], self.installed, self.folder)
        span = ["--from", (today() - timedelta(days=DAYS)).isoformat(), "--to", today().isoformat()]
        words = [str(BIN / "creator-pipeline"), "backfill", "gumroad", "--profile", "alice", *span]
        taken = timed(words, self.installed, self.folder)
        self._check(COMMAND, self.warehouse, "SELECT count(*), (sum(price_micros) / 10000)::bigint FROM gumroad_sales")
        self._ledger(COMMAND, self.warehouse, "")
        return taken

    def _ledger(self, who: str, dsn: str, schema: str) -> None:
        sums = f"SELECT count(*), (sum(gross_micros) / 10000)::bigint FROM {schema}sales_events"
        self._check(f"{who}, ledger", dsn, f"{sums} WHERE event_type = 'sale'")

    def _check(self, who: str, dsn: str, statement: str) -> None:
        found = self.query(dsn, statement)
        if found != self.truth:
            sys.exit(f"{who}: {found}, the server has {self.truth}")


def table(sales: int, rounds: int, work: float, everyone: list[str]) -> None:
    """Load in turns, print."""
    taken: dict[str, list[Taken]] = defaultdict(list)
    folder = Path(tempfile.mkdtemp(prefix="outside_"))
    try:
        with server(work) as url:
            harness = Harness(url, folder, sales)
            for _ in range(rounds):
                for who in everyone:
                    taken[who].append(harness.load(who))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{sales:,} sales, {work} ms more a page at the server, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
    print(f"{'':28}{'wall s':>8}{'CPU s':>8}{'largest MB':>12}{'together MB':>13}{'dlt wall x':>12}{'dlt CPU x':>12}")
    for who, done in taken.items():
        middle = [statistics.median(getattr(one, name) for one in done) for name in Taken._fields]
        ratios = [
            statistics.median(getattr(peer, name) / getattr(own, name) for own, peer in zip(done, against, strict=True))
            for name in ("wall", "cpu")
            if (against := taken.get(DLT))
        ]
        shown = "".join(f"{ratio:12.2f}" for ratio in ratios)
        print(f"{who:28}{middle[0]:8.1f}{middle[1]:8.1f}{middle[2]:12.0f}{middle[3]:13.0f}{shown}", flush=True)


def main() -> None:
    """A table for each kind of server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sales", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=float, nargs="*", default=[0.0, 0.4], help="milliseconds a page at the server")
    parser.add_argument("--who", nargs="*", default=[COMMAND, TWO, ONE, DLT, COPY])
    options = parser.parse_args()
    peers_python()
    for work in options.work:
        table(options.sales, options.rounds, work, options.who)


if __name__ == "__main__":
    main()
