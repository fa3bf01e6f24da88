"""Dump, destroy, restore, sync: equal. ``python -m creator_pipeline_tests.drills.restore``.

The whole installation is at work: sales, refunds, memberships, uploads, mails. Its two databases are dumped as
docs/runbook.md says; the world goes on and is read; then every process is killed, both databases and Redis's data
are gone, and only the dumps, the keys and the inbox are left. They are restored, the commands of the runbook are
run, and more happens. At the end the ledger must equal the platforms' totals, uploads be what was sent, no job be
left, and no mail be in an inbox twice. Exit 1 on any difference.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.platforms.kdp.sandbox.reports import ledger_totals
from creator_pipeline.platforms.whop.sandbox.compare import differences as whop_differences
from creator_pipeline_tests.drills.common import begin
from creator_pipeline_tests.faults.parts import SERVERS
from creator_pipeline_tests.faults.system import DAYS, SIZES, System
from creator_pipeline_tests.faults.traffic import Traffic
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.sandbox import World
from creator_pipeline_tests.support.servers import postgres_binaries

DATABASES = ("dagster", "warehouse")
"""In this order: what Dagster believes to have landed is then in the warehouse's dump."""


def tool(system: System, name: str, *arguments: str) -> None:
    """One of PostgreSQL's programs; they may be newer than the server, not older."""
    path = shutil.which(name) or str(postgres_binaries() / name)
    subprocess.run([path, *arguments], check=True, env=system.environment())


def dump(system: System, folder: Path) -> None:
    """Both databases, while everything works."""
    for name in DATABASES:
        tool(system, "pg_dump", "--format=custom", f"--file={folder / name}.dump", system.database_url(name))


def destroy(system: System) -> None:
    """Everything but the dumps, the keys and the inbox."""
    for part in ("daemon", "code", "gateway", "webserver", "redis"):
        system.kill(part, tree=True)
    for name in DATABASES:
        system.drop_database(name)
    for file in (system.folder / "redis").rglob("*"):
        if file.is_file():
            file.unlink()


def restore(system: System, folder: Path) -> None:
    """From the dumps; then every process starts."""
    for name in DATABASES:
        system.create_database(name)
        tool(system, "pg_restore", "--exit-on-error", f"--dbname={system.database_url(name)}", f"{folder / name}.dump")
    system.start(*(part for part in SERVERS if not system.running(part)))
    system.start()


def read_again(system: System, profiles: list[str]) -> list[str]:
    """The runbook's commands: every profile and source from the first day; returns what failed."""
    first, last = (today() - timedelta(days=DAYS + 2)).isoformat(), today().isoformat()
    wrong = list[str]()
    for profile in profiles:
        for source in ("gumroad", "whop"):
            done = system.run(
                "creator-pipeline", "backfill", source, "--profile", profile, "--from", first, "--to", last
            )
            if done.returncode:
                wrong.append(f"backfill {source} of {profile}: {done.stdout[-500:]} {done.stderr[-500:]}")
    done = system.run("creator-pipeline", "webhooks", "replay", "--all")
    return wrong + ([done.stderr[-500:]] if done.returncode else [])


def happen(traffic: Traffic, times: int) -> None:
    """Sales, a report, and mails somebody waits for."""
    for _ in range(times):
        traffic.sales()
    traffic.upload()
    traffic.auth_mail()


def check(system: System, traffic: Traffic, profiles: list[str]) -> list[str]:
    """What isn't as it should be."""
    warehouse, world, wrong = system.warehouse, system.sandbox.world, list[str]()
    for name in profiles:
        wrong += [f"Gumroad of {name}: {off}" for off in differences(warehouse, name, world.gumroad.totals(name))]
        wrong += [f"Whop of {name}: {off}" for off in whop_differences(warehouse, name, world.whop.totals(name))]
    for (name, month), report in traffic.reports.items():
        here = ledger_totals(warehouse, name, month)
        wrong += [f"KDP of {name}, {month}: {here}, report {report.totals}"] if here != report.totals else []
    jobs = system.ask("SELECT id, status, error FROM ingestion_jobs WHERE status NOT IN ('completed')")
    wrong += [f"job {job}" for job in jobs]
    return wrong + twice(system, traffic)


def twice(system: System, traffic: Traffic) -> list[str]:
    """Mails that somebody got twice, or never."""
    inbox = system.sandbox.resend.inbox
    keys = Counter(mail.idempotency_key for mail in inbox)
    wrong = [f"mail {key} was sent {count} times" for key, count in keys.items() if count > 1]
    wrong += [f"the mail of call {key} is in no inbox" for key in traffic.auth if not any(key in str(k) for k in keys)]
    told = Counter(
        (mail.payload["to"][0], mail.payload["text"].partition("\n\n")[2][:400])
        for mail in inbox
        if {"name": "kind", "value": "ingestion_completed"} in mail.payload["tags"]
    )
    wrong += [
        f"{count} mails to {to} tell of one thing: {text[:200]!r}" for (to, text), count in told.items() if count > 1
    ]
    unsent = system.ask("SELECT id, status, error FROM email_messages WHERE status IN ('failed', 'held', 'queued')")
    return wrong + [f"mail {row}" for row in unsent]


def counts(system: System) -> str:
    """Rows of the ledger, deliveries, jobs, mails."""
    tables = ("sales_events", "webhook_events", "ingestion_jobs", "email_messages", "kdp_uploads")
    rows = {name: system.ask(f"SELECT count(*) FROM {name}")[0][0] for name in tables}
    return ", ".join(f"{name} {count}" for name, count in rows.items())


def main() -> int:
    """Everything; returns the exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=20, help="before the dump, between it and the loss, and after")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=240.0, help="for the system to come to rest, each time")
    wish = options.parse_args()
    world = World.invented(wish.seed, today=today(), sizes=SIZES, days=DAYS)
    with System(world) as system, local_http.Client(timeout=20) as http:
        os.environ |= system.environment()
        begin(system)
        keys = system.add_profiles()
        profiles, wrong = list(keys), list[str]()
        traffic = Traffic(system, keys, random.Random(wish.seed), http)
        wrong += read_again(system, profiles)
        happen(traffic, wish.events)
        system.wait_until_quiet(wish.seconds)
        print(f"before the dump: {counts(system)}", flush=True)
        # At work, not at rest: what is under way is in the dump as under way.
        happen(traffic, 3)
        began = time.monotonic()
        dump(system, system.folder)
        sizes = {name: (system.folder / f"{name}.dump").stat().st_size // 1024 for name in DATABASES}
        print(f"dumped in {time.monotonic() - began:.1f} s: {sizes} KiB", flush=True)
        happen(traffic, wish.events)
        system.wait_until_quiet(wish.seconds)
        mails = len(system.sandbox.resend.inbox)
        print(f"before the loss: {counts(system)}; {mails} mails sent", flush=True)
        destroy(system)
        happened_meanwhile = traffic.sales()
        began = time.monotonic()
        restore(system, system.folder)
        print(f"restored and started in {time.monotonic() - began:.1f} s: {counts(system)}", flush=True)
        lost = check(system, traffic, profiles)
        print(f"differences right after the restore: {len(lost)}", flush=True)
        began = time.monotonic()
        wrong += read_again(system, profiles)
        print(f"read again in {time.monotonic() - began:.1f} s", flush=True)
        happen(traffic, wish.events)
        try:
            system.wait_until_quiet(wish.seconds)
        except TimeoutError as error:
            wrong.append(str(error))
        print(f"at the end: {counts(system)}; {len(system.sandbox.resend.inbox)} mails sent", flush=True)
        wrong += check(system, traffic, profiles)
        print(f"sold while nothing ran: by {happened_meanwhile}; its ping was lost, the backfill found it")
    for line in wrong:
        print(f"  WRONG: {line}")
    print("Equal after the restore, no mail twice." if not wrong else f"{len(wrong)} differences.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
