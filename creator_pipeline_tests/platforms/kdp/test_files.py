"""What is in an inbox: one odd entry never holds up the others, and nobody hears of what no person means."""

from __future__ import annotations

import os

import pytest

from creator_pipeline.platforms.kdp.files import look
from creator_pipeline.platforms.kdp.inbox import scan
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR


@pytest.mark.parametrize("name", ["a::b.csv", "::b.csv", "a::memory:b.csv", "100%::[x]*?.csv", "~home.csv"])
def test_any_name_that_a_disk_takes_is_read(inbox, name):
    """Guards: two colons in one file's name, and no profile's file is taken any more."""
    kdp_landing.drop(COMBINED, inbox.root / "alice", name)
    kdp_landing.drop(ESTIMATOR, inbox.root / "bea")
    requests = inbox.asked()
    assert len(requests) == 2
    assert all(inbox.run(request).success for request in requests)
    assert name in kdp_landing.statuses(inbox.warehouse)


def test_an_entry_that_can_not_be_read_is_told_and_holds_up_nobody(inbox, monkeypatch):
    """Guards: a dangling link, a pipe or a file without permission that stops the files of every profile."""
    folder = inbox.root / "alice"
    kdp_landing.drop(COMBINED, folder)
    (folder / "gone.csv").symlink_to(folder / "nowhere.csv")
    os.mkfifo(folder / "pipe.csv")
    locked = kdp_landing.drop(ESTIMATOR, folder, "locked.csv")
    from creator_pipeline.platforms.kdp import inbox as module

    real = module.digest

    def refused(location: str) -> str:
        if location == str(locked):
            from creator_pipeline.core.errors import TransientError

            raise TransientError(f"{location} can't be read: Permission denied.")
        return real(location)

    monkeypatch.setattr(module, "digest", refused)
    assert len(inbox.asked()) == 1
    told = " ".join(scan(inbox.warehouse, str(inbox.root), most=5).strays)
    assert "gone.csv: it is a link that leads nowhere" in told
    assert "pipe.csv: it is no file" in told
    assert "locked.csv can't be read" in told


def test_a_folder_that_may_not_be_read_is_told(inbox, monkeypatch):
    """Guards: a profile whose files are passed over in silence."""
    kdp_landing.drop(COMBINED, inbox.root / "alice")
    kdp_landing.drop(ESTIMATOR, inbox.root / "bea")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).rstrip("/").endswith("/bea"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = look(str(inbox.root))
    assert [each.folder for each in found.files] == ["", "alice"]
    assert "Permission denied" in found.files[0].problem


@pytest.mark.parametrize("name", ["~$report.xlsx", "desktop.ini", "Thumbs.db", "Desktop.ini"])
def test_what_no_person_means_is_left_alone(inbox, name):
    """Guards: a refused upload and a mail for each workbook that is open in Excel."""
    kdp_landing.drop(COMBINED, inbox.root / "alice", name)
    kdp_landing.drop(COMBINED, inbox.root / "alice", ".DS_Store")
    assert inbox.asked() == []
    assert [path.rpartition("/")[2] for path in look(str(inbox.root)).skipped] == [name]


@pytest.mark.parametrize("ending", [".part", ".opdownload", ".CRDOWNLOAD", ".partial", ".filepart"])
def test_a_download_that_is_not_done_is_waited_for(inbox, ending):
    """Guards: half a report that is refused, and Firefox's empty placeholder that is taken for one."""
    half = kdp_landing.drop(COMBINED, inbox.root / "alice", f"report.csv{ending}")
    (inbox.root / "alice" / "report.csv").touch()
    assert inbox.asked() == []
    assert inbox.asked() == []
    half.rename(inbox.root / "alice" / "report.csv")
    assert len(inbox.asked()) == 1
