"""What the demo uploads, and how it is compared."""

from __future__ import annotations

from creator_pipeline import settings
from creator_pipeline.platforms.kdp.files import listing
from creator_pipeline.platforms.kdp.sandbox.stand_in import STAND_IN
from creator_pipeline.sandbox.stand_in import Demo
from creator_pipeline_tests.support import kdp_landing


def test_what_is_uploaded_is_compared(sqlite_warehouse, tmp_path, monkeypatch):
    """Guards: a demo that says equal of payments that it never looked at."""
    monkeypatch.setenv("KDP_INBOX", str(tmp_path / "inbox"))
    kdp_landing.add_profiles(sqlite_warehouse)
    demo = Demo(settings.load(), sqlite_warehouse, "", {"today": "2026-11-28"}, "alice", 0)
    STAND_IN.upload(demo)
    assert any(each.differences for each in STAND_IN.compare(demo))
    files = [tmp_path / each.location for each in listing(demo.config.inbox)]
    assert [each.name[:12] for each in files] == [*["KDP_Prior_Mo"] * 3, "KDP_Payments"]
    for path in files:
        assert kdp_landing.land(sqlite_warehouse, path).status == "accepted"
    found = list(STAND_IN.compare(demo))
    assert [each.differences for each in found if each.differences] == []
    assert "paid to the bank, equal to the report" in found[-1].line
