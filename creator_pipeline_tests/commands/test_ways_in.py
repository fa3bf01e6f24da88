"""Each documented way to load days, by the exact line of the documentation."""

import os
import signal
import subprocess
import time

import pytest
from sqlalchemy import func, select

from creator_pipeline.core.windows import today
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests import house as small
from creator_pipeline_tests.house import WINDOW
from creator_pipeline_tests.tables import digests

FIRST, LAST = WINDOW.start.isoformat(), today().isoformat()
RANGE = f"{FIRST}|alice...{LAST}|alice"
BACKFILL = ("backfill", "gumroad", "--profile", "alice", "--from", FIRST, "--to", LAST)


def test_a_backfill_here_and_now_loads_every_day_also_when_it_was_killed_in_the_middle(with_alice):
    """Guards: half a year that stays half after a power cut, and a second attempt that doubles the first half."""
    project = with_alice
    code, said = project.run("creator-pipeline", *BACKFILL)
    assert code == 0, said
    assert f"{WINDOW.days} days of alice are in the ledger (1 run)" in said
    assert small.wrong_days(project.house, project.server, "alice") == []
    whole = digests(project.house)
    with project.house.write() as connection:
        for table in ("gumroad_sales", "sales_events", "daily_revenue"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    asked = project.server.faults.requests.total()
    project.server.faults.delay = 1.0
    project.server.faults.every(1, "slow", path="/v2/sales")
    process = project.start("creator-pipeline", *BACKFILL)
    deadline = time.monotonic() + 40
    while project.server.faults.requests.total() < asked + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGKILL
    project.server.faults.clear()
    code, said = project.run("creator-pipeline", *BACKFILL)
    assert code == 0, said
    assert "Resumed" in said
    assert digests(project.house) == whole


def test_a_failed_backfill_says_so_by_its_exit_code(with_alice):
    """Guards: a cron job that is green over a hole in the ledger."""
    with_alice.server.world.gumroad.revoke("alice")
    code, said = with_alice.run("creator-pipeline", *BACKFILL)
    assert "refuses the token" in said
    assert "Run the same command again" in said
    assert code == 1, said


@pytest.mark.parametrize(
    "line",
    [
        (
            "dagster",
            "asset",
            "materialize",
            "-m",
            "creator_pipeline.definitions",
            "--select",
            "gumroad/sales,sales_events/gumroad",
            "--partition-range",
            RANGE,
        ),
        ("dg", "launch", "--assets", "gumroad/sales,sales_events/gumroad", "--partition-range", RANGE),
    ],
    ids=lambda line: line[0],
)
def test_dagsters_own_commands_load_a_range(with_alice, line):
    """Guards: a documented line that stopped working with a release."""
    code, said = with_alice.run(*line)
    assert code == 0, said[-3000:]
    assert small.wrong_days(with_alice.house, with_alice.server, "alice") == []


def test_a_daemon_does_what_is_handed_to_it(with_alice):
    """Guards: backfills that say COMPLETED and did nothing, because a location's name differs."""
    project = with_alice
    code, said = project.run("creator-pipeline", *BACKFILL[:-4], "--from", LAST, "--to", LAST, "--submit")
    assert code == 0, said
    assert "handed to the daemon" in said
    yesterday = WINDOW.end.fromordinal(WINDOW.end.toordinal() - 2).isoformat()
    code, said = project.run(
        "dagster",
        "job",
        "backfill",
        "-w",
        "workspace.yaml",
        "-j",
        "gumroad_sync",
        "--partitions",
        f"{yesterday}|alice",
        "--noprompt",
    )
    assert code == 0, said[-3000:]
    daemon = project.start("dagster-daemon", "run", "-w", "workspace.yaml", start_new_session=True)
    try:
        days = set()
        deadline = time.monotonic() + 75
        while len(days) < 2 and time.monotonic() < deadline:
            time.sleep(0.5)
            with project.house.read() as connection:
                days = set(connection.execute(select(sales_events.c.occurred_on).distinct()).scalars())
        assert {day.isoformat() for day in days} == {yesterday, LAST}
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        try:
            daemon.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.communicate()
    with project.house.read() as connection:
        assert connection.execute(select(func.count()).select_from(sales_events)).scalar_one()
