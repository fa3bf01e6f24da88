"""From a file to the tables and the ledger."""

from __future__ import annotations

import functools
import itertools
import json
import random

import pytest
from sqlalchemy import delete, select

from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.platforms.kdp import ingest
from creator_pipeline.platforms.kdp.files import digest
from creator_pipeline.platforms.kdp.models import Report
from creator_pipeline.platforms.kdp.owner import owner_of_partition
from creator_pipeline.platforms.kdp.problems import ReportError
from creator_pipeline.store.tables import daily_revenue, kdp_royalties, kdp_uploads, sales_events
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_samples import (
    COMBINED,
    ESTIMATOR,
    FINAL,
    FIXTURES,
    MANIFEST,
    REEXPORT,
    as_csv,
    table,
)

LEGACY = "legacy_month_end_2012_sections.csv"
GOOD = sorted(name for name, told in MANIFEST.items() if told["verdict"] == "accept" and name != LEGACY)
BAD = sorted(set(MANIFEST) - set(GOOD))
PAYMENTS = "KDP_Payments_00000000-1111-4222-8333-444444440008.xlsx"


@pytest.fixture
def warehouse(warehouse):
    kdp_landing.add_profiles(warehouse)
    return warehouse


def test_every_good_fixture_lands_in_the_ledger_with_the_totals_of_its_manifest(warehouse):
    """Guards: units or money that a report has and the ledger hasn't."""
    for name in GOOD:
        told = MANIFEST[name]
        done = kdp_landing.land(warehouse, FIXTURES / name)
        assert (done.status, done.error) == ("accepted", None), name
        expected = {code: text for code, text in told.get("royalty_by_currency", {}).items() if float(text)}
        assert kdp_landing.royalties(warehouse) == expected or "royalty_by_currency" not in told, name
        assert kdp_landing.royalties(warehouse, "pages_read") == told.get("kenp_royalty_by_currency", {}), name
        if "net_units" in told:
            assert kdp_landing.quantity(warehouse) == told["net_units"], name
            assert kdp_landing.quantity(warehouse, "pages_read") == told["kenp_pages"], name
        with warehouse.write() as connection:
            stored = connection.execute(select(kdp_uploads.c.rows)).scalar_one()
            assert len(connection.execute(select(kdp_royalties.c.upload_id)).all()) == stored == len(done.report.rows)
            for emptied in (sales_events, kdp_royalties, kdp_uploads):
                connection.execute(delete(emptied))


def test_every_bad_fixture_has_its_own_error_and_leaves_the_ledger_as_it_was(warehouse):
    """Guards: half of a broken file in the ledger, and 'invalid file' as its reason."""
    kdp_landing.land(warehouse, ESTIMATOR)
    before, said = kdp_landing.ledger(warehouse), set()
    for name in BAD:
        done = kdp_landing.land(warehouse, FIXTURES / name)
        status = {"reject": "rejected", "quarantine": "quarantined", "accept": "rejected"}[MANIFEST[name]["verdict"]]
        row = kdp_landing.upload(warehouse, done.file.upload_id)
        # Two pairs of fixtures are empty in the same way.
        assert (done.status, row["status"], row["rows"], row["profile_id"]) == (status, status, 0, "alice"), name
        error = json.loads(row["error"])
        assert error["hint"], name
        assert error["file"] == name
        assert error["message"] == done.error.message
        said.add((error["message"], error.get("found"), error.get("column")))
        assert kdp_landing.ledger(warehouse) == before, name
    assert len(said) >= len(BAD) - 3


def in_order(warehouse, files) -> dict[str, list[tuple[object, ...]]]:
    """Empty tables, then these files one by one."""
    with warehouse.write() as connection:
        for emptied in (sales_events, kdp_royalties, kdp_uploads):
            connection.execute(delete(emptied))
    for path, at in files:
        kdp_landing.land(warehouse, path, at=kdp_landing.MADE_AT + at)
    return kdp_landing.everything(warehouse)


def test_any_order_of_uploads_gives_the_same_tables(sqlite_warehouse, monkeypatch):
    """Guards: a ledger that depends on which of two files was dropped first."""
    from creator_pipeline.platforms.kdp.parse import parse

    warehouse = sqlite_warehouse
    kdp_landing.add_profiles(warehouse)
    # Each content is read once, in this process: only the order matters here.
    read = functools.cache(lambda sha, name: parse(by_sha[sha], name))
    few = [(ESTIMATOR, 1), (REEXPORT, 2), (FINAL, 3), (FIXTURES / "csv_kenp_read.csv", 4)]
    many = [*few, (COMBINED, 5), (FIXTURES / PAYMENTS, 6), (FIXTURES / "csv_isbn_scientific.csv", 7)]
    by_sha = {digest(str(path)): path for path, _ in many}
    monkeypatch.setattr(ingest, "parse_in_child", lambda path, file_name, **_taught: read(digest(str(path)), file_name))
    seen = [in_order(warehouse, order) for order in itertools.permutations(few)]
    assert all(each == seen[0] for each in seen)
    assert set(kdp_landing.statuses(warehouse).values()) == {"accepted", "superseded"}
    dice, first = random.Random(7), in_order(warehouse, many)
    for _ in range(12):
        assert in_order(warehouse, dice.sample(many, len(many))) == first
    assert {"accepted", "superseded", "quarantined"} == set(kdp_landing.statuses(warehouse).values())
    assert len(first["ledger"]) > 20


def test_estimate_then_reexport_then_final(warehouse):
    """Guards: a month counted twice because its final report was imported beside its estimate."""
    kdp_landing.land(warehouse, ESTIMATOR, at=kdp_landing.MADE_AT)
    kdp_landing.land(warehouse, REEXPORT, at=kdp_landing.MADE_AT + 1)
    told = MANIFEST[REEXPORT.name]
    assert kdp_landing.royalties(warehouse) == {c: t for c, t in told["royalty_by_currency"].items() if float(t)}
    assert kdp_landing.quantity(warehouse) == told["net_units"]
    ids = {row[0] for row in kdp_landing.ledger(warehouse)}
    done = kdp_landing.land(warehouse, FINAL, at=kdp_landing.MADE_AT + 2)
    assert kdp_landing.royalties(warehouse, "pages_read") == MANIFEST[FINAL.name]["kenp_royalty_by_currency"]
    # Every event of the settled month kept its id; only its source and money changed.
    assert {row[0] for row in kdp_landing.ledger(warehouse)} == ids
    assert {event.occurred_on.isoformat() for event in done.events} == {"2026-03-01"}
    assert set(kdp_landing.statuses(warehouse).values()) == {"accepted", "superseded"}
    assert kdp_landing.upload(warehouse, kdp_landing.taken(ESTIMATOR).upload_id)["status"] == "superseded"


def test_running_again_changes_nothing(warehouse):
    """Guards: an upload that doubles itself when its partition is materialized once more."""
    kdp_landing.land(warehouse, ESTIMATOR)
    before = kdp_landing.everything(warehouse)
    again = kdp_landing.land(warehouse, ESTIMATOR)
    assert not again.rows.any
    assert not again.ledger.any
    assert kdp_landing.everything(warehouse) == before


def test_a_smaller_report_is_held_back_until_a_person_accepts_it(warehouse, tmp_path):
    """Guards: a cut-off export that empties half of a month."""
    rows = table()
    whole, cut = tmp_path / "whole.csv", tmp_path / "it's cut.csv"
    whole.write_bytes(as_csv(rows))
    cut.write_bytes(as_csv(rows[:-6]))
    kdp_landing.land(warehouse, whole, at=kdp_landing.MADE_AT)
    before = kdp_landing.ledger(warehouse)
    held = kdp_landing.land(warehouse, cut, at=kdp_landing.MADE_AT + 60)
    assert held.status == "quarantined"
    assert "--accept-smaller" in held.error.hint
    assert "--profile alice" in held.error.hint
    assert kdp_landing.ledger(warehouse) == before
    row = kdp_landing.upload(warehouse, held.file.upload_id)
    assert (row["status"], "--accept-smaller" in json.loads(row["error"])["hint"]) == ("quarantined", True)
    accepted = kdp_landing.land(warehouse, cut, at=kdp_landing.MADE_AT + 60, accept_smaller=True)
    assert (accepted.status, accepted.error) == ("accepted", None)
    assert kdp_landing.ledger(warehouse) != before
    assert kdp_landing.statuses(warehouse) == {"whole.csv": "superseded", "it's cut.csv": "accepted"}
    assert kdp_landing.land(warehouse, cut, at=kdp_landing.MADE_AT + 60).status == "accepted"


def test_payments_are_stored_and_never_revenue(warehouse):
    """Guards: royalties counted again when the bank transfer is reported."""
    done = kdp_landing.land(warehouse, FIXTURES / PAYMENTS)
    assert done.status == "accepted"
    # An adjustment is in no other report.
    assert [(row[3], row[12], row[13]) for row in kdp_landing.ledger(warehouse)] == [("adjustment", -1_500_000, "USD")]
    assert kdp_landing.royalties(warehouse) == {}
    with warehouse.read() as connection:
        kinds = connection.execute(select(kdp_royalties.c.kind, kdp_royalties.c.counted)).all()
    assert [tuple(each) for each in kinds] == [("payments", False)] * 3


def test_the_upload_of_one_profile_is_not_anothers(warehouse):
    """Guards: a report dropped into the wrong folder that pays a second time."""
    kdp_landing.add_profiles(warehouse, "bea")
    kdp_landing.land(warehouse, ESTIMATOR)
    before = kdp_landing.everything(warehouse)
    with pytest.raises(DataError, match="for profile 'alice' before"):
        kdp_landing.land(warehouse, ESTIMATOR, "bea")
    assert kdp_landing.everything(warehouse) == before
    with pytest.raises(ConfigError, match="no profile 'nobody'"):
        kdp_landing.land(warehouse, FINAL, "nobody")


def test_an_accepted_upload_is_not_lost_when_it_can_not_be_read_again(warehouse, monkeypatch):
    """Guards: a machine short of memory that empties the ledger of last year."""

    def out_of_memory(_path: object, file_name: str, taught: object) -> Report:
        raise ReportError("Reading this file takes far more than a report of KDP's ever does.", file=file_name)

    kdp_landing.land(warehouse, ESTIMATOR)
    before = kdp_landing.everything(warehouse)
    monkeypatch.setattr(ingest, "parse_in_child", out_of_memory)
    done = kdp_landing.land(warehouse, ESTIMATOR)
    assert done.error is not None
    assert kdp_landing.everything(warehouse) == before


def test_a_file_that_changed_since_it_was_seen_is_not_taken_for_the_old_one(warehouse, tmp_path):
    """Guards: rows of one content stored under the hash of another."""
    path = tmp_path / "report.csv"
    path.write_bytes(COMBINED.read_bytes())
    file = kdp_landing.taken(path)
    path.write_bytes(COMBINED.read_bytes() + b"\r\n")
    from creator_pipeline.platforms.kdp.ingest import ingest

    with pytest.raises(DataError, match="another content"):
        ingest(warehouse, file)
    assert kdp_landing.statuses(warehouse) == {}


def test_the_roll_up_counts_units_and_not_pages(warehouse):
    """Guards: 2,340 pages read shown as 2,340 books sold."""
    kdp_landing.land(warehouse, FINAL)
    roll_up(warehouse)
    with warehouse.read() as connection:
        units = connection.execute(select(daily_revenue.c.units, daily_revenue.c.refunds)).all()
    assert sum(units for units, _ in units) == MANIFEST[FINAL.name]["net_units"]


def test_a_partition_names_the_profile_of_its_upload(warehouse) -> None:
    """Incident: a failed upload was mailed to nobody, because its partition's key holds no profile."""
    done = kdp_landing.land(warehouse, COMBINED)
    assert owner_of_partition(warehouse, done.file.partition) == "alice"
    assert owner_of_partition(warehouse, "0" * 16) is None
