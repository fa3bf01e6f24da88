"""Cells: money per locale, dates, ids."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.core.money import from_decimal
from creator_pipeline.platforms.kdp.cells import (
    Mark,
    count,
    decimal_mark,
    micros,
    number,
    product_id,
    royalty_type,
    safe_cell,
)
from creator_pipeline.platforms.kdp.columns import column, transaction
from creator_pipeline.platforms.kdp.dates import day_or_month
from creator_pipeline.platforms.kdp.problems import BadCell

AMOUNTS = st.decimals(min_value=-10_000_000, max_value=10_000_000, allow_nan=False, places=2)


@given(
    AMOUNTS,
    st.sampled_from(
        [(",", "."), ("", "."), ("\u00a0", "."), (".", ","), ("", ","), ("\u202f", ","), (" ", ","), ("'", ".")]
    ),
)
def test_money_survives_every_locale(amount: Decimal, marks: tuple[str, Mark]) -> None:
    """Incident: 1.234,50 euros booked as 1.23."""
    thousands, decimal = marks
    text = f"{amount:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
    assert micros(text, decimal) == from_decimal(amount)
    assert decimal_mark([text]) == decimal


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_a_workbooks_number_is_taken_as_written(value: float) -> None:
    """Incident: 87.43 becomes 87.430000000000007 on its way through a float."""
    assert micros(value, None) == from_decimal(Decimal(repr(value)))


@pytest.mark.parametrize(
    "text", ["1.234", "1,234", "N/A", "1E+05", "12,34,5", "1..2", "nan", "inf", "(5.00", "€4 $", "$4 EUR", "--5"]
)
def test_a_number_that_can_be_read_two_ways_is_not_read(text: str) -> None:
    """Incident: 1.234 units of a currency guessed to be a thousand."""
    with pytest.raises(BadCell):
        number(text, None)


def test_the_files_other_numbers_settle_thousands() -> None:
    """Incident: the same."""
    assert decimal_mark(["5", "1.234", "0,70"]) == ","
    assert number("1.234", ",") == 1234
    assert number("1.234", ".") == Decimal("1.234")


@pytest.mark.parametrize(("text", "units"), [("1,234", 1234), ("12.345", 12345), ("-1.250", -1250), ("7", 7)])
def test_a_number_of_units_has_no_decimals(text: str, units: int) -> None:
    """Incident: 1,234 pages in a file without another number, "whose decimal mark can't be told"."""
    assert count(text, None) == units
    assert count(text.replace(",", "."), ",") == units
    for either in ("1.000", "12,000"):
        with pytest.raises(BadCell):
            count(either, None)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,23,456.78", "123456.78"),
        ("$1,234.50 USD", "1234.50"),
        ("+1,234.50", "1234.50"),
        ("\u20131,234.50", "-1234.50"),
        ("१२३४.५", "1234.5"),
        ("\uff11,\uff12\uff13\uff14\uff0e\uff15", "1234.5"),
        ("(5.00)", "-5.00"),
        ("R$ 19,90", "19.90"),
        ("4,99 €", "4.99"),
    ],
)
def test_numbers_as_people_write_them_elsewhere(text: str, amount: str) -> None:
    """Incident: an Indian seller's lakhs, and every price with its sign, were no numbers."""
    assert number(text, decimal_mark([text])) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "day", "grain"),
    [
        ("2026/09/15", "2026-09-15", "day"),
        ("2026.09.15", "2026-09-15", "day"),
        ("2026年9月15日", "2026-09-15", "day"),
        ("9/15/2026", "2026-09-15", "day"),
        ("septembre 2026", "2026-09-01", "month"),
        ("2026-03", "2026-03-01", "month"),
        ("2026-03-15", "2026-03-15", "day"),
        ("2026-03-01 00:00:00", "2026-03-01", "day"),
        ("March 2026", "2026-03-01", "month"),
        ("octubre 2025", "2025-10-01", "month"),
        ("8月 2026", "2026-08-01", "month"),
        ("01-Apr-2011", "2011-04-01", "day"),
        ("20260915", "2026-09-15", "day"),
        ("Sep 15, 2026", "2026-09-15", "day"),
        ("15 Sept. 2026", "2026-09-15", "day"),
        ("15. Dez. 2026", "2026-12-15", "day"),
        ("15 de septiembre de 2026", "2026-09-15", "day"),
        ("15 févr. 2026", "2026-02-15", "day"),
        ("2026 set 15", "2026-09-15", "day"),
        ("2026-09-15T00:00:00Z", "2026-09-15", "day"),
        ("9/15/2026 12:00:00 AM", "2026-09-15", "day"),
        ("Tuesday, September 15, 2026", "2026-09-15", "day"),
        ("Tue 15 Sep 2026", "2026-09-15", "day"),
        ("2026年9月15日(火)", "2026-09-15", "day"),
        ("2026. szeptember 15.", "2026-09-15", "day"),
        ("15 сентября 2026 г.", "2026-09-15", "day"),  # noqa: RUF001 - as it is written there
        ("٢٠٢٦-٠٩-١٥", "2026-09-15", "day"),  # noqa: RUF001 - as it is written there
        ("Sep-2026", "2026-09-01", "month"),
        ("09/2026", "2026-09-01", "month"),
        ("202609", "2026-09-01", "month"),
    ],
)
def test_dates_with_one_reading_are_read(text: str, day: str, grain: str) -> None:
    """Incidents: a Spanish Summary whose months were dropped; 20260915 and Sep 15, 2026 "in several ways"."""
    assert (str(day_or_month(text)[0]), day_or_month(text)[1]) == (day, grain)


@pytest.mark.parametrize(
    "text",
    [
        "Mar-26",
        "3/1/2026",
        "01/03/2026",
        "46082",
        "01-Mar-26",
        "201209",
        "9/15/2026 12:00:00 PM",
        "2026-13",
        "2026-02-30",
        "1026-03",
        "15092026",
        "20261509",
        "",
    ],
)
def test_dates_with_two_readings_are_not_read(text: str) -> None:
    """Incident: 3/1/2026 booked in January."""
    with pytest.raises(BadCell):
        day_or_month(text)


def test_ids_are_repaired_only_where_the_check_digit_proves_it() -> None:
    """Incident: two books merged because scientific notation made their ISBNs equal."""
    assert product_id("9798999900012.0") == ("9798999900012", True)
    assert product_id(9798999900012.0) == ("9798999900012", True)
    assert product_id("306406152") == ("0306406152", True)
    assert product_id("B0TESTEA01") == ("B0TESTEA01", False)
    assert product_id('="9798999900012"') == product_id("'9798999900012") == ("9798999900012", False)
    for broken in ("9.799E+12", "9,799E+12", "9798999900013.0", 9.799e12, "306406153", "title", "=1+1"):
        with pytest.raises(BadCell):
            product_id(broken)


def test_words_match_whole_and_in_their_normal_form() -> None:
    """Incident: a substring rule took 'Royalty Date' for the money column."""
    assert column("Royalty Date") == "royalty_date"
    assert column("ロイヤリティ発生日") == "royalty_date"
    assert column("ロイヤリティ") == "royalty"
    assert column(" Net  Units Sold or KENP Read** ") == "net_units_or_kenp"
    assert column("平均ファイルサイズ\uff08MB\uff09") == "file_size"
    assert column("Royalty (usd)") == "royalty_usd"
    assert column("My Royalty") is None
    assert transaction("標準") == transaction("Standard - Hardcover") == "standard"
    assert royalty_type(0.35) == royalty_type("0.35") == royalty_type("35%") == royalty_type("35") == "35%"


@given(st.text())
def test_an_exported_cell_is_never_a_formula(text: str) -> None:
    """Incident: a title that runs a program when the export is opened."""
    safe = safe_cell(text)
    assert safe in {text, "'" + text}
    assert not safe.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
