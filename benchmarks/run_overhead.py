"""Where the time of a run goes, and how many runs a minute there are: ``python benchmarks/run_overhead.py``.

A real daemon with its code server and the project's ``dagster.yaml``, on Dagster's storage in SQLite and in
PostgreSQL. A sensor's tick asks for runs of a job of two steps that do nothing, in the project's code location, under
both executors: one run at a time for the stages, then bursts under several limits of concurrent runs. Stages are
taken from the moments of the run's own events, and of its process from the operating system; ``processor`` is what a
run's process had used by its second step (in process), which other work on the machine changes little. Last:
milliseconds of one materialization event, logged by itself and together with others.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import dagster as dg
import orjson
import yaml

from creator_pipeline.runtime.outcome import Outcome
from creator_pipeline.runtime.run_logs import RunLines
from creator_pipeline_tests.support import servers

ROOT = HERE.parent
# As installed, with byte code that is kept: else each run's process would compile the house.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
EXECUTORS = ("in_process", "multiprocess")
STAGES = ("tick", "queue", "launch", "import", "init", "first step", "step", "end", "all", "processor")
STARTED = re.compile(r"\(pid: (\d+)\)")
EVENTS = 200

# Loaded in the place of the project's module: the same house, two jobs more, and a sensor that does as it is told.
# Not a job of the project: with the multiprocess executor a run would be marked with the process of one of its steps,
# and be taken for dead when that step ends.
LOCATION = """
import json, os, time
from pathlib import Path
import dagster as dg
from creator_pipeline import definitions
HOME = Path(os.environ["DAGSTER_HOME"])
EXECUTORS = ("in_process", "multiprocess")

def born():
    ticks = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age

def note():
    moment = born()
    # What was imported before there was a process takes it no time.
    moments = {"born": moment, "imported": max(moment, IMPORTED)}
    (HOME / f"process-{os.getpid()}").write_text(json.dumps(moments))

@dg.op
def first():
    return 1

@dg.op
def second(first):
    (HOME / f"cpu-{os.getpid()}").write_text(str(time.process_time()))
    return first

@dg.graph
def nothing():
    second(first())

bench = [nothing.to_job(name=name, executor_def=getattr(dg, f"{name}_executor")) for name in EXECUTORS]

@dg.sensor(jobs=bench, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def told(context):
    try:
        job, count, name = (HOME / "order").read_text().split()
    except (FileNotFoundError, ValueError):
        return
    for number in range(int(count)):
        yield dg.RunRequest(run_key=f"{name}:{number}", job_name=job, tags={"bench": name})

defs = dg.Definitions.merge(definitions.defs, dg.Definitions(jobs=bench, sensors=[told]))
IMPORTED = time.time()
note()
os.register_at_fork(after_in_child=note)
"""


def furnish(home: Path, limit: int) -> None:
    """A home with the project's ``dagster.yaml``, but for the limit of concurrent runs."""
    home.mkdir(exist_ok=True)
    config = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    config["concurrency"]["runs"]["max_concurrent_runs"] = limit
    (home / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (home / "bench_location.py").write_text(LOCATION, encoding="utf-8")


@contextmanager
def daemon(home: Path) -> Iterator[dg.DagsterInstance]:
    """It runs within the block, and beside it the code server, as in an installation.

    One of its own a daemon replaces each minute.
    """
    port = servers.free_port()
    location = {"host": "127.0.0.1", "port": port, "location_name": "creator_pipeline"}
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": location}]}), encoding="utf-8")
    dagster = [sys.executable, "-m", "dagster"]
    place = ["--host", "127.0.0.1", "--port", str(port), "--location-name", "creator_pipeline"]
    commands = [
        [*dagster, "api", "grpc", *place, "-m", "bench_location", "-d", str(home)],
        [sys.executable, "-m", "dagster._daemon", "run", "-w", str(home / "workspace.yaml")],
    ]
    started: list[subprocess.Popen[bytes]] = []
    # The instance first: two processes that make Dagster's tables at once disagree.
    with dg.DagsterInstance.get() as instance, (home / "daemon.log").open("ab") as log:
        try:
            for command in commands:
                process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, start_new_session=True)
                started.append(process)
                # A daemon looks for a code server that isn't there yet only after a minute.
                while not _listens(port) and process.poll() is None:
                    time.sleep(0.1)
            yield instance
        finally:
            for process in reversed(started):
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def runs(home: Path, instance: dg.DagsterInstance, job: str, count: int, name: str) -> list[dg.RunRecord]:
    """Order so many, and wait until all have ended well."""
    (home / "order").write_text(f"{job} {count} {name}", encoding="utf-8")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        records = instance.get_run_records(dg.RunsFilter(tags={"bench": name}))
        if len(records) == count and all(record.dagster_run.is_finished for record in records):
            bad = [record for record in records if record.dagster_run.status != dg.DagsterRunStatus.SUCCESS]
            if bad:
                told = [one.user_message for one in instance.all_logs(bad[0].dagster_run.run_id)]
                sys.exit("\n".join([f"{len(bad)} runs of {name} did not succeed:", *told[-8:]]))
            return list(records)
        time.sleep(0.2)
    sys.exit(f"{name} did not end: {(home / 'daemon.log').read_text(encoding='utf-8')[-2000:]}")


def stages(home: Path, instance: dg.DagsterInstance, record: dg.RunRecord) -> list[float]:
    """Seconds of each stage of one run."""
    moment: dict[str, float] = {}
    process = 0
    for entry in instance.all_logs(record.dagster_run.run_id):
        event = entry.dagster_event
        if event is None:
            continue
        found = STARTED.search(event.message or "")
        if event.event_type == dg.DagsterEventType.ENGINE_EVENT and found and not process:
            process = int(found[1])
        moment.setdefault(event.event_type_value, entry.timestamp)
    own = orjson.loads((home / f"process-{process}").read_bytes())
    asked = _tick_of(instance, record)
    times = [
        asked,
        moment["PIPELINE_ENQUEUED"],
        moment["PIPELINE_STARTING"],
        own["born"],
        own["imported"],
        moment["PIPELINE_START"],
        moment["STEP_START"],
        moment["STEP_SUCCESS"],
        moment["PIPELINE_SUCCESS"],
    ]
    spent = home / f"cpu-{process}"
    processor = float(spent.read_text()) if spent.exists() else float("nan")
    return [*(after - before for before, after in itertools.pairwise(times)), times[-1] - times[0], processor]


def _tick_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> float:
    """Begin of the sensor's tick that asked for the run."""
    for state in instance.all_instigator_state():
        if state.name == "told":
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=50):
                if record.dagster_run.run_id in tick.run_ids:
                    return tick.timestamp
    raise LookupError(record.dagster_run.run_id)


def event_milliseconds(instance: dg.DagsterInstance) -> dict[str, float]:
    """Of one materialization of a partition, logged by a step of a run in this process."""
    spent: dict[str, float] = {}

    @dg.op
    def log(context) -> None:
        outcome = Outcome(context)
        for name, block in (("alone", nullcontext), ("together", outcome.together)):
            began = time.monotonic()
            with block():
                for number in range(EVENTS):
                    outcome.materialized(dg.AssetKey("bench"), str(number), number, {})
            spent[name] = (time.monotonic() - began) / EVENTS * 1000

    @dg.job
    def logging() -> None:
        log()

    RunLines.muted = True
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    assert logging.execute_in_process(instance=instance, run_config=quiet).success
    return spent


def storage(name: str, folder: Path, options: argparse.Namespace) -> None:
    """All of it on one storage."""
    home = folder / name
    variables = {"DAGSTER_HOME": str(home), "DATABASE_URL": f"sqlite:///{home}/warehouse.db", "REDIS_URL": ""}
    variables |= {"PYTHONPATH": str(ROOT), "ENABLE_EMAIL": "false"}
    url = servers.postgres().fresh_database() if name == "postgresql" else ""
    os.environ |= variables | {"DAGSTER_POSTGRES_URL": url}
    for limit in options.limits:
        furnish(home, limit)
        with daemon(home) as instance:
            if limit == options.limits[0]:
                runs(home, instance, "in_process", 1, f"{name}-warm")
            for executor in options.executors:
                if limit == options.limits[0]:
                    single = [
                        stages(home, instance, runs(home, instance, executor, 1, f"{name}-{executor}-{number}")[0])
                        for number in range(options.rounds)
                    ]
                    medians = [statistics.median(column) for column in zip(*single, strict=True)]
                    print(f"{name:<11}{executor:<13}" + "".join(f"{value:>11.2f}" for value in medians), flush=True)
                burst = runs(home, instance, executor, options.burst, f"{name}-{executor}-{limit}-burst")
                ends, begins = ([getattr(one, key) for one in burst] for key in ("end_time", "create_timestamp"))
                took = max(ends) - min(begin.timestamp() for begin in begins)
                print(
                    f"{name:<11}{executor:<13}{limit} at once: {len(burst) / took * 60:.1f} runs a minute", flush=True
                )
    with dg.DagsterInstance.get() as instance:
        for how, taken in event_milliseconds(instance).items():
            print(f"{name:<11}{taken:.1f} ms a materialization event, {how}", flush=True)


def main() -> None:
    """Both storages, printed as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="SQLite only, one limit, one run for the stages")
    parser.add_argument("--limits", type=int, nargs="*", default=[4, 2, 1], help="concurrent runs")
    parser.add_argument("--rounds", type=int, default=5, help="runs whose stages are taken")
    parser.add_argument("--burst", type=int, default=12, help="runs of a burst")
    parser.add_argument("--executors", nargs="*", default=EXECUTORS, choices=EXECUTORS)
    parser.add_argument("--storages", nargs="*", default=["sqlite", "postgresql"])
    options = parser.parse_args()
    if options.quick:
        options.limits, options.rounds, options.burst, options.storages = [4], 1, 2, ["sqlite"]
    print(f"load average {os.getloadavg()[0]:.1f}; stages in seconds, medians of {options.rounds}")
    print(f"{'storage':<11}{'executor':<13}" + "".join(f"{stage:>11}" for stage in STAGES))
    folder = Path(tempfile.mkdtemp(prefix="run_overhead_"))
    try:
        for name in options.storages:
            storage(name, folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
