"""Windows are half-open and lose no day."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.core.windows import DayWindow, contiguous, now, partition_key
from creator_pipeline_tests.support.windows import tiles

DAYS = st.dates(date(2000, 1, 1), date(2040, 1, 1))


@given(DAYS, st.integers(2, 4000))
def test_two_halves_tile_their_window(start, days):
    """Guards: the day in the middle read twice or never."""
    window = DayWindow(start, start + timedelta(days=days))
    assert tiles(window.split(), window.start, window.end)


@pytest.mark.parametrize("days", [0, 1])
def test_a_window_of_a_day_can_not_be_split(days):
    """Guards: halving for ever."""
    with pytest.raises(ValueError, match="fewer than two days"):
        DayWindow(date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=days)).split()


@given(st.lists(DAYS, max_size=60))
def test_contiguous_windows_hold_exactly_the_given_days(days):
    """Guards: a retry of scattered days that reads, and so replaces, the days between them."""
    windows = contiguous(days)
    assert [day for window in windows for day in window.each()] == sorted(set(days))
    assert all(first.end < second.start for first, second in pairwise(windows))


def test_an_inverted_window_has_no_days():
    """Guards: a negative number of days."""
    window = DayWindow(date(2026, 1, 2), date(2026, 1, 1))
    assert (window.days, list(window.each())) == (0, [])


def test_a_partition_key_has_the_date_first_and_times_know_their_zone():
    """Guards: keys in another order than the one Dagster sorts the dimensions in; naive local times."""
    assert partition_key(date(2026, 11, 22), "alice") == "2026-11-22|alice"
    assert now().utcoffset() == timedelta(0)
