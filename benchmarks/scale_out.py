"""The nightly sync of many profiles over Celery workers on hosts of their own: ``python benchmarks/scale_out.py``.

    python benchmarks/scale_out.py                 # 1, 2 and 4 workers, then 2 of which one host is lost in the middle
    python benchmarks/scale_out.py --play 2kill    # one of them; --prepared DIR keeps the first step for the next

Every host is a network namespace with its own name, process table and home. On the bridge between them: PostgreSQL,
Redis and the sandbox of this command. One host serves the code and runs the daemon, the others a Celery worker each.
First the real schedule ``gumroad_nightly`` is made due and fills Dagster's queue; each play starts from a copy of that
database. No worker is there at its beginning: what is seen then is printed too.

The sandbox answers late and refuses what is above a token's limit; twenty profiles share ten tokens, so that a
token is asked by several hosts at once. Printed: throughput, runs of each host, refused requests, a digest of each
table, and every file that a run left in a home. Needs root, iproute2, PostgreSQL's and Redis's binaries, and the
extra ``celery``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorType, ScheduleInstigatorData
from hosts import Host, Network
from scale_servers import ROOT, SHARED, Servers, names, sandbox, until, world

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.runtime.liveness import PROCESS_TAG
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import ledger_changes
from creator_pipeline_tests.support.tables import digests

BIN = Path(sys.executable).parent
DONE, BAD = dg.DagsterRunStatus.SUCCESS, {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


class Drill:
    """The house on its hosts."""

    def __init__(self, net: Network, servers: Servers, slots: int, at_once: int) -> None:
        self.net, self.servers, self.slots = net, servers, slots
        # While the queue is filled nothing is launched, so nobody misses workers.
        text = (ROOT / ("deploy/celery/dagster.yaml" if at_once else "dagster.yaml")).read_text(encoding="utf-8")
        self._yaml = re.sub(r"(max_concurrent_runs|default_limit): \d+", rf"\1: {at_once}", text)
        os.environ |= servers.environment | {"DAGSTER_HOME": str(self._furnish(net.folder / "here"))}
        self.warehouse: Warehouse = open_warehouse(servers.environment["DATABASE_URL"])
        self.instance = dg.DagsterInstance.get()

    def _furnish(self, home: Path) -> Path:
        home.mkdir(exist_ok=True)
        (home / "dagster.yaml").write_text(self._yaml, encoding="utf-8")
        shutil.copy(ROOT / "deploy/workspace.yaml", home)
        return home

    def _host(self, name: str) -> Host:
        host = self.net.host(name)
        self._furnish(host.home)
        return host

    def settle_in(self, count: int) -> None:
        """Profiles, connections and partitions."""
        sellers, ring = world(count).gumroad, KeyRing([os.environ["APP_SECRET_KEYS"]])
        self.warehouse.ensure_migrated()
        with self.warehouse.write() as connection:
            for number, name in enumerate(names(count)):
                seller = sellers[names(count)[number - number % 2] if number < SHARED else name]
                profiles.add_profile(connection, name, f"{name}@example.com")
                profiles.connect(connection, ring, "gumroad", name, seller.token)
        self.instance.add_dynamic_partitions("gumroad_profiles", names(count))

    def open(self) -> None:
        """The head: the code server and the daemon."""
        self._head(f"exec {BIN}/dagster-daemon run -w workspace.yaml")

    def fill_queue(self, count: int) -> None:
        """The nightly runs of so many profiles, by the schedule itself."""
        self.settle_in(count)
        on = f"until {BIN}/dagster schedule start gumroad_nightly -w workspace.yaml; do sleep 1; done"
        wait = "while [ ! -e due ]; do sleep 0.2; done"
        self._head(f"{on}; {wait}; exec {BIN}/dagster-daemon run -w workspace.yaml")
        until(self._make_due, 120, "the schedule")
        (self.net.hosts["head"].home / "due").touch()
        until(lambda: len(self.runs()) >= count, 1200, "a run for each profile", every=2.0)

    def _head(self, script: str) -> None:
        head = self._host("head")
        workspace = (head.home / "workspace.yaml").read_text(encoding="utf-8").replace("host: code", "host: 127.0.0.1")
        (head.home / "workspace.yaml").write_text(workspace, encoding="utf-8")
        code = f"{BIN}/dagster code-server start -h 127.0.0.1 -p 4000 -m creator_pipeline.definitions"
        # One process table for all of it: they are one host.
        head.start(["sh", "-c", f"{code} & {script}"], self.servers.environment)

    def _make_due(self) -> bool:
        for state in self.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
            if state.instigator_name == "gumroad_nightly" and state.instigator_data:
                cron = state.instigator_data.cron_schedule
                # As if switched on yesterday: the daemon catches up the newest time that was missed.
                since = (datetime.now(UTC) - timedelta(days=1)).timestamp()
                self.instance.update_instigator_state(state.with_data(ScheduleInstigatorData(cron, since)))
                return True
        return False

    def worker(self, name: str) -> None:
        """A host with a Celery worker."""
        options = [
            "-Q",
            "dagster",
            "--concurrency",
            str(self.slots),
            "--disable-prefetch",
            "-n",
            f"runs@{name}",
            "worker.redirect_stdouts=0",
        ]
        self._host(name).start(
            [f"{BIN}/celery", "-A", "dagster_celery.app", "worker", *options, "-l", "info"], self.servers.environment
        )

    def runs(self) -> list[dg.DagsterRun]:
        """Those of the night, the ones tried again included."""
        return list(self.instance.get_runs(dg.RunsFilter(job_name="gumroad_sync")))

    def done(self) -> set[str]:
        """Profiles whose run ended well."""
        return {run.tags["creator_pipeline/profile"] for run in self.runs() if run.status == DONE}

    def problems(self) -> list[str]:
        """What pipeline_health has found."""
        with self.warehouse.read() as connection:
            rows = connection.exec_driver_sql("SELECT id FROM health_reports WHERE resolved_at IS NULL ORDER BY id")
            return [row[0] for row in rows]

    def rolled_up(self) -> bool:
        """Whether every day's roll-up followed."""
        with self.warehouse.read() as connection:
            return not connection.execute(ledger_changes.select().limit(1)).first()

    def left_in_homes(self) -> Counter[str]:
        """Files that workers' hosts hold, by kind."""
        kinds: Counter[str] = Counter()
        for host in self.net.hosts.values():
            for path in host.home.rglob("*"):
                if path.is_file() and host.name != "head":
                    kinds["log of a run" if "compute_logs" in path.parts else path.name] += 1
        return kinds


def play(drill: Drill, servers: Servers, options: argparse.Namespace, workers: list[str], *, kill: bool) -> None:
    """One night, and what came of it."""
    drill.open()
    waited = until(lambda: "workers/none" in drill.problems(), 240, "pipeline_health's word about workers")
    states = Counter(run.status.value for run in drill.runs())
    print(f"no worker yet: pipeline_health said workers/none after {waited:.0f} s; runs {dict(states)}", flush=True)
    began = time.monotonic()
    for name in workers:
        drill.worker(name)
    lost = workers[0] if kill else None
    if lost:
        half = options.profiles // 2
        until(lambda: len(drill.done()) >= half, 1000, "half of the profiles")
        busy = [run.run_id for run in drill.runs() if run.status == dg.DagsterRunStatus.STARTED and _place(run) == lost]
        drill.net.hosts[lost].crash()
        print(f"{lost} is lost after {time.monotonic() - began:.0f} s, {len(busy)} runs or more in hand", flush=True)
    until(lambda: len(drill.done()) >= options.profiles, 1700, "every profile's night", every=1.0)
    seconds = time.monotonic() - began
    until(drill.rolled_up, 120, "the roll-up")
    until(lambda: "workers/none" not in drill.problems(), 120, "the end of that problem")
    report(drill, servers, options.profiles, len(workers), seconds)


def _place(run: dg.DagsterRun) -> str:
    return run.tags.get(PROCESS_TAG, "").split(":")[0]


def processor(net: Network) -> float:
    """Seconds that the hosts' processes have used, those of the dead and of the servers not counted."""
    ticks = 0
    for host in net.hosts.values():
        for pid in host.processes():
            words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            ticks += sum(map(int, words[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def report(drill: Drill, servers: Servers, count: int, workers: int, seconds: float) -> None:
    """Print it."""
    runs, (requests, refused) = drill.runs(), servers.refused()
    good = [run for run in runs if run.status == DONE]
    records = drill.instance.get_run_records(dg.RunsFilter(job_name="gumroad_sync", statuses=[DONE]))
    lasting = sorted((one.end_time or 0) - (one.start_time or 0) for one in records)
    failed = [run for run in runs if run.status in BAD]
    each = ", ".join(f"{name} {count}" for name, count in sorted(Counter(map(_place, good)).items()))
    rate = len(good) / seconds * 60
    print(
        f"{workers} workers x {drill.slots} slots, {count} profiles: {seconds:.0f} s, "
        f"{rate:.1f} runs/min, {rate / workers:.1f} a worker; load {os.getloadavg()[0]:.1f}\n"
        f"  a run takes {lasting[len(lasting) // 2]:.1f} s (median); runs: {each}; "
        f"failed and tried again: {len(failed)}\n"
        f"  requests {requests}, refused (429) {refused}; processor of all hosts {processor(drill.net):.0f} s\n"
        f"  files in the workers' homes: {dict(drill.left_in_homes())}"
    )
    for run in failed:
        stats = drill.instance.get_run_stats(run.run_id)
        events = drill.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        why = events[0].dagster_event.message if events and events[0].dagster_event else ""
        print(
            f"  {run.run_id[:8]} ended {(stats.end_time or 0) - (stats.start_time or 0):.0f} s after its start: {why}"
        )
    for name, digest in digests(drill.warehouse).items():
        print(f"  {name:<18} {digest[:16]}")
    print(f"  all of it          {hashlib.sha256(json.dumps(digests(drill.warehouse)).encode()).hexdigest()[:16]}")
    if refused:
        sys.exit("The pace was not kept.")


def on_hosts(prepared: Path, options: argparse.Namespace, word: str) -> None:
    """One play, or with an empty word the first step, on hosts that come and go with it."""
    folder = Path(tempfile.mkdtemp(prefix="scale_out_"))
    folder.chmod(0o755)
    try:
        with ExitStack() as stack, Network(folder) as net:
            servers = Servers(net, prepared, options.profiles, stack)
            workers = [f"w{number + 1}" for number in range(int(word.removesuffix("kill") or 0))]
            drill = Drill(net, servers, options.slots, options.slots * len(workers))
            if word:
                play(drill, servers, options, workers, kill=word.endswith("kill"))
            else:
                drill.fill_queue(options.profiles)
            drill.warehouse.engine.dispose()
            drill.instance.dispose()
            for host in net.hosts.values():
                host.remove()
        if not word:
            shutil.move(folder / "postgres", prepared / "postgres")
    finally:
        if options.keep:
            print(f"logs and homes of {word}: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Make the hosts, play, take them away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--play", nargs="*", default=["1", "2", "4", "2kill"], help="numbers of workers; `2kill` loses one"
    )
    parser.add_argument("--slots", type=int, default=2, help="runs at once on each worker")
    parser.add_argument("--profiles", type=int, default=200)
    parser.add_argument("--prepared", type=Path, help="folder of the filled queue, made where it isn't there")
    parser.add_argument("--keep", action="store_true", help="leave logs and homes behind, and say where")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        address, port, count = options.serve
        sandbox(address, int(port), int(count))
        return
    # SIGTERM too must take the hosts away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="scale_out_") as passing:
        prepared: Path = options.prepared or Path(passing)
        prepared.mkdir(exist_ok=True)
        prepared.chmod(0o755)
        if not (prepared / "postgres").exists():
            on_hosts(prepared, options, "")
        for word in options.play:
            on_hosts(prepared, options, word)


if __name__ == "__main__":
    main()
