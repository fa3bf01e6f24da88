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


def test_where_several_sums_are_near_no_sale_is_named():
    """Guards: a kept fee that is booked to the wrong sale, because its estimate was the nearest."""
    kept = [Part(-115, "kept fee", sale, None, 5, sale) for sale in ("one==", "two==")]
    found = explain(-117, [], kept)
    assert [(one.micros, one.sale_id, one.once) for one in found.parts] == [(-115, "", "")]
    assert (found.beside_micros, found.rest_micros) == (-2, 0)


def test_where_several_rows_are_near_none_is_settled():
    """Guards: a refund that is said to be paid, although it is as likely another one."""
    gone = [Part(-115, "refund", sale, f"row of {sale}", 5, sale) for sale in ("one==", "two==")]
    assert explain(-117, [], gone).rest_micros == -117
