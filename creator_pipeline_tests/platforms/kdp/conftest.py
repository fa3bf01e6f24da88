"""An inbox of two profiles."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import dagster as dg
import pytest

from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_inbox import Inbox


@pytest.fixture
def inbox(tmp_path, sqlite_warehouse, monkeypatch) -> Iterator[Inbox]:
    root = tmp_path / "inbox"
    monkeypatch.setenv("KDP_INBOX", str(root))
    kdp_landing.add_profiles(sqlite_warehouse, "alice", "bea")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with dg.DagsterInstance.ephemeral() as instance:
            yield Inbox(root, sqlite_warehouse, instance)
