"""Checks that ask a platform: one in a tick, each profile once a day, and nothing is left of a profile that is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from creator_pipeline.core.checks import Check
from creator_pipeline.core.errors import RejectedError
from creator_pipeline.core.windows import now, today
from creator_pipeline.monitoring import health_tick
from creator_pipeline.monitoring.health_tick import next_daily
from creator_pipeline.platforms.gumroad import probes
from creator_pipeline_tests.support.health import Watched

DAILY = {key: Check(key, list) for key in ("zeta|alice", "gumroad|bea", "gumroad|alice")}

NOW = now()


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


def test_what_a_daily_check_found_is_asked_again_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: the pings were registered again at nine, and health was red until the next morning."""
    _, cursor = asked_until_none(None)
    red = {"gumroad|bea", "zeta|alice"}
    asked: list[str] = []
    for minutes in range(11):
        monkeypatch.setattr(health_tick, "now", lambda minutes=minutes: NOW + timedelta(minutes=minutes))
        due, cursor = next_daily(DAILY, cursor, red)
        asked += [f"{minutes} {check.name}" for check in due]
    assert asked == ["0 gumroad|bea", "5 zeta|alice", "10 gumroad|bea"]
    # A new day begins with everybody, whoever was asked again.
    assert cursor is not None
    yesterday = cursor.replace(str(today()), str(today() - timedelta(days=1)), 1)
    assert [check.name for check in next_daily(DAILY, yesterday, red)[0]] == ["gumroad|alice"]


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
