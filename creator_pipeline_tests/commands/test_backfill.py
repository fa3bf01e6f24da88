"""Each documented way to load days, by the exact line of the documentation."""

import signal
import time

import pytest

from creator_pipeline.core.windows import today
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.installation import WINDOW
from creator_pipeline_tests.support.tables import digests

FIRST, LAST = WINDOW.start.isoformat(), today().isoformat()
RANGE = f"{FIRST}|alice...{LAST}|alice"
BACKFILL = ("backfill", "gumroad", "--profile", "alice", "--from", FIRST, "--to", LAST)


def test_a_backfill_here_and_now_loads_every_day_also_when_it_was_killed_in_the_middle(with_alice):
    """Guards: half a year that stays half after a power cut, and a second attempt that doubles the first half."""
    project = with_alice
    code, said = project.fork("creator-pipeline", *BACKFILL)
    assert code == 0, said
    assert f"{WINDOW.days} days of alice are in the ledger (1 run)" in said
    assert small.wrong_days(project.warehouse, project.server, "alice") == []
    whole = digests(project.warehouse)
    with project.warehouse.write() as connection:
        for table in ("gumroad_sales", "sales_events", "daily_revenue"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    asked = project.server.faults.requests.total()
    project.server.faults.delay = 1.0
    project.server.faults.every(1, "slow", path="/v2/sales")
    process = project.start("creator-pipeline", *BACKFILL)
    deadline = time.monotonic() + 60
    while project.server.faults.requests.total() < asked + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    project.server.faults.clear()
    code, said = project.fork("creator-pipeline", *BACKFILL)
    assert code == 0, said
    assert "Resumed" in said
    assert digests(project.warehouse) == whole


def test_several_profiles_in_one_command_and_one_fault_keeps_no_other(with_alice):
    """Incident: a command for each of a dozen profiles, and a script that stopped at the first that failed."""
    line = ["backfill", "gumroad", "--from", LAST, "--to", LAST]
    code, said = with_alice.fork("creator-pipeline", *line, "--profile", "nobody", "--profile", "alice")
    assert (code, "no profile 'nobody'" in said, "1 day of alice is in the ledger (1 run)" in said) == (
        2,
        True,
        True,
    ), said
    code, said = with_alice.fork("creator-pipeline", *line, "--all")
    assert (code, "1 day of alice is in the ledger (1 run)" in said) == (0, True), said
    code, said = with_alice.fork("creator-pipeline", *line)
    assert (code, "--all" in said) == (2, True), said


def test_a_failed_backfill_says_so_by_its_exit_code(with_alice):
    """Guards: a cron job that is green over a hole in the ledger."""
    with_alice.server.world.gumroad.revoke("alice")
    code, said = with_alice.fork("creator-pipeline", *BACKFILL)
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
    code, said = with_alice.fork(*line)
    assert code == 0, said[-3000:]
    assert small.wrong_days(with_alice.warehouse, with_alice.server, "alice") == []
