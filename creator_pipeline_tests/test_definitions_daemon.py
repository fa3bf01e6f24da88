"""What a real daemon does by itself: one of them for all, because starting it costs more than its work."""

import contextlib
import os
import signal
import subprocess
import time

import psutil
import pytest
from sqlalchemy import select

from creator_pipeline.core.windows import today
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.installation import WINDOW
from creator_pipeline_tests.support.kdp_samples import ESTIMATOR, FINAL, FIXTURES, MANIFEST

TODAY = today().isoformat()
YESTERDAY = WINDOW.end.fromordinal(WINDOW.end.toordinal() - 2).isoformat()


def waited(condition, daemon) -> float:
    """Seconds until it holds. However busy the machine is: only a daemon that has ended or the test's own bound ends it."""
    started = time.monotonic()
    while not condition():
        assert daemon.poll() is None, "the daemon has ended"
        time.sleep(0.2)
    return time.monotonic() - started


def days_of(warehouse, platform: str) -> set[str]:
    """Days of the ledger that have rows of a platform."""
    events = sales_events.c
    with warehouse.read() as connection:
        rows = connection.execute(select(events.occurred_on).where(events.platform == platform).distinct()).scalars()
        return {day.isoformat() for day in rows}


def fork_servers(home) -> list[psutil.Process]:
    """Those whose forks are the runs of an installation."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(process.info["cmdline"] or [])
        if "multiprocessing.forkserver" in words and process.info["cwd"] == str(home):
            found.append(process)
    return found


def hand_over_two_days(project) -> None:
    """Today by our command, yesterday by Dagster's."""
    code, said = project.fork(
        *("creator-pipeline", "backfill", "gumroad", "--profile", "alice"), "--from", TODAY, "--to", TODAY, "--submit"
    )
    assert code == 0, said
    assert "handed to the daemon" in said
    code, said = project.fork(
        *("dagster", "job", "backfill", "-w", "workspace.yaml", "-j", "gumroad_sync"),
        *("--partitions", f"{YESTERDAY}|alice", "--noprompt"),
    )
    assert code == 0, said[-3000:]


@pytest.mark.timeout(480)
def test_a_daemon_does_what_is_handed_to_it_and_takes_the_files_that_are_dropped(with_alice, record_property):
    """Guards: backfills that say COMPLETED and did nothing, because a location's name differs; an upload that waits
    for the night; and the process that runs are forked from, which must be there and go when the daemon goes.
    """
    project, warehouse, inbox = with_alice, with_alice.warehouse, with_alice.root / "home" / "kdp_inbox" / "alice"
    hand_over_two_days(project)
    kdp_landing.drop(ESTIMATOR, inbox)
    # A file: on a busy machine it said more than a pipe holds, and stood still for ever in the middle of its work.
    with (project.root / "daemon.log").open("w") as said:
        daemon = project.start("dagster-daemon", "run", "-w", "workspace.yaml", stdout=said, start_new_session=True)
    try:
        waited(lambda: days_of(warehouse, "gumroad") == {YESTERDAY, TODAY}, daemon)
        waited(lambda: kdp_landing.quantity(warehouse) == MANIFEST[ESTIMATOR.name]["net_units"], daemon)
        kdp_landing.drop(FIXTURES / "csv_missing_currency_column.csv", inbox)
        kdp_landing.drop(FINAL, inbox)
        record_property(
            "seconds_from_drop_to_ledger",
            round(waited(lambda: kdp_landing.royalties(warehouse, "pages_read") != {}, daemon), 1),
        )
        waited(lambda: "rejected" in kdp_landing.statuses(warehouse).values(), daemon)
        waited(lambda: fork_servers(project.root), daemon)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(daemon.pid, signal.SIGTERM)
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
    assert psutil.wait_procs(fork_servers(project.root), timeout=60)[1] == []
