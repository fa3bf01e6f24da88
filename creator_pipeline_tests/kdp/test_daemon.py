"""A file dropped while a real daemon runs, and the commands in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from creator_pipeline_tests.commands.conftest import Project, project  # noqa: F401 - a fixture

from . import landing
from .samples import COMBINED, ESTIMATOR, FINAL, FIXTURES, MANIFEST


@pytest.fixture
def kdp(project: Project) -> Project:  # noqa: F811 - pytest hands it over by name
    """With the profile alice."""
    code, said = project.run("creator-pipeline", "profiles", "add", "alice", "--email", "alice@example.com")
    assert code == 0, said
    return project


def waited(condition, seconds: float) -> float:
    """Seconds until it holds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "too late"
        time.sleep(0.2)
    return time.monotonic() - started


def test_a_file_dropped_while_the_daemon_runs_is_in_the_ledger_within_thirty_seconds(kdp, record_property):
    """Guards: an upload that waits for the night."""
    inbox, house = kdp.root / "home" / "kdp_inbox" / "alice", kdp.house
    daemon = kdp.start("dagster-daemon", "run", "-w", "workspace.yaml", start_new_session=True)
    try:
        landing.drop(ESTIMATOR, inbox)
        waited(lambda: landing.quantity(house) == MANIFEST[ESTIMATOR.name]["net_units"], 90)
        landing.drop(FINAL, inbox)
        seconds = waited(lambda: landing.royalties(house, "pages_read") != {}, 30)
        record_property("seconds_from_drop_to_ledger", round(seconds, 1))
        landing.drop(FIXTURES / "csv_missing_currency_column.csv", inbox)
        waited(lambda: "rejected" in landing.statuses(house).values(), 60)
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        try:
            daemon.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.communicate()


def test_the_commands_tell_the_truth_by_their_exit_codes(kdp):
    """Guards: a script that goes on after a refused report."""
    bad = str(FIXTURES / "csv_isbn_scientific.csv")
    code, said = kdp.run("creator-pipeline", "kdp", "inspect", str(COMBINED), "--json")
    assert code == 0, said
    (told,) = json.loads(said)
    assert (told["verdict"], told["royalty_by_currency"]["USD"]) == ("accept", "78.24")
    code, said = kdp.run("creator-pipeline", "kdp", "inspect", bad, str(ESTIMATOR))
    assert (code, "column ASIN/ISBN" in said, "2026-03/2026-04" in said) == (1, True, True), said
    code, said = kdp.run("creator-pipeline", "kdp", "ingest", str(COMBINED), "--profile", "nobody")
    assert (code, "no profile 'nobody'" in said) == (2, True), said
    code, said = kdp.run("creator-pipeline", "kdp", "ingest", str(COMBINED), bad, "--profile", "alice")
    assert (code, "row: 2" in said, "in the ledger of alice" in said) == (1, True, True), said
    assert landing.statuses(kdp.house) == {COMBINED.name: "accepted", "csv_isbn_scientific.csv": "quarantined"}
    assert landing.quantity(kdp.house) == MANIFEST[COMBINED.name]["net_units"]
    code, said = kdp.run("creator-pipeline", "kdp", "ingest", str(ESTIMATOR), "--profile", "alice")
    assert code == 0, said
