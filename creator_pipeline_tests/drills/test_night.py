"""The drill of a night, small."""

from __future__ import annotations

from pathlib import Path

from creator_pipeline_tests.drills.night import arrived, happen, town


def test_after_one_night_the_tables_are_what_the_platforms_say(tmp_path: Path) -> None:
    """Guards: refunds of old sales, disputes, products and memberships that change while no run looks at them."""
    with town(tmp_path, 80, 60) as t:
        done = happen(t, 4, (2, 30), 2, pings=True)
        assert t.wrong() != []
        arrived(t, len(done.disputed))
        t.webhooks()
        t.night()
        assert t.wrong() == []
        assert t.asked["webhook_jobs"] <= 2 * len(done.disputed)
        assert t.asked["gumroad_drift_nightly"] <= 1 + 3 * len(done.refunded)
