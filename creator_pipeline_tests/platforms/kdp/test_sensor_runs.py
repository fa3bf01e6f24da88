"""The runs that the sensor asks for: what is refused, what is told, and how an upload ends."""

from __future__ import annotations

import dagster as dg
import orjson
import pytest
from sqlalchemy import insert, select

from creator_pipeline.core.windows import now
from creator_pipeline.store.tables import ingestion_jobs
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FIXTURES


@pytest.mark.parametrize("name", ["csv_missing_currency_column.csv", "csv_isbn_scientific.csv", "xlsx_zip_bomb.xlsx"])
def test_a_refused_file_fails_its_run_for_good_and_says_where_and_what_to_do(inbox, name):
    """Guards: a red run without a reason, retried three times over."""
    kdp_landing.drop(FIXTURES / name, inbox.root / "alice")
    (request,) = inbox.asked()
    result = inbox.run(request)
    assert not result.success
    (failure,) = [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_FAILURE]
    data = failure.step_failure_data.user_failure_data
    assert not [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]
    assert inbox.instance.get_run_by_id(result.run_id).tags["dagster/retry_on_asset_or_op_failure"] == "false"
    (told,) = data.metadata["errors"].value
    assert told["file"] == name
    assert told["hint"]
    assert told["found"]
    assert name in data.description
    assert told["hint"] in data.description
    (record,) = inbox.instance.fetch_observations(dg.AssetKey(["kdp", "royalties"]), limit=5).records
    shown = record.event_log_entry.asset_observation.metadata
    assert shown["file"].value == name
    assert shown["hint"].value == told["hint"]
    assert shown["verdict"].value in {"rejected", "quarantined"}
    assert record.partition_key == request.partition_key


def test_a_partition_tells_what_it_holds_and_its_checks_pass(inbox):
    """Guards: a green partition of which nobody knows the file, the period or the money."""
    formula = FIXTURES / "csv_formula_injection_titles.csv"
    kdp_landing.drop(formula, inbox.root / "alice", "=cmd.csv")
    kdp_landing.drop(ESTIMATOR, inbox.root / "bea")
    for request in inbox.asked():
        result = inbox.run(request)
        assert result.success
        checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
        assert checks == dict.fromkeys(
            ("totals_equal_summary", "currency_fits_marketplace", "periods_without_gaps", "no_overlap_left"), True
        )
    for record in inbox.instance.fetch_materializations(dg.AssetKey(["kdp", "royalties"]), limit=5).records:
        shown = record.asset_materialization.metadata
        assert not shown["file"].value.startswith("=")
        if shown["profile"].value == "bea":
            told = {name: shown[name].value for name in ("period", "net_units", "kenp_pages", "royalty_USD", "verdict")}
            assert told == {
                "period": "2026-03/2026-04",
                "net_units": 88,
                "kenp_pages": 2580,
                "royalty_USD": "91.80",
                "verdict": "accepted",
            }
            assert shown["dagster/partition_row_count"].value == 42
        else:
            assert "| =" not in shown["preview"].value


def test_the_job_of_an_upload_through_the_gateway_ends_with_its_run(inbox):
    """Guards: a status page that says queued for ever."""
    good, bad = COMBINED, FIXTURES / "csv_isbn_scientific.csv"
    for number, path in enumerate((good, bad)):
        file = kdp_landing.taken(path)
        with inbox.warehouse.write() as connection:
            connection.execute(
                insert(ingestion_jobs).values(
                    id=str(number),
                    profile_id="alice",
                    source="kdp",
                    kind="file",
                    payload=orjson.dumps({"sha256": file.upload_id, "name": path.name}).decode(),
                    status="queued",
                    attempts=0,
                    visible_at=now(),
                    created_at=now(),
                )
            )
        kdp_landing.drop(path, inbox.root / "alice", f"{file.partition}-{path.name}")
    for request in inbox.asked():
        inbox.run(request)
    with inbox.warehouse.read() as connection:
        jobs = connection.execute(select(ingestion_jobs).order_by(ingestion_jobs.c.id)).mappings().all()
    assert [job["status"] for job in jobs] == ["completed", "dead"]
    assert jobs[0]["events_count"] == len(kdp_landing.ledger(inbox.warehouse))
    assert "scientific" in jobs[1]["error"] or "held back" in jobs[1]["error"]
    assert all(job["finished_at"] and job["run_id"] for job in jobs)
    assert set(kdp_landing.statuses(inbox.warehouse)) == {good.name, bad.name}
