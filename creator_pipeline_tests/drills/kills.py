"""Each process is killed in turn, at a random instant of a working day, and started again.

``python -m creator_pipeline_tests.drills.kills --rounds 50`` keeps one installation up over all rounds. In each a
backfill of a command, a run of the night in Dagster's queue and webhooks are at work while the victim dies: the code
server, the daemon, the gateway, the process of a run, the command. Whatever was killed is started again, and a command
is given again. Within two minutes no slot, lease or run may be held by the dead. The rest of the work must come to its
end, however long a busy machine takes: a round is broken when nothing moves for :data:`STALLED_SECONDS`. Then, in any
case, ledger, deliveries and mails are compared with the platforms: no queued run may be lost, and no profile be stale.
A line a round says so, and exit 1 that one broke it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import psutil

from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.runtime.liveness import PROCESS_TAG, is_gone
from creator_pipeline.runtime.tags import account_tags, range_tags
from creator_pipeline_tests.drills.undone import progress, undone
from creator_pipeline_tests.faults import oracle
from creator_pipeline_tests.faults.forked_system import PROFILES, ForkedSystem
from creator_pipeline_tests.faults.system import DAYS
from creator_pipeline_tests.faults.traffic import Traffic
from creator_pipeline_tests.support.forkserver import Child

VICTIMS = ("code", "daemon", "gateway", "run", "command")
WITHIN_SECONDS = 120.0
STALLED_SECONDS = 180.0
"""Longer than a lease, and than any wait between attempts."""
QUIET_SECONDS = 3.0
"""Without open work, and the round is over: several iterations of the queue."""
MOST_SECONDS = 1800.0
"""Of one round: what moves and never ends is broken too."""
INSTANT_SECONDS = 4.0
"""Longest wait before the kill: a round's work takes about as long."""
OVER = "('SUCCESS', 'FAILURE', 'CANCELED')"
HELD = {
    "slot held by a run that is over": (
        "dagster",
        f"SELECT s.run_id FROM concurrency_slots s JOIN runs r ON r.run_id = s.run_id WHERE r.status IN {OVER}",
    ),
    "step that waits for a slot, of a run that is over": (
        "dagster",
        f"SELECT s.run_id FROM pending_steps s JOIN runs r ON r.run_id = s.run_id WHERE r.status IN {OVER}",
    ),
}
"""What the dead may not hold: database and query."""
BEGUN = f"""
    SELECT r.run_id, t.value FROM runs r LEFT JOIN run_tags t ON t.run_id = r.run_id AND t.key = '{PROCESS_TAG}'
    WHERE r.status IN ('STARTED', 'STARTING', 'CANCELING')
"""
LAUNCH = """
    mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
      __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
PARTITIONS = "SELECT count(*) FROM dynamic_partitions WHERE partitions_def_name = 'gumroad_profiles'"
DROPPED = "SELECT count(*) FROM event_logs WHERE event LIKE '%dropping it from the queue%'"


class Round:
    """One round.

    Attributes:
        launched: runs that were put into Dagster's queue.
        notes: what happened.
    """

    def __init__(self, system: ForkedSystem, traffic: Traffic, rng: random.Random, victim: str, within: float) -> None:
        self.system, self.traffic, self.rng, self.victim, self.within = system, traffic, rng, victim, within
        self.launched: list[str] = []
        self.notes: list[str] = []
        shuffled = rng.sample(PROFILES, len(PROFILES))
        self.of_command, self.of_night = shuffled[0], shuffled[1]
        self.window = DayWindow(today() - timedelta(days=DAYS - 1), today() + timedelta(days=1))

    def play(self) -> list[str]:
        """Work, kill, start again; what is wrong two minutes after."""
        dropped = self.system.ask(DROPPED, "dagster")
        self.traffic.sales()
        command = self.backfill()
        self.night()
        self.traffic.sales()
        time.sleep(self.rng.uniform(0.0, INSTANT_SECONDS))
        self.kill(command)
        self.system.start()
        up = time.monotonic()
        self.traffic.sales()
        found = list[str]()
        if command.wait(MOST_SECONDS) and self.backfill().wait(MOST_SECONDS):
            found.append(f"the command given again ends badly: {self.system.log_of('commands')[-800:]}")
        found += self.settle(up)
        if (after := self.system.ask(DROPPED, "dagster")) != dropped:
            found.append(f"queued runs were dropped: {dropped} before, {after} now")
        return found

    def backfill(self) -> Child:
        """The command, at work."""
        first, last = self.window.start, self.window.end - timedelta(days=1)
        words = ("backfill", "gumroad", "--profile", self.of_command, "--from", str(first), "--to", str(last))
        return self.system.fork(*words)

    def night(self) -> None:
        """A run as the schedule asks for it, in Dagster's queue."""
        tags = {**range_tags(self.window, self.of_night), **account_tags("gumroad", self.of_night)}
        tags["creator_pipeline/trigger"] = "nightly"
        selector = {
            "repositoryLocationName": "creator_pipeline",
            "repositoryName": "__repository__",
            "jobName": "gumroad_sync",
        }
        params = {
            "selector": selector,
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        url = f"http://127.0.0.1:{self.system.ports['webserver']}/graphql"
        answer: Any = httpx.post(url, json={"query": LAUNCH, "variables": {"params": params}}, timeout=60).json()
        launched = answer["data"]["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        self.launched.append(launched["run"]["runId"])

    def kill(self, command: Child) -> None:
        """``kill -9`` of this round's victim."""
        if self.victim == "command":
            pid = command.pid if command.poll() is None else None
        elif self.victim == "run":
            # With the code server apart, runs are its children.
            children = psutil.Process(self.system.processes["code"].pid).children()
            pid = self.rng.choice(children).pid if children else None
        else:
            self.system.kill(self.victim)
            return
        if pid is None:
            self.notes.append(f"no {self.victim} was at work")
            return
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()

    def settle(self, up: float) -> list[str]:
        """What is wrong when nothing is open any more, or nothing moves any more.

        Args:
            up: moment of the monotonic clock at which the processes were up again.
        """
        found, before, moved, late = list[str](), object(), up, set[str]()
        while True:
            held, not_done = self.held(), self.not_done()
            now = time.monotonic()
            if now - up > self.within:
                late.update(held)
            if (state := progress(self.system)) != before:
                before, moved = state, now
            if not held and not not_done:
                break
            if now - moved > STALLED_SECONDS or now - up > MOST_SECONDS:
                stalled = f"nothing moved for {now - moved:.0f} s, {now - up:.0f} s after the processes were up"
                found = [stalled, *held, *not_done, *undone(self.system)]
                break
            time.sleep(0.5)
        self.notes.append(f"done {time.monotonic() - up:.0f} s after")
        found += [f"after {self.within:.0f} s: {line}" for line in sorted(late)]
        # What the gateway didn't get while it was away is read by the night; nobody can read it before.
        for name in self.traffic.behind():
            self.system.read_all(name)
            self.traffic.caught_up[name] = self.traffic.lost(name)
        if not found:
            try:
                self.system.wait_until_quiet(STALLED_SECONDS, steady=QUIET_SECONDS)
            except TimeoutError as error:
                found = [f"it doesn't come to rest: {error}", *undone(self.system)]
        return [*found, *oracle.unfinished(self.system), *oracle.violations(self.system, self.traffic)]

    def held(self) -> list[str]:
        """What the dead hold."""
        ask = self.system.ask
        found = [f"{what}: {row[0]}" for what, (database, query) in HELD.items() for row in ask(query, database)]
        found += [f"run {run_id} is held by the dead" for run_id, tag in ask(BEGUN, "dagster") if tag and is_gone(tag)]
        ended = {row[0] for row in ask(f"SELECT run_id FROM runs WHERE status IN {OVER}", "dagster")}
        leases = ask("SELECT id, run_id FROM ingestion_jobs WHERE status = 'running' AND kind <> 'backfill'")
        return found + [f"job {job} is leased to run {run}, which is over" for job, run in leases if run in ended]

    def not_done(self) -> list[str]:
        """What isn't done."""
        found = [f"not done: {count} {what}" for what, count in self.system.open_work().items()]
        return found + [f"run {run_id} of the night is lost" for run_id in self.launched if not self.done(run_id)]

    def done(self, run_id: str) -> bool:
        """Whether a run, or one that Dagster made of it when it crashed, ended well."""
        query = f"""
            SELECT count(*) FROM runs r LEFT JOIN run_tags t ON t.run_id = r.run_id AND t.key = 'dagster/root_run_id'
            WHERE r.status = 'SUCCESS' AND (r.run_id = '{run_id}' OR t.value = '{run_id}')
        """
        return self.system.ask(query, "dagster")[0][0] > 0


def rounds(count: int, seed: int, say: Callable[[str], object], within: float = WITHIN_SECONDS) -> int:
    """Play so many rounds over one installation; returns how many broke a promise."""
    broken = 0
    with ForkedSystem(runner="processes") as system, httpx.Client(timeout=15) as http:
        system.start()
        traffic = Traffic(system, system.add_profiles(), random.Random(seed), http)
        # Runs can be launched once the sensor has made the profiles' partitions.
        while system.ask(PARTITIONS, "dagster")[0][0] < len(PROFILES):
            time.sleep(0.5)
        for number in range(count):
            rng = random.Random(f"{seed}/{number}")
            traffic.rng = rng
            this, began = Round(system, traffic, rng, VICTIMS[number % len(VICTIMS)], within), time.monotonic()
            found = this.play()
            broken += bool(found)
            notes = f"  ({'; '.join(this.notes)})" if this.notes else ""
            seconds = time.monotonic() - began
            say(f"{number + 1:4} {this.victim:8} {seconds:6.1f} s  {'BROKEN' if found else 'ok'}{notes}")
            for line in found:
                say(f"       {line}")
    return broken


def main() -> int:
    """Exit code 1 when a round broke a promise."""
    parser = argparse.ArgumentParser(prog="creator_pipeline_tests.drills.kills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--within",
        type=float,
        default=WITHIN_SECONDS,
        help="seconds until the dead hold nothing; more where others work",
    )
    wish = parser.parse_args()
    broken = rounds(wish.rounds, wish.seed, lambda line: print(line, flush=True), wish.within)
    print(f"{wish.rounds} rounds, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
