"""What a night of some profiles costs beside what the platforms make it wait: ``python benchmarks/night.py``.

The whole installation with its real processes (code server, daemon, PostgreSQL, Redis) and the project's
``dagster.yaml``; the sandbox answers at once and no pace is kept: all that passes is overhead. Every nightly schedule
of Gumroad and Whop is due in the same minute: a run for each profile and schedule. Printed: seconds from the first run
that is asked for to the end of the last, runs a minute, and the processor time of each process, which other work on
the machine changes little.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import dagster as dg
import psutil
from dagster._core.scheduler.instigation import InstigatorType, ScheduleInstigatorData

from creator_pipeline.core.windows import today
from creator_pipeline_tests.faults.system import System
from creator_pipeline_tests.support.sandbox import World

PATIENCE = 1_800.0
WARM_UP = 120.0
LAST = "SELECT coalesce(max(id), 0) FROM runs"
OVER = "SELECT status, count(*) FROM runs WHERE id > {last} GROUP BY status"
SPAN = (
    "SELECT min(extract(epoch FROM create_timestamp)), max(end_time), sum(end_time - start_time) FROM runs"
    " WHERE id > {last}"
)
SUMS = (
    "SELECT platform, count(*), count(DISTINCT profile_id), sum(gross_micros) FROM sales_events"
    " WHERE event_type = 'sale' GROUP BY platform ORDER BY platform"
)


def spent(process: psutil.Process) -> float:
    """Seconds of processor of a process and of all that it started, those that have ended included."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def make_due(system: System, instance: dg.DagsterInstance) -> list[str]:
    """Switch every nightly schedule on, as if that was yesterday; returns their names."""
    # The daemon looks at the begin of a minute, and what it has seen once it remembers.
    while not 1 < time.time() % 60 < 20:
        time.sleep(0.5)
    from creator_pipeline.platforms import PLATFORMS

    names = [line.name for one in PLATFORMS for line in one.dagster.get().schedules if line.name.endswith("_nightly")]
    for name in names:
        on = system.run("dagster", "schedule", "start", name, "-w", "workspace.yaml")
        assert on.returncode == 0, on.stdout + on.stderr
    since = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name in names and state.instigator_data:
            data = ScheduleInstigatorData(state.instigator_data.cron_schedule, since)
            instance.update_instigator_state(state.with_data(data))
    return names


def is_fork_server(process: psutil.Process) -> bool:
    """Whether runs are forked from it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return "forkserver" in " ".join(process.cmdline())
    return False


def warm_up(system: System) -> None:
    """Let the code server start the process that runs are forked from, as it has before any night but the first."""
    system.start("daemon")
    code, deadline, used = psutil.Process(system.processes["code"].pid), time.monotonic() + WARM_UP, -1.0
    while True:
        assert time.monotonic() < deadline, "runs are no forks"
        time.sleep(3)
        servers = [one for one in code.children(recursive=True) if is_fork_server(one)]
        before, used = used, sum(spent(one) for one in servers) if servers else -1.0
        if used > 1 and used - before < 0.1:
            break
    system.wait_until_quiet(WARM_UP)
    system.stop("daemon")


def night(count: int, sales: int) -> None:
    """One night; prints its figures."""
    names = [f"p{number:02}" for number in range(count)]
    world = World.invented(
        7, today=today(), sizes=dict.fromkeys(names, sales), whop_sizes=dict.fromkeys(names, sales), days=30
    )
    secrets = {
        "gumroad_requests_per_minute": "600000",
        "whop_requests_per_minute": "600000",
        "pipeline_start_date": (today() - timedelta(days=40)).isoformat(),
        "enable_email": "false",
    }
    with System(world, secrets=secrets) as system:
        system.start("postgres", "redis", "gateway", "code")
        system.add_profiles(*names)
        os.environ |= {key: system.environment()[key] for key in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL")}
        instance = dg.DagsterInstance.get()
        for partitions in ("gumroad_profiles", "whop_profiles"):
            instance.add_dynamic_partitions(partitions, names)
        warm_up(system)
        schedules = make_due(system, instance)
        ((newest,),) = system.ask(LAST, "dagster")
        began = {part: spent(psutil.Process(system.processes[part].pid)) for part in ("code", "postgres", "redis")}
        system.start("daemon")
        deadline, counts = time.monotonic() + PATIENCE, dict[str, int]()
        while sum(counts.values()) < count * len(schedules) or set(counts) - {"SUCCESS", "FAILURE", "CANCELED"}:
            assert time.monotonic() < deadline, counts
            time.sleep(0.5)
            counts = dict(system.ask(OVER.format(last=newest), "dagster"))
        first, last, inside = (float(value) for value in system.ask(SPAN.format(last=newest), "dagster")[0])
        took, runs = last - first, sum(counts.values())
        print(f"{count} profiles, {len(schedules)} schedules: {counts}")
        print(f"{runs} runs in {took:.1f} s, {runs / took * 60:.1f} a minute; a run took {inside / runs:.2f} s")
        began["daemon"] = 0.0
        for part, before in began.items():
            used = spent(psutil.Process(system.processes[part].pid)) - before
            print(f"  {part:<10}{used:7.1f} s of processor, {used / runs:.3f} a run")
        print(f"the ledger: {system.ask(SUMS)}; load average {os.getloadavg()[0]:.1f}", flush=True)
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
            told = [one.dagster_event for one in instance.all_logs(run.run_id) if one.dagster_event]
            print(run.job_name, *(one.step_failure_data.error for one in told if one.is_step_failure), sep="\n")
        assert not counts.get("FAILURE"), "a run failed"


def main() -> None:
    """Play, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=12)
    parser.add_argument("--sales", type=int, default=60, help="of each profile on each platform, in thirty days")
    options = parser.parse_args()
    night(options.profiles, options.sales)


if __name__ == "__main__":
    main()
