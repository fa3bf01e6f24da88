"""The drill of a week with faults, small: one night, two sellers, two faults."""

from __future__ import annotations

from datetime import timedelta

import pytest

from creator_pipeline_tests.drills.week_faults import Week, api, api_well, kill
from creator_pipeline_tests.drills.week_installation import installation
from creator_pipeline_tests.drills.week_told import OPS, failures, told_twice, untold


# Dagster's own loops call what Dagster has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_fails_in_a_night_is_told_once_a_cause_and_to_operators_only() -> None:
    """Incident: a missing endpoint was 24 mails and each kill up to 22, half of them to creators, who can do nothing
    about a process. Guards: a failure that nobody hears of, because its run left no event."""
    with installation(("alice", "bea"), 1) as (place, daemon):
        week = Week(place, daemon, place.clock.now)

        def until(minutes: int, step: int = 1) -> None:
            daemon.pass_to(week.begin + timedelta(hours=2, minutes=minutes), timedelta(minutes=step))

        api("404", "/v2/products")(week)
        until(4, step=200)
        until(8)
        api_well(week)
        # Each of two runs, and both tries of each.
        kill("gumroad_sync")(week)
        until(19)
        assert daemon.launcher.killed == ["gumroad_sync"] * 6
        mails, failed = place.mails(), failures(daemon.instance)
    assert [one.job for one in failed] == ["gumroad_catalogue"] * 2 + ["gumroad_sync"] * 2
    assert untold(failed, mails) == []
    assert untold(failed, mails[:1])[0].job == "gumroad_sync"
    assert told_twice(mails) == []
    assert [(one.to, "2 profiles" in one.subject) for one in mails] == [(OPS, True)] * 2
