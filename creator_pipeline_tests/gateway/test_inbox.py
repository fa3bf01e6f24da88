"""Uploads and the disk: full, littered, and with the same content twice."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from creator_pipeline.gateway import inbox
from creator_pipeline.gateway.inbox import IncomingFile, drafts_of, sweep
from creator_pipeline_tests.support import paths
from creator_pipeline_tests.support.gateway import Gateway

GOOD = (paths.FIXTURES / "kdp" / "csv_combined_utf8.csv").read_bytes()
LIMIT = 4 << 20


@pytest.fixture
def full() -> Iterator[None]:
    """No file may grow past a few MiB: the kernel refuses the write itself, as it does on a full disk."""
    former, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, former[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, former)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_a_507_with_the_reason_and_leaves_nothing(shared: Gateway, full: None):
    """Guards: a 500 for a seller, and a disk that stays full of what was not taken."""
    key, large = shared.key("alice"), b"a,b\n" * (LIMIT // 4 + 50_000)
    answer = shared.http.post("/uploads/kdp", files={"file": ("a.csv", large)}, headers=key)
    assert answer.status_code == 507, answer.text
    assert "disk is full" in answer.json()["error"]["message"]
    assert list(drafts_of(shared.config.inbox, Path()).iterdir()) == []
    assert shared.http.post("/uploads/kdp", files={"file": ("a.csv", GOOD)}, headers=key).status_code == 202


def test_drafts_of_a_gateway_that_was_killed_are_swept_and_those_under_way_are_not(tmp_path: Path):
    """Guards: a disk that fills with halves of reports."""
    folder = drafts_of(str(tmp_path / "inbox"), tmp_path)
    folder.mkdir(parents=True)
    old, new = folder / "old", folder / "new"
    for draft in (old, new):
        draft.write_bytes(b"x")
    os.utime(old, (0, 0))
    sweep(folder)
    assert [draft.name for draft in folder.iterdir()] == ["new"]
    os.utime(new, (0, 0))
    IncomingFile(str(tmp_path / "inbox"), tmp_path, hint="").discard()
    assert list(folder.iterdir()) == []
    sweep(tmp_path / "nowhere")
    assert inbox.ABANDONED_SECONDS > 300


@pytest.mark.parametrize("url", [False, True])
def test_the_same_content_is_stored_once_whatever_its_name(tmp_path: Path, url: bool):
    """Guards: a disk filled by one report that is sent under a thousand names."""
    where = f"memory://{tmp_path.name}" if url else str(tmp_path / "inbox")
    stored = []
    for name, content in (("a.csv", b"1"), ("b.csv", b"1"), ("b.csv", b"2")):
        file = IncomingFile(where, tmp_path / "drafts", hint="")
        file.write(content)
        file.close()
        stored.append(file.store("alice", name))
    assert [one.name for one in stored] == ["a.csv", "a.csv", "b.csv"]
    assert stored[0] == stored[1]
    files, root = fsspec.core.url_to_fs(where)
    assert len(files.find(root)) - len(files.find(f"{root}/.incoming")) == 2
