"""The commands of KDP, in processes of their own."""

from __future__ import annotations

import json

import pytest

from creator_pipeline_tests.support import kdp_landing, paths
from creator_pipeline_tests.support.kdp_payments import PENDING
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FIXTURES, MANIFEST
from creator_pipeline_tests.support.project import Project

FIELD = paths.FIXTURES / "kdp_field"


@pytest.fixture
def kdp(project: Project) -> Project:
    """With the profile alice."""
    code, said = project.fork("creator-pipeline", "profiles", "add", "alice", "--email", "alice@example.com")
    assert code == 0, said
    return project


def test_the_commands_tell_the_truth_by_their_exit_codes(kdp):
    """Guards: a script that goes on after a refused report."""
    bad = str(FIXTURES / "csv_isbn_scientific.csv")
    code, said = kdp.fork("creator-pipeline", "kdp", "inspect", str(COMBINED), "--json")
    assert code == 0, said
    (told,) = json.loads(said)
    assert (told["verdict"], told["royalty_by_currency"]["USD"]) == ("accept", "78.24")
    code, said = kdp.fork("creator-pipeline", "kdp", "inspect", bad, str(ESTIMATOR))
    assert (code, "column ASIN/ISBN" in said, "2026-03/2026-04" in said) == (1, True, True), said
    code, said = kdp.fork("creator-pipeline", "kdp", "ingest", str(COMBINED), "--profile", "nobody")
    assert (code, "no profile 'nobody'" in said) == (2, True), said
    code, said = kdp.fork("creator-pipeline", "kdp", "ingest", str(COMBINED), bad, "--profile", "alice")
    assert (code, "row: 2" in said, "in the ledger of alice" in said) == (1, True, True), said
    assert kdp_landing.statuses(kdp.warehouse) == {COMBINED.name: "accepted", "csv_isbn_scientific.csv": "quarantined"}
    assert kdp_landing.quantity(kdp.warehouse) == MANIFEST[COMBINED.name]["net_units"]
    code, said = kdp.fork("creator-pipeline", "kdp", "ingest", str(ESTIMATOR), "--profile", "alice")
    assert code == 0, said


def test_inspect_tells_what_a_payments_report_holds(kdp):
    """Guards: a report of payments that is shown as one without a sale."""
    code, said = kdp.fork("creator-pipeline", "kdp", "inspect", str(PENDING), "--json")
    assert code == 0, said
    (told,) = json.loads(said)
    assert (told["kind"], told["period"], told["sales_rows"]) == ("payments", "2026-06/2026-07", 0)
    assert (told["payments"], told["detail_rows"]) == (5, 11)
    assert told["statuses"] == {"Failed": 1, "Paid": 3, "Pending": 1}
    assert (told["paid"], told["pending"], told["failed"], told["unknown_statuses"]) == (3, 1, 1, [])
    assert (told["paid_by_currency"], told["pending_by_currency"]) == ({"EUR": "283.99"}, {"GBP": "41.18"})
    code, said = kdp.fork("creator-pipeline", "kdp", "inspect", str(PENDING))
    assert (code, "5 payments: 3 paid, 1 pending, 1 failed" in said, "paid: 283.99 EUR" in said) == (0, True, True), (
        said
    )


def test_what_counts_is_said_slice_by_slice_and_an_upload_can_be_taken_back(kdp):
    """Incidents: "in the ledger" of a report of which nothing counted; no way back from a wrong file."""
    stale, fresh = (
        FIELD / name
        for name in ("AM1_KDP_Orders-lifetime-2026-10-05.xlsx", "AM2_KDP_Dashboard-this-month-2026-10-28.xlsx")
    )
    code, said = kdp.fork("creator-pipeline", "kdp", "ingest", str(fresh), str(stale), "--profile", "alice")
    assert code == 0, said
    assert f"sales/digital 2026-10: doesn't count, {fresh.name} does" in said
    assert "sales/digital 2026-09: counts" in said
    assert "sales/digital 2026-10-01 to 2026-10-27: counts" in said
    code, said = kdp.fork("creator-pipeline", "kdp", "uploads", "--profile", "alice", "--json")
    assert code == 0, said
    first, second = json.loads(said)
    assert (first["file"], first["supersedes"], second["file"]) == (fresh.name, [stale.name], stale.name)
    assert second["instead"] == [{"slices": "sales/digital 2026-10", "files": [fresh.name]}]
    code, said = kdp.fork("creator-pipeline", "kdp", "withdraw", first["upload"])
    assert (code, f"{fresh.name}: withdrawn from the ledger of alice" in said) == (0, True), said
    assert kdp_landing.quantity(kdp.warehouse) == 23
