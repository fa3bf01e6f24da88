"""The inbox and its sensor: every file once, none lost, in a run that tells what is wrong."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest
from sqlalchemy import insert, select

from creator_pipeline.core.windows import now
from creator_pipeline.definitions import defs
from creator_pipeline.platforms.kdp.inbox import listing, scan
from creator_pipeline.platforms.kdp.sensor import MOST_PER_TICK, kdp_inbox
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, kdp_files
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FINAL, FIXTURES, as_csv, table


@dataclass
class Inbox:
    """A folder, a warehouse and an instance; ticks as the daemon makes them."""

    root: Path
    warehouse: Warehouse
    instance: dg.DagsterInstance
    cursor: str | None = None
    run_keys: set[str] = field(default_factory=set)

    def tick(self, *, ends_well: bool = True) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = kdp_inbox(context, warehouse=WarehouseResource())
        assert isinstance(result, dg.SensorResult)
        for request in result.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions("kdp_uploads", list(request.partition_keys))
        if ends_well:
            # A result without a cursor leaves it as it was.
            self.cursor = result.cursor or self.cursor
        return result

    def asked(self) -> list[dg.RunRequest]:
        """Two ticks: the first look, and the one that finds the files settled."""
        return [*(self.tick().run_requests or ()), *(self.tick().run_requests or ())]

    def run(self, request: dg.RunRequest) -> Any:
        """As the daemon does: a run key is good for one run."""
        assert request.run_key not in self.run_keys
        self.run_keys.add(request.run_key)
        return defs.resolve_job_def("kdp_ingest").execute_in_process(
            instance=self.instance,
            tags=request.tags,
            partition_key=request.partition_key,
            raise_on_error=False,
            run_config=small.QUIET,
        )


@pytest.fixture
def inbox(tmp_path, sqlite_warehouse, monkeypatch) -> Iterator[Inbox]:
    root = tmp_path / "inbox"
    monkeypatch.setenv("KDP_INBOX", str(root))
    kdp_landing.add_profiles(sqlite_warehouse, "alice", "bea")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with dg.DagsterInstance.ephemeral() as instance:
            yield Inbox(root, sqlite_warehouse, instance)


def test_a_file_is_taken_once_when_it_has_settled(inbox):
    """Guards: half an upload in the ledger, and a file that is ingested every five seconds."""
    path = kdp_landing.drop(COMBINED, inbox.root / "alice")
    assert not inbox.tick().run_requests
    with path.open("ab") as growing:
        growing.write(b"\r\n")
    assert not inbox.tick().run_requests
    (request,) = inbox.tick().run_requests
    file = kdp_landing.taken(path)
    assert request.partition_key == file.partition
    assert file.upload_id in request.run_key
    assert request.tags["creator_pipeline/profile"] == "alice"
    assert inbox.instance.get_dynamic_partitions("kdp_uploads") == [file.partition]
    assert inbox.run(request).success
    assert kdp_landing.quantity(inbox.warehouse) == 81
    for _ in range(3):
        assert not inbox.tick().run_requests
    assert path.exists()


def test_a_tick_that_failed_after_looking_asks_again(inbox):
    """Guards: an upload that is lost because the daemon was killed between its look and its request."""
    kdp_landing.drop(COMBINED, inbox.root / "alice")
    inbox.tick()
    lost = inbox.tick(ends_well=False).run_requests
    again = inbox.tick().run_requests
    assert [each.run_key for each in again] == [each.run_key for each in lost]
    assert not inbox.tick().run_requests


def test_copies_are_one_upload_and_a_corrected_file_is_a_new_one(inbox):
    """Guards: one report counted for every name it was saved under, and a corrected one that nobody takes."""
    folder = inbox.root / "alice"
    kdp_landing.drop(COMBINED, folder, "a.csv")
    kdp_landing.drop(COMBINED, folder, "b.csv")
    (request,) = inbox.asked()
    assert inbox.run(request).success
    kdp_landing.drop(COMBINED, folder, "c.csv")
    assert inbox.asked() == []
    bad = folder / "corrected.csv"
    rows = table()
    bad.write_bytes(as_csv([row[:-1] for row in rows]))
    (request,) = inbox.asked()
    assert not inbox.run(request).success
    assert kdp_landing.statuses(inbox.warehouse)["corrected.csv"] == "rejected"
    bad.write_bytes(as_csv([*rows, rows[-1]]))
    (request,) = inbox.asked()
    assert inbox.run(request).success
    # Put there once more after a refusal, the very same bytes are tried once more.
    other = folder / "other.csv"
    other.write_bytes(as_csv([row[:-1] for row in rows[:9]]))
    (first,) = inbox.asked()
    assert not inbox.run(first).success
    assert inbox.asked() == []
    os.utime(other, (kdp_landing.MADE_AT, kdp_landing.MADE_AT))
    (second,) = inbox.asked()
    assert second.partition_key == first.partition_key
    assert not inbox.run(second).success


def test_an_old_file_that_is_moved_in_late_is_found(inbox):
    """Guards: a cursor over times that passes by what is older than its newest."""
    folder = inbox.root / "alice"
    kdp_landing.drop(COMBINED, folder)
    assert len(inbox.asked()) == 1
    old = kdp_landing.drop(ESTIMATOR, folder)
    os.utime(old, (1_400_000_000, 1_400_000_000))
    (request,) = inbox.asked()
    assert request.partition_key == kdp_landing.taken(old).partition


def test_a_name_that_is_no_text_is_told_and_holds_up_nobody(inbox):
    """Guards: one file from an old Windows disk, and the sensor fails at every tick for every profile."""
    odd = os.fsencode(inbox.root / "alice") + b"/M\xe4rz.csv"
    os.makedirs(os.path.dirname(odd), exist_ok=True)  # noqa: PTH103, PTH120 - a name of bytes
    Path(os.fsdecode(odd)).write_bytes(b"x")
    kdp_landing.drop(COMBINED, inbox.root / "alice")
    assert len(inbox.asked()) == 1
    assert "/M\\udce4rz.csv: " in scan(inbox.warehouse, str(inbox.root), most=5).strays[0]


def test_unfinished_and_hidden_files_wait_and_strays_are_told(inbox, monkeypatch):
    """Guards: a browser's half download taken for a report, and a file in nobody's folder that vanishes."""
    for name in ("x.csv.part", "x.tmp", "x.xlsx.crdownload", ".x.csv"):
        kdp_landing.drop(COMBINED, inbox.root / "alice", name)
    kdp_landing.drop(COMBINED, inbox.root / "alicia")
    kdp_landing.drop(FINAL, inbox.root)
    kdp_landing.drop(FINAL, inbox.root / "alice" / "2026")
    for _ in range(3):
        result = inbox.tick()
        assert not result.run_requests
    found = scan(inbox.warehouse, str(inbox.root), most=5)
    assert sorted(line.split(": ", 1)[1][:20] for line in found.strays) == [
        "put it into the fold",
        "put it into the fold",
        "there is no profile ",
    ]
    assert "3 not taken" in result.skip_reason.skip_message
    kdp_landing.add_profiles(inbox.warehouse, "alicia")
    assert len(inbox.asked()) == 1
    monkeypatch.setenv("ENABLE_KDP", "false")
    kdp_landing.drop(ESTIMATOR, inbox.root / "alice")
    assert inbox.asked() == []
    assert "ENABLE_KDP" in inbox.tick().skip_reason.skip_message
    monkeypatch.setenv("ENABLE_KDP", "true")
    assert len(inbox.asked()) == 1


def test_the_same_content_for_another_profile_is_refused_and_told(inbox):
    """Guards: one account's royalties in two ledgers."""
    kdp_landing.drop(COMBINED, inbox.root / "alice")
    (request,) = inbox.asked()
    assert inbox.run(request).success
    kdp_landing.drop(COMBINED, inbox.root / "bea")
    assert inbox.asked() == []
    assert "for profile 'alice' before" in inbox.tick().skip_reason.skip_message
    assert kdp_landing.ledger(inbox.warehouse, "bea") == []


def test_ten_thousand_files_leave_the_cursor_small_and_come_in_portions(inbox):
    """Guards: a cursor of a megabyte, and ten thousand runs in one tick."""
    folder = inbox.root / "alice"
    folder.mkdir(parents=True)
    for number in range(10_000):
        (folder / f"{number}.csv").write_bytes(b"%d" % number)
    inbox.tick()
    seen: list[str] = []
    for _ in range(3):
        requests = inbox.tick().run_requests
        assert len(requests) == MOST_PER_TICK
        assert len(inbox.cursor) < 2_000
        seen += [request.run_key for request in requests]
    assert len(set(seen)) == 3 * MOST_PER_TICK
    with inbox.warehouse.read() as connection:
        assert len(connection.execute(select(kdp_files.c.location)).all()) == 10_000


def test_an_inbox_may_be_any_store(inbox, monkeypatch):
    """Guards: KDP_INBOX=s3://… that is read as a folder of that name."""
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe_file("/bucket/alice/report.csv", COMBINED.read_bytes())
    monkeypatch.setenv("KDP_INBOX", "memory://bucket")
    assert [each.folder for each in listing("memory://bucket")] == ["alice"]
    (request,) = inbox.asked()
    assert inbox.run(request).success
    assert kdp_landing.statuses(inbox.warehouse) == {"report.csv": "accepted"}
    store.rm("/bucket", recursive=True)
    assert listing("memory://bucket") == []


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
