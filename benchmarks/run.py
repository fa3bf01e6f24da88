"""The project beside what people would use instead, in one table: ``python benchmarks/run.py [--quick] [--million]``.

Sales of a stand-in server (``standin.py``, a process of its own) into PostgreSQL, JSON kept, by: this project with its
ledger rows (``gumroad_load.py``), dlt's ``rest_api``, Airbyte's CDK with a COPY sink, and a plain script. Each load is
a fresh process into a fresh schema; wall is the whole process, its start included. Rounds are interleaved, ratios are
of loads of one round, and every load's count and sum are compared with the server's: a wrong one ends the run.

The peers' environment is made in ``.bench/peers`` the first time. PostgreSQL is found as the tests find it, or given
by ``--dsn``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
import venv
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import psycopg2
import standin

from creator_pipeline_tests.support import servers

PEERS = HERE.parent / ".bench" / "peers"
PROJECT, AGAIN, ALONE = "creator_pipeline", "creator_pipeline, again", "creator_pipeline, alone"
"""By two processes, the same once more over what is stored, and by one process."""
OURS = {PROJECT: (), AGAIN: (), ALONE: ("--processes", "1")}
SCRIPTS = {
    "dlt": ("dlt_load.py",),
    "dlt parallelized": ("dlt_load.py", "parallelized"),
    "Airbyte CDK + COPY": ("airbyte_load.py",),
    "plain threads": ("plain_load.py",),
}


class Case(NamedTuple):
    """What is loaded, by whom, and against whom the second load is measured."""

    title: str
    tokens: list[str]
    peers: list[str]


class Load(NamedTuple):
    """What one process took."""

    wall: float
    cpu: float
    peak_mb: float
    requests: int


def one_account(sales: int, peers: list[str]) -> Case:
    """All sales of one seller, no delay."""
    return Case(f"{sales:,} sales of one account", [f"0-{sales}-0"], peers)


def accounts(sales: int, peers: list[str]) -> Case:
    """Twenty sellers, 50 ms a page."""
    return Case(f"20 accounts x {sales} sales, 50 ms a page", [f"{n}-{sales}-50" for n in range(1, 21)], peers)


def peers_python() -> str:
    """The interpreter of the peers' environment, which is made where it is missing."""
    python, done = PEERS / "bin" / "python", PEERS / "made"
    wanted = (HERE / "peers" / "requirements.txt").read_text()
    if not done.exists() or done.read_text() != wanted:
        print("making the peers' environment …", flush=True)
        venv.create(PEERS, with_pip=True, clear=True)
        install = ["-m", "pip", "install", "-qqq", "-r", str(HERE / "peers" / "requirements.txt")]
        subprocess.run([str(python), *install], check=True)
        done.write_text(wanted)
    return str(python)


@contextlib.contextmanager
def server() -> Generator[str]:
    """The stand-in; it ends with its input."""
    command = [sys.executable, str(HERE / "standin.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


class Memory(threading.Thread):
    """Looks at the memory of a process and its children; what they share counts once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._peak_kb, self._ended = pid, 0, threading.Event()
        self.start()

    def run(self) -> None:
        """Until the process has ended."""
        while not self._ended.wait(0.2):
            children = Path(f"/proc/{self._pid}/task/{self._pid}/children")
            with contextlib.suppress(OSError):
                pids = [self._pid, *map(int, children.read_text().split())]
                self._peak_kb = max(self._peak_kb, sum(map(self._kilobytes, pids)))

    @staticmethod
    def _kilobytes(pid: int) -> int:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

    def peak_mb(self) -> float:
        """The most that was seen."""
        self._ended.set()
        self.join()
        return self._peak_kb / 1024


class Bench:
    """One server and one database for all loads."""

    def __init__(self, url: str, dsn: str) -> None:
        self.url, self.dsn = url, dsn
        self._totals: dict[str, tuple[int, int]] = {}

    def query(self, statement: str) -> tuple[int, ...]:
        """One row of the database."""
        connection = psycopg2.connect(self.dsn)
        connection.autocommit = True
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else ()
        connection.close()
        return tuple(row or ())

    def load(self, who: str, tokens: list[str], schema: str) -> Load:
        """One load, checked."""
        names = ",".join(tokens)
        if who in OURS:
            options = ["--base", self.url, "--tokens", names, "--dsn", self.dsn, "--schema", schema, *OURS[who]]
            command = [sys.executable, str(HERE / "gumroad_load.py"), *options]
        else:
            script, *how = SCRIPTS[who]
            command = [peers_python(), str(HERE / "peers" / script), self.url, names, self.dsn, schema, *how]
        self.served()
        log = HERE.parent / ".bench" / "last.log"
        with log.open("wb") as stream:
            began = time.perf_counter()
            process = subprocess.Popen(command, stdout=stream, stderr=stream)
            memory = Memory(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
            peak = memory.peak_mb()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{who}: exit {process.returncode}\n{log.read_text()[-3000:]}")
        requests = self.served()
        self.check(who, tokens, schema)
        return Load(wall, usage.ru_utime + usage.ru_stime, peak, requests)

    def served(self) -> int:
        """Pages the server gave since it was asked last."""
        with urllib.request.urlopen(f"{self.url}/_requests") as answer:
            return int(answer.read())

    def check(self, who: str, tokens: list[str], schema: str) -> None:
        """Compare with the server's truth, for the project the ledger too."""
        for token in tokens:
            self._totals.setdefault(token, standin.totals(token))
        truth = tuple(map(sum, zip(*(self._totals[token] for token in tokens), strict=True)))
        found = self.query(f"SELECT count(*), sum(price)::bigint FROM {schema}.sales")
        ledger = truth
        if who in OURS:
            ledger = self.query(
                f"SELECT count(*), (sum(gross_micros) / 10000)::bigint FROM {schema}.sales_events"
                " WHERE event_type = 'sale'"
            )
        if found != truth or ledger != truth:
            sys.exit(f"{who}: {found} in the table and {ledger} in the ledger, the server has {truth}")

    def run(self, case: Case, rounds: int) -> None:
        """All loads of a case, and their lines of the table."""
        loads: dict[str, list[Load]] = defaultdict(list)
        everyone = [*OURS, *case.peers]
        for number in range(rounds):
            for who in everyone:
                schema = f"bench_{0 if who in OURS else everyone.index(who)}"
                if who != AGAIN:
                    self.query(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
                loads[who].append(self.load(who, case.tokens, schema))
                print(f"  round {number + 1}, {who}: {loads[who][-1].wall:.1f} s", file=sys.stderr, flush=True)
                if who != PROJECT:
                    self.query(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        print(f"\n{case.title}, {rounds} rounds, load average {os.getloadavg()[0]:.1f}")
        print(f"{'':26}{'wall s':>18}{'CPU s':>8}{'peak MB':>9}{'requests':>10}{'x project':>20}")
        for who, done in loads.items():
            ratios = [load.wall / mine.wall for load, mine in zip(done, loads[PROJECT], strict=True)]
            cpu, peak = (statistics.median(getattr(load, name) for load in done) for name in ("cpu", "peak_mb"))
            walls = spread([load.wall for load in done], 1)
            print(f"{who:26}{walls:>18}{cpu:8.1f}{peak:9.0f}{done[-1].requests:10,}{spread(ratios, 2):>20}", flush=True)

    def million(self) -> None:
        """Memory at ten times as many rows."""
        print(f"\n{'memory':26}{'wall s':>18}{'CPU s':>8}{'peak MB':>9}{'requests':>10}")
        for sales in (100_000, 1_000_000):
            self.query("DROP SCHEMA IF EXISTS bench_0 CASCADE")
            load = self.load(PROJECT, [f"0-{sales}-0"], "bench_0")
            print(f"{f'{sales:,} sales':26}{load.wall:18.1f}{load.cpu:8.1f}{load.peak_mb:9.0f}{load.requests:10,}")
        self.query("DROP SCHEMA IF EXISTS bench_0 CASCADE")


def spread(values: list[float], digits: int) -> str:
    """Median and extremes."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def main() -> None:
    """Run what was asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a tenth of everything, under two minutes")
    options.add_argument("--million", action="store_true", help="only the memory of 100,000 and 1,000,000 sales")
    options.add_argument("--rounds", type=int, help="3, with --quick 1")
    options.add_argument("--dsn", help="a PostgreSQL database; schemas bench_0 to bench_5 are dropped in it")
    wish = options.parse_args()
    peers_python()
    with server() as url:
        bench = Bench(url, wish.dsn or servers.postgres().fresh_database())
        if wish.million:
            bench.million()
            return
        rounds = wish.rounds or (1 if wish.quick else 3)
        bench.run(
            one_account(10_000 if wish.quick else 100_000, ["dlt", "Airbyte CDK + COPY", "plain threads"]), rounds
        )
        bench.run(accounts(100 if wish.quick else 500, list(SCRIPTS)), rounds)


if __name__ == "__main__":
    main()
