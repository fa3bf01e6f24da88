"""Checks that ask a platform: one in a tick, each profile once a day, and nothing is left of a profile that is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from creator_pipeline.core.checks import Check
from creator_pipeline.core.errors import RejectedError
from creator_pipeline.core.windows import today
from creator_pipeline.monitoring.health_tick import next_daily
from creator_pipeline.platforms.gumroad import probes
from creator_pipeline_tests.support.health import Watched

DAILY = {key: Check(key, list) for key in ("zeta|alice", "gumroad|bea", "gumroad|alice")}


def asked_until_none(cursor: str | None) -> tuple[list[str], str | None]:
    """Names of the checks of as many ticks as there is one in, and the cursor after them."""
    asked: list[str] = []
    while True:
        due, cursor = next_daily(DAILY, cursor)
        if not due:
            return asked, cursor
        asked += [check.name for check in due]


def test_each_profile_of_each_platform_is_asked_once_a_day() -> None:
    """Incident: eight requests a profile in one tick, and the sensor ran into its time-out."""
    every = sorted(DAILY)
    asked, cursor = asked_until_none(None)
    assert (asked, cursor) == (every, f"{today()}|zeta|alice")
    assert asked_until_none(f"{today() - timedelta(days=1)}|zeta|alice")[0] == every
    assert next_daily({}, cursor) == ([], cursor)


def test_the_cursor_of_the_release_before_is_understood() -> None:
    """Guards: every profile asked a second time on the day of an upgrade."""
    assert asked_until_none(f"{today()}|alice")[0] == ["gumroad|bea", "zeta|alice"]


def test_a_daily_check_that_failed_is_over_when_nobody_asks_any_more(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: the check of a profile failed, the profile left, and the problem stayed open for ever."""

    def refuse(*_args: object) -> list[str]:
        raise RejectedError("Gumroad refuses the request.")

    monkeypatch.setattr(probes, "missing_pings", refuse)
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", "ping-secret-of-the-tests")
    watched.tick()
    assert set(watched.open()) == {"look/pings/alice"}
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", "")
    assert watched.tick() == "All is well."
