"""One mail for each event, whatever fails: ``python -m creator_pipeline_tests.drills.mail``.

Two hundred profiles, each with one run; a third of the accounts refuse to show their sales. The nightly schedule
launches some of the runs through the daemon, processes as of commands do the others, and calls of the auth hook ask
the gateway for mails meanwhile. Resend answers 429, 500, 409, time-outs and broken answers at random. The gateway and
the daemon are each killed twice (``kill -9``), and so are the processes in the middle of a run. At the end the
sandbox's inbox must hold each event's mail exactly once, counted by idempotency key. Exit 1 on any difference.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import dagster as dg
import httpx
import orjson
from standardwebhooks import Webhook

from creator_pipeline.core.windows import today
from creator_pipeline.mail import mailer
from creator_pipeline_tests.drills.common import begin
from creator_pipeline_tests.drills.launches import nightly
from creator_pipeline_tests.faults.system import System
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.sandbox import World

FAULTS = ["rate_limit_exceeded", "application_error", "concurrent_idempotent_requests", "502", "truncated", "reset"]
RUNNERS = 2
HOOK_KEY = base64.b64encode(b"k" * 32).decode()


def trouble(system: System, rng: random.Random, share: float) -> Counter[str]:
    """Resend fails at random from now on, one time in ten by a time-out; returns what is counted by kind."""
    faults, plain, seen = system.sandbox.faults, system.sandbox.faults.next_fault, Counter[str]()
    faults.delay, lock = mailer.TIMEOUT_SECONDS + 1.0, threading.Lock()

    def next_fault(path: str, token: str) -> str | None:
        if path != "/emails":
            return plain(path, token)
        with lock:
            if rng.random() >= share:
                return None
            kind = "slow" if rng.random() < 0.1 else rng.choice(FAULTS)
            seen[kind] += 1
            return kind

    vars(faults)["next_fault"] = next_fault
    return seen


def connect(system: System, profiles: list[str]) -> None:
    """Profiles that want every mail; every third lacks a scope."""
    system.add_profiles(*profiles)
    with system.warehouse.write() as connection:
        connection.exec_driver_sql("UPDATE profiles SET notify = 'every', email = id || '@example.com'")
    for profile in profiles:
        if fails(profile):
            system.sandbox.world.gumroad.drop_scope(profile, "view_sales")
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("gumroad_profiles", profiles)


def fails(profile: str) -> bool:
    """Whether a profile's run fails."""
    return int(profile[1:]) % 3 == 2


class Runner:
    """A process that does runs and is killed in the middle of some; another one goes on with the next profile."""

    def __init__(self, system: System, profiles: list[str], kills: int) -> None:
        self._system, self._left = system, profiles
        self._victims = {profiles[len(profiles) * (n + 1) // (kills + 1)] for n in range(kills)}
        self.killed: list[str] = []

    def work(self) -> None:
        """Until every profile had its turn."""
        while self._left:
            with subprocess.Popen(
                [sys.executable, "-m", "creator_pipeline_tests.drills.runner", *self._left],
                cwd=self._system.folder / "home",
                env=self._system.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    profile = line.strip()
                    self._left = self._left[self._left.index(profile) + 1 :]
                    if profile in self._victims:
                        # Long enough for the run to have begun.
                        time.sleep(0.4)
                        process.kill()
                        self.killed.append(profile)
                        break


def sign_up(system: System, number: int) -> int:
    """A call of Supabase's hook, tried again until it is answered; returns how often."""
    call = {
        "metadata": {"uuid": f"drill-{number}", "time": "2026-11-23T10:00:00Z", "name": "send-email"},
        "user": {"email": f"new{number}@example.com"},
        "email_data": {"token": "123456", "token_hash": "a" * 56, "email_action_type": "signup", "redirect_to": ""},
    }
    body, secret = orjson.dumps(call), f"whsec_{HOOK_KEY}"
    for tries in range(1, 1000):
        at = datetime.now(UTC)
        headers = {
            "webhook-id": f"try_{number}_{tries}",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(f"try_{number}_{tries}", at, body.decode()),
        }
        try:
            answer = local_http.post(f"{system.gateway_url}/webhooks/auth", content=body, headers=headers, timeout=5)
            if answer.status_code == 200:
                return tries
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise RuntimeError("The gateway never answered.")


def mischief(system: System, seconds: float) -> None:
    """Gateway and daemon are each killed twice, evenly over so many seconds."""
    for part in ("gateway", "daemon", "gateway", "daemon"):
        time.sleep(seconds / 5)
        began = time.monotonic()
        system.kill(part, tree=True)
        system.start(part)
        print(f"  {part} killed, back after {time.monotonic() - began:.1f} s", flush=True)


def expected(system: System, profiles: list[str], killed: list[str], calls: int) -> Counter[tuple[str, str]]:
    """(kind, reader) of every mail there must be."""
    wanted: Counter[tuple[str, str]] = Counter()
    lost = lost_runs(system, killed)
    print(f"  killed in their runs: {killed}, of these lost: {sorted(lost)}")
    for profile in profiles:
        # A process that was killed is no owner's concern; pipeline_health tells operators of what it left.
        if profile not in lost:
            kind = "ingestion_failed" if fails(profile) else "ingestion_completed"
            wanted[kind, f"{profile}@example.com"] += 1
    for number in range(calls):
        wanted["signup_confirmation", f"new{number}@example.com"] += 1
    return wanted


def lost_runs(system: System, killed: list[str]) -> set[str]:
    """Of the profiles whose process was killed, those whose run had begun and was not at its end."""
    tags = "SELECT value FROM run_tags WHERE key = 'creator_pipeline/profile' AND run_id = runs.run_id"
    rows = system.ask(f"SELECT ({tags}), status FROM runs WHERE pipeline_name = 'gumroad_sync'", "dagster")
    status = {str(profile): state for profile, state in rows}
    assert all(profile in status for profile in killed), "A process was killed before its run began."
    return {profile for profile in killed if status[profile] == "FAILURE"}


def check(system: System, wanted: Counter[tuple[str, str]]) -> list[str]:
    """What isn't as it should be."""
    inbox = system.sandbox.resend.inbox
    keys = Counter(mail.idempotency_key for mail in inbox)
    wrong = [f"{count} mails under the key {key}" for key, count in keys.items() if count > 1]
    rows = {row[0]: row[1:] for row in system.ask("SELECT id, status, attempts FROM email_messages")}
    wrong += [f"{key} is {status} after {tries} attempts" for key, (status, tries) in rows.items() if status != "sent"]
    wrong += [f"{key} is in the outbox only" for key in rows.keys() - keys.keys()]
    wrong += [f"{key} is in the inbox only" for key in keys.keys() - rows.keys()]
    found: Counter[tuple[str, str]] = Counter()
    for mail in inbox:
        # What pipeline_health finds are events of their own.
        if not str(mail.idempotency_key).startswith("health"):
            kind = next(tag["value"] for tag in mail.payload["tags"] if tag["name"] == "kind")
            found[kind, mail.payload["to"][0]] += 1
    wrong += [f"missing: {kind} to {to}, {count} times" for (kind, to), count in (wanted - found).items()]
    wrong += [f"too many: {kind} to {to}, {count} times" for (kind, to), count in (found - wanted).items()]
    attempts = [tries for _, tries in rows.values()]
    print(f"  {len(inbox)} mails in the inbox under {len(keys)} keys, {len(rows)} in the outbox")
    print(f"  attempts: {sum(attempts)}, at most {max(attempts)} for one mail; kinds: {dict(kinds(found))}")
    return wrong


def kinds(found: Counter[tuple[str, str]]) -> Counter[str]:
    """Mails by kind."""
    total: Counter[str] = Counter()
    for (kind, _), count in found.items():
        total[kind] += count
    return total


def main() -> int:
    """Everything; returns the exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--daemon-runs", type=int, default=20, help="of these, launched by the schedule")
    options.add_argument("--calls", type=int, default=40, help="calls of the auth hook")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=150.0, help="over which the kills are spread")
    options.add_argument("--drain-seconds", type=float, default=400.0)
    wish = options.parse_args()
    profiles = [f"p{number:03}" for number in range(wish.runs)]
    nightly_ones, others = profiles[: wish.daemon_runs], profiles[wish.daemon_runs :]
    world = World.invented(wish.seed, today=today(), sizes=dict.fromkeys(profiles, 2), days=2)
    secrets = {"supabase_hook_secret": f"v1,whsec_{HOOK_KEY}"}
    with System(world, secrets=secrets) as system:
        os.environ |= system.environment()
        begin(system)
        connect(system, nightly_ones)
        failures = trouble(system, random.Random(wish.seed), 0.3)
        began = time.monotonic()
        print(f"{wish.runs} runs, {wish.calls} calls of the auth hook, load {os.getloadavg()[0]:.1f}", flush=True)
        nightly(system)
        connect(system, others)
        runners = [Runner(system, others[n::RUNNERS], kills=2) for n in range(RUNNERS)]
        with ThreadPoolExecutor(RUNNERS + 3) as pool:
            jobs = [pool.submit(runner.work) for runner in runners]
            jobs.append(pool.submit(mischief, system, wish.seconds))
            pauses = random.Random(wish.seed + 1)
            tries = 0
            for number in range(wish.calls):
                tries += sign_up(system, number)
                time.sleep(pauses.uniform(0, 2 * wish.seconds / wish.calls))
            for job in jobs:
                job.result()
        killed = [profile for runner in runners for profile in runner.killed]
        print(f"  all launched after {time.monotonic() - began:.0f} s; the hook was called {tries} times", flush=True)
        wrong: list[str] = []
        try:
            system.wait_until_quiet(wish.drain_seconds, steady=12)
        except TimeoutError as error:
            wrong.append(str(error))
        print(f"  quiet after {time.monotonic() - began:.0f} s; Resend failed by {dict(failures)}")
        wrong += check(system, expected(system, profiles, killed, wish.calls))
    for line in wrong:
        print(f"  WRONG: {line}")
    print("Each event one mail, none lost." if not wrong else f"{len(wrong)} differences.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
