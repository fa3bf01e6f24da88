"""The ECB's files, in the shapes in which it publishes them."""

from __future__ import annotations

from datetime import date

import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.fx import ecb
from creator_pipeline_tests.support import paths

FOLDER = paths.FIXTURES / "fx"


def read(name: str) -> dict[tuple[date, str], str]:
    return {(one.day, one.currency): one.rate for one in ecb.read(name, (FOLDER / name).read_bytes())}


def test_all_shapes_tell_the_same_rates() -> None:
    """Guards: the daily file's zeros at the end, taken for another rate than the history's."""
    history = read("eurofxref-hist.csv")
    assert read("eurofxref-hist.zip") == history
    assert history[date(2026, 10, 30), "USD"] == "1.1"
    assert history[date(2026, 10, 30), "INR"] == "106"
    assert (date(2026, 10, 30), "BGN") not in history
    assert history[date(2022, 12, 30), "HRK"] == "7.5365"
    daily = read("eurofxref-daily.csv")
    assert len(daily) == 12
    assert daily.items() <= history.items()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"<?xml version='1.0'?><Cube/>", "begin with Date"),
        (b"", "begin with Date"),
        (b"Date,USD,\n", "no rate"),
        (b"Date,usd,\n2026-10-30,1.1,\n", "'usd' is no currency"),
        (b'Date,USD,\n2026-10-30,"1,1",\n', "row 2, column USD: '1,1'"),
        (b"Date,USD,\n2026-10-30,0,\n", "row 2, column USD"),
        (b"Date,USD,\n2026-10-30,-1.1,\n", "row 2, column USD"),
        (b"Date,USD,\n2026-10-30,NaN,\n", "row 2, column USD"),
        (b"Date,USD,\n30.10.2026,1.1,\n", "row 2, column Date"),
        (b"Date,USD,\n2026-10-30,1.1,2,3\n", "row 2"),
        (b"Date,USD,\n2026-10-30,1.1,\n2026-10-30,1.2,\n", "row 3, column USD"),
        (b"PK\x03\x04broken", "can't be read"),
        (b"Date,USD\xff", "can't be read"),
    ],
)
def test_what_is_no_rate_is_named_with_its_place(content: bytes, place: str) -> None:
    """Guards: a year in euros at a rate of 0, or of a decimal comma."""
    with pytest.raises(DataError) as refused:
        ecb.read("rates.csv", content)
    assert place in refused.value.message
