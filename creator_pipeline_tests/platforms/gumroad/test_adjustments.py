"""A Technical Adjustment is taken apart, or stays whole and unexplained."""

import pytest

from creator_pipeline.platforms.gumroad.adjustments import Part, explain


def part(cents: int, tolerance: int = 0, once: str = "") -> Part:
    return Part(cents, f"{cents}", "sale==", None, tolerance, once)


def amounts(found) -> list[int]:
    return [one.micros for one in found.parts]


@pytest.mark.parametrize(
    ("told", "expected", "possible", "parts", "beside", "rest"),
    [
        (-59, [part(-59)], [], [-59], 0, 0),
        (-59, [], [part(-59), part(-1784)], [-59], 0, 0),
        (-1843, [part(-59)], [part(-1784)], [-59, -1784], 0, 0),
        (41, [part(100)], [part(-59)], [100, -59], 0, 0),
        # The expected part isn't in it.
        (-1784, [part(-59)], [part(-1784)], [-1784], 0, 0),
        # Within what an estimated fee leaves open; the cents between are named.
        (-1790, [], [part(-1784, 20)], [-1784], -6, 0),
        (-1790, [], [part(-1784, 5)], [], 0, -1790),
        # Nearest first: what is taken with its fee and without it is one thing.
        (-1716, [], [part(-1784, 40, "r"), part(-1716, 2, "r")], [-1716], 0, 0),
        (-3500, [], [part(-1784, 40, "r"), part(-1716, 40, "r")], [], 0, -3500),
        (-12, [part(-5)], [], [-5], 0, -7),
        (-12, [part(50)], [], [], 0, -12),
        (-12, [], [], [], 0, -12),
    ],
)
def test_only_a_sum_that_fits_is_an_explanation(told, expected, possible, parts, beside, rest):
    """Guards: money that is called explained although nobody knows what it is."""
    found = explain(told, expected, possible)
    assert (amounts(found), found.beside_micros, found.rest_micros) == (parts, beside, rest)
    assert sum(amounts(found)) + found.beside_micros + found.rest_micros == told
