"""Amounts survive every way in and out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.core import money

MICROS = st.integers(-(10**18), 10**18)


@given(MICROS)
def test_micros_become_a_decimal_and_the_same_micros_again(micros):
    """Guards: a float on the way, which loses a cent past 2**53."""
    assert money.from_decimal(money.to_decimal(micros)) == micros


@given(MICROS, st.sampled_from(["USD", "jpy", "KWD"]))
def test_text_for_people_reads_back_as_the_same_amount(micros, currency):
    """Guards: fractions of a yen that vanish in the UI, and exponents such as 1E+3."""
    text = money.to_text(micros, currency)
    assert money.from_decimal(text) == micros
    assert "E" not in text
    whole, _, fraction = text.partition(".")
    assert whole.lstrip("-").isdigit()
    assert len(fraction) >= money.decimals(currency)


@given(st.integers(-(10**12), 10**12))
def test_cents_are_hundredths(cents):
    """Guards: a platform's cents taken for units."""
    assert money.to_decimal(money.from_cents(cents)) == Decimal(cents) / 100


@pytest.mark.parametrize(
    "text", ["", "abc", "NaN", "Infinity", "-inf", "1e400", "1E1000000", "9223372036854.775808", "$5"]
)
def test_what_is_no_amount_of_64_bits_is_refused(text):
    """Guards: an exponent of a million that eats the memory before it is refused, and overflow on PostgreSQL."""
    with pytest.raises(ValueError, match="amount of money"):
        money.from_decimal(text)


def test_the_seventh_digit_rounds_half_to_even():
    """Guards: sums that drift because halves always go up."""
    assert [money.from_decimal(text) for text in ("0.0000005", "0.0000015", "-0.0000005")] == [0, 2, 0]


def test_an_amount_leaves_room_for_the_sums_and_differences_of_some():
    """Guards: a fee that is the difference of two amounts, each of which fits the database, and doesn't."""
    assert money.from_decimal("1000000000000") == 10**18
    for amount in ("1000000000000.000001", "-9000000000000", "1e999", "NaN", "Infinity", "1E+400000000"):
        with pytest.raises(ValueError, match=r"too large|not an amount"):
            money.from_decimal(amount)
    assert 2 * money.from_decimal("1000000000000") - 2 * money.from_decimal("-1000000000000") < 2**63
