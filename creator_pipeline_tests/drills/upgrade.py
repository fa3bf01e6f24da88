"""An installation of an earlier commit is upgraded and goes on: ``python -m creator_pipeline_tests.drills.upgrade --before
CHECKOUT``.

CHECKOUT is a checkout of the commit before. Its code connects two sellers, runs its daemon (history, cursors of sensors),
begins a backfill that is killed in the middle, and leaves jobs in the queue. Then this checkout's code takes over the same
folders, with the earlier ``dagster.yaml``: it migrates, resumes the backfill by the same command, and its daemon works the
queue off. Exit 1 where the ledger isn't the platform's, a job is done twice or not at all, a mail is sent twice,
or one says of the resumed backfill that it failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_engine, text

from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer, World

SIZES = {"alice": 2_000, "bea": 60}
DAYS = 90
ENQUEUE = """
from creator_pipeline import settings
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.store.engine import open_warehouse
queue = JobQueue(open_warehouse(settings.load().warehouse_url), None)
for number, sale in enumerate({sales!r}):
    queue.enqueue("bea", "gumroad", "webhook", {{"sale_ids": [sale], "test": False}}, job_id=f"job{{number}}")
"""
WAIT_SECONDS = 240.0


class Installation:
    """The folders and variables that both checkouts work with."""

    def __init__(self, folder: Path, server: SandboxServer) -> None:
        self.home, self.url = folder / "home", f"sqlite:///{folder / 'warehouse.sqlite'}"
        self.home.mkdir()
        self.environment = {
            **os.environ,
            "DAGSTER_HOME": str(self.home),
            "DATABASE_URL": self.url,
            "GUMROAD_API_URL": server.gumroad_url,
            "WHOP_API_URL": server.whop_url,
            "RESEND_API_URL": server.resend_url,
            "RESEND_API_KEY": "re_of_the_sandbox",
            "FROM_EMAIL": "Pipeline <pipeline@example.com>",
            "OPS_EMAIL": "ops@example.com",
            "PIPELINE_START_DATE": str(today() - timedelta(days=DAYS)),
            "GUMROAD_REQUESTS_PER_MINUTE": "6000",
        }

    def start(self, checkout: Path, *words: str) -> subprocess.Popen[str]:
        """Start a command of a checkout's code."""
        environment = self.environment | {"PYTHONPATH": str(checkout)}
        return subprocess.Popen(
            words, cwd=checkout, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, checkout: Path, *words: str) -> str:
        """Run a command to its end; its output."""
        process = self.start(checkout, *words)
        said, _ = process.communicate(timeout=300)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)[:200]} ended with {process.returncode}:\n{said}")
        return said

    def ask(self, query: str) -> Sequence[tuple[object, ...]]:
        """Rows of the warehouse."""
        engine = create_engine(self.url)
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(text(query))]
        engine.dispose()
        return rows

    def daemon(self, checkout: Path) -> subprocess.Popen[str]:
        """Dagster's daemon with a checkout's code."""
        program = str(Path(sys.executable).with_name("dagster-daemon"))
        log = (self.home / "daemon.log").open("a", encoding="utf-8")
        return subprocess.Popen(
            [program, "run", "-m", "creator_pipeline.definitions"],
            cwd=checkout,
            env=self.environment | {"PYTHONPATH": str(checkout)},
            text=True,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[str], sign: signal.Signals = signal.SIGTERM) -> None:
    """End a process and what it started."""
    os.killpg(process.pid, sign)
    process.wait(60)


def until(what: str, done: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition.

    Raises:
        SystemExit: it didn't come in time.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)


def play(before: Path, folder: Path) -> list[str]:
    """The upgrade; returns what is wrong."""
    world = World.invented(7, today=today(), sizes=SIZES, days=DAYS)
    with SandboxServer(world) as server:
        at = Installation(folder, server)
        shutil.copyfile(before / "dagster.yaml", at.home / "dagster.yaml")
        cli = (sys.executable, "-m", "creator_pipeline")
        for name in SIZES:
            token = world.gumroad[name].token
            at.run(before, *cli, "profiles", "add", name, "--email", f"{name}@example.com", "--gumroad-token", token)
        first, last = str(today() - timedelta(days=DAYS - 1)), str(today())
        backfill = (*cli, "backfill", "gumroad", "--from", first, "--to", last, "--profile")
        at.run(before, *backfill, "bea")
        daemon = at.daemon(before)
        until("the daemon's sensors", (at.home / "schedules" / "schedules.db").exists)
        time.sleep(20)
        stop(daemon)
        killed = at.start(before, *backfill, "alice")
        landed = "SELECT count(*) FROM gumroad_sales WHERE profile_id = 'alice'"
        until("the first sales of alice", lambda: at.ask(landed)[0][0])
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        half = at.ask(landed)[0][0]
        sold = [world.gumroad.add_sale("bea", price=1_000 + number).id for number in range(3)]
        at.run(before, sys.executable, "-c", ENQUEUE.format(sales=sold))
        print(f"before: {half} of {SIZES['alice']} sales of alice when the backfill was killed, 3 jobs in the queue")

        print(at.run(ROOT, *cli, "migrate").strip())
        said = at.run(ROOT, *backfill, "alice")
        print(said.strip().splitlines()[0])
        daemon = at.daemon(ROOT)
        waiting = "SELECT count(*) FROM ingestion_jobs WHERE status IN ('queued', 'running')"
        until("the queue", lambda: not at.ask(waiting)[0][0])
        time.sleep(15)
        stop(daemon)
        wrong = [] if "Resumed" in said else ["the backfill was not resumed"]
        warehouse = open_warehouse(at.url)
        for name in SIZES:
            wrong += [f"{name}: {off}" for off in differences(warehouse, name, world.gumroad.totals(name))]
        warehouse.engine.dispose()
        jobs = at.ask("SELECT id, kind, status, attempts FROM ingestion_jobs ORDER BY kind, id")
        wrong += [f"job {job}" for job in jobs if job[2] != "completed" or (job[1] == "webhook" and job[3] != 1)]
        mails = Counter((mail.payload["to"][0], mail.payload["text"]) for mail in server.resend.inbox)
        wrong += [f"{count} mails {mail}" for mail, count in mails.items() if count > 1]
        # No daemon was up between the kill and the end of the resumed backfill.
        subjects = [str(mail.payload["subject"]) for mail in server.resend.inbox]
        wrong += [
            f"told of what was done: {one}"
            for one in subjects
            if one.endswith(("partition failed", "partitions failed"))
        ]
        print(f"after: {len(jobs)} jobs, {len(subjects)} mails: {sorted(subjects)}")
        return wrong


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the commit before")
    before = parser.parse_args().before.resolve()
    with tempfile.TemporaryDirectory() as folder:
        wrong = play(before, Path(folder))
    print("\n".join(wrong) or "Equal to the platform's totals; every job once, no mail twice.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
