"""How long a webhook waits behind a night of many profiles: ``python -m creator_pipeline_tests.drills.sweep``.

Every profile sells on two platforms. The night's schedules ask for their runs at once, look-backs too; meanwhile sales
come in at random. Sensor, schedules, tags, priorities and Dagster's queue with the project's ``dagster.yaml`` are the
real ones. Only the clock isn't: a run is nothing but the seconds that it takes, so a night is over in a minute. A run
of days lets a webhook's run on its account go first between two parts, as ``runtime/turns`` does.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from creator_pipeline.orchestration.coordinator import missing_tags
from creator_pipeline.runtime.tags import ACCOUNT_TAG, PRIORITY_TAG, SOON
from creator_pipeline_tests.support.paths import ROOT

STEP = 5.0
"""Seconds of the drill's clock between two looks."""
SECONDS = {"nightly": 60.0, "lookback": 240.0, "webhook": 5.0}
"""What a run takes, by its trigger."""
PART_SECONDS = 15.0
"""Between two parts that a run of days commits, and one look at who waits."""
_GIVEN_UP = " (its turn is given up)"
_OPEN = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED]
SCHEDULES = ("gumroad_nightly", "whop_nightly", "gumroad_lookback")


@dataclass
class Night:
    """The runs that are at work, and the sales that wait.

    Attributes:
        ends: when each run that is at work is done.
        gave_up: since when each run that has let another go first waits for its turn.
        waited: seconds from a sale to the start of the run that reads it.
    """

    instance: dg.DagsterInstance
    clock: float = 0.0
    ends: dict[str, float] = field(default_factory=dict[str, float])
    gave_up: dict[str, float] = field(default_factory=dict[str, float])
    came: dict[str, float] = field(default_factory=dict[str, float])
    waited: list[float] = field(default_factory=list[float])

    def queue(self, name: str, request: dg.RunRequest) -> None:
        """What the daemon does with a request."""
        from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

        place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("creator_pipeline"), "__repository__")
        run = dg.DagsterRun(
            name,
            run_config=dict(request.run_config or {}),
            tags=dict(request.tags),
            status=dg.DagsterRunStatus.QUEUED,
            remote_job_origin=RemoteJobOrigin(place, name),
        )
        self.instance.run_storage.add_run(run.with_tags({**run.tags, **missing_tags(run)}))

    def take_turns(self) -> None:
        """Runs of days give up their turn at the end of a part, and come back when nobody waits for the account."""
        by_id = {run.run_id: run for run in self.instance.get_runs(dg.RunsFilter(statuses=_OPEN))}
        soon = {run.tags[ACCOUNT_TAG] for run in by_id.values() if run.tags.get(PRIORITY_TAG) == SOON[PRIORITY_TAG]}
        for run_id in self.ends:
            account = by_id[run_id].tags[ACCOUNT_TAG].removesuffix(_GIVEN_UP)
            if by_id[run_id].tags.get(PRIORITY_TAG) == SOON[PRIORITY_TAG]:
                continue
            if run_id in self.gave_up and account not in soon:
                self.ends[run_id] += self.clock - self.gave_up.pop(run_id)
                self.instance.add_run_tags(run_id, {ACCOUNT_TAG: account})
            elif (
                run_id not in self.gave_up
                and account in soon
                and (self.ends[run_id] - self.clock) % PART_SECONDS < STEP
            ):
                self.gave_up[run_id] = self.clock
                self.instance.add_run_tags(run_id, {ACCOUNT_TAG: f"{account}{_GIVEN_UP}"})

    def begin(self) -> None:
        """Start what Dagster's queue would launch now."""
        from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

        with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
            config = self.instance.get_concurrency_config()
            runs = daemon._get_runs_to_dequeue(self.instance, config, fixed_iteration_time=None)
        for run in runs:
            self._becomes(run, dg.DagsterRunStatus.STARTED)
            self.ends[run.run_id] = self.clock + SECONDS[run.tags["creator_pipeline/trigger"]]
            for job_id, _ in leases(run):
                self.waited.append(self.clock - self.came.pop(job_id))

    def end(self, queue: Any) -> None:
        """End what has taken its time, and acknowledge its jobs."""
        for run_id in [one for one, at in self.ends.items() if at <= self.clock and one not in self.gave_up]:
            del self.ends[run_id]
            run = self.instance.get_run_by_id(run_id)
            assert run is not None
            for job_id, attempt in leases(run):
                queue.ack(job_id, attempt)
            self._becomes(run, dg.DagsterRunStatus.SUCCESS)

    def _becomes(self, run: dg.DagsterRun, status: dg.DagsterRunStatus) -> None:
        self.instance.run_storage.delete_run(run.run_id)
        self.instance.run_storage.add_run(run.with_status(status))


def leases(run: dg.DagsterRun) -> Iterator[tuple[str, int]]:
    """Job ids and attempts of a run."""
    ops: Any = dict(run.run_config).get("ops", {})
    for op in ops.values():
        for lease in op["config"].get("leases", ()):
            job_id, _, attempt = lease.rpartition(":")
            yield job_id, int(attempt)


def play(count: int, sales: int, seed: int) -> list[float]:
    """One night; returns how long each sale waited.

    Args:
        count: profiles.
        sales: that come in within the first ten minutes.
        seed: of when and whose they are.
    """
    from creator_pipeline.definitions import defs
    from creator_pipeline.runtime.context import instance, key_ring, warehouse
    from creator_pipeline.runtime.queue_jobs import job_queue
    from creator_pipeline.runtime.resources import WarehouseResource
    from creator_pipeline.store import profiles
    from creator_pipeline_tests.support.code_location import schedule_named, sensor_named

    stored, rng, names = warehouse(), random.Random(seed), [f"p{number}" for number in range(count)]
    with stored.write() as connection:
        for name in names:
            profiles.add_profile(connection, name, f"{name}@example.com")
            for provider in ("gumroad", "whop"):
                profiles.connect(connection, key_ring(), provider, name, f"token of {name}")
    queue, coming = job_queue(stored), sorted(rng.uniform(0, 600) for _ in range(sales))
    with instance() as dagster:
        night, context = Night(dagster), dg.build_schedule_context(dagster, datetime.now(UTC))
        for schedule in map(schedule_named, SCHEDULES):
            asked: Any = schedule(context, warehouse=WarehouseResource())
            for request in asked:
                night.queue(schedule.job_name, request)
        sensor, resources = sensor_named("webhook_jobs"), {"warehouse": WarehouseResource()}
        while coming or night.came:
            night.end(queue)
            while coming and coming[0] <= night.clock:
                job_id = queue.enqueue(rng.choice(names), "gumroad", "webhook", {"sale_ids": ["a"]})
                night.came[job_id] = coming.pop(0)
            ticked: Any = sensor(dg.build_sensor_context(dagster, resources=resources, definitions=defs))
            for request in ticked.run_requests or ():
                night.queue(request.job_name, request)
            night.take_turns()
            night.begin()
            night.clock += STEP
    return night.waited


def main() -> int:
    """Exit 1 where no sale was read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=12)
    parser.add_argument("--sales", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
        os.environ |= {"DAGSTER_HOME": folder, "DATABASE_URL": f"sqlite:///{folder}/warehouse.db"}
        waited = sorted(play(asked.profiles, asked.sales, asked.seed))
    if not waited:
        return 1
    p50, p95 = statistics.median(waited), waited[min(len(waited) - 1, int(len(waited) * 0.95))]
    print(
        f"{len(waited)} sales behind {asked.profiles} profiles: p50 {p50:.0f} s, p95 {p95:.0f} s, most {waited[-1]:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
