"""The inbox and its sensor: every file once, and none lost."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import select

from creator_pipeline.platforms.kdp.files import listing
from creator_pipeline.platforms.kdp.inbox import scan
from creator_pipeline.platforms.kdp.sensor import MOST_PER_RUN
from creator_pipeline.store.tables import kdp_files
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FINAL, as_csv, table


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
    """Guards: a cursor of a megabyte, ten thousand runs, and a profile that waits for another's ten thousand."""
    folder = inbox.root / "alice"
    folder.mkdir(parents=True)
    for number in range(10_000):
        (folder / f"{number}.csv").write_bytes(b"%d" % number)
    kdp_landing.drop(COMBINED, inbox.root / "bea")
    inbox.tick()
    single, many = inbox.tick().run_requests
    assert (single.tags["creator_pipeline/profile"], many.tags["creator_pipeline/files"]) == ("bea", "alice")
    assert "creator_pipeline/profile" not in many.tags
    assert len(inbox.cursor) < 2_000
    assert len(inbox.instance.get_dynamic_partitions("kdp_uploads")) == MOST_PER_RUN + 1
    with inbox.warehouse.read() as connection:
        assert len(connection.execute(select(kdp_files.c.location)).all()) == 10_001


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
