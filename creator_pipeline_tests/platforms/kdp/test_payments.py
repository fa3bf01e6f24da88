"""A Payments report, from its rows to payments with their breakdowns."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline_tests.support import kdp_payments as samples
from creator_pipeline_tests.support.kdp_payments import HEADER, MANIFEST, below, payment, read

REPORTS = sorted(name for name, told in MANIFEST["files"].items() if told["kind"] == "payments")


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_of_the_fixtures_is_read_wholly(name):
    """Guards: rows that are counted and not read, so that nobody can say what a payment was for."""
    told = MANIFEST["files"][name]
    told = MANIFEST["files"][samples.PAID.name] if "parents" not in told else told
    report = parse(samples.FOLDER / name)
    payments = report.payments
    assert (report.verdict, report.kind, report.problems) == ("accept", "payments", ())
    assert len(payments) == told["parents"]
    assert sum(len(each.details) for each in payments) == told["children"]
    assert Counter(each.status for each in payments) == told["statuses"]
    paid = sum(each.payout_micros for each in payments if each.state == "paid")
    assert to_text(paid, "EUR") == told["payout_eur_paid"]
    assert all(each.complete and abs(each.computed_micros - each.net_micros) <= 1 for each in payments)
    # They stay rows that never count as revenue.
    assert [row.measures.royalty_micros for row in report.rows] == [each.accrued_micros for each in payments]
    assert not any(row.dimensions.counted for row in report.rows)


def test_a_csv_says_what_its_workbook_says():
    """Guards: a payment that is another one because its number was saved as 700000000001.0."""
    assert parse(samples.AS_CSV).payments == parse(samples.PAID).payments


def test_every_column_of_a_payment_is_kept():
    """Guards: the bank's currency taken for the marketplace's, for both columns have one name."""
    first, pending, german, japan = parse(samples.PENDING).payments[:4]
    assert (first.marketplace, first.number, first.paid_on) == ("Amazon.com", "700000000001", date(2026, 9, 29))
    assert (first.currency, first.payout_currency, first.fx_rate) == ("USD", "EUR", "0.8951")
    assert (first.accrued_micros, first.withheld_micros, first.adjustments_micros, first.net_micros) == (
        *(223_664_212, 11_183_211, -2_150_000, 210_331_001),
    )
    assert (first.payout_micros, first.method, first.status) == (188_270_000, "EFT", "Paid")
    assert (pending.number, pending.paid_on, pending.fx_rate, pending.payout_micros) == ("", None, None, None)
    assert (pending.payout_text, pending.state) == ("Pending info from Bank", "on_the_way")
    assert german.fx_rate is None
    assert (japan.period_start, japan.period_end) == (date(2026, 6, 1), date(2026, 7, 31))
    assert [(each.month, each.source, each.accrued_micros) for each in japan.details] == [
        (date(2026, 6, 1), "Sales", 710_000_000),
        (date(2026, 7, 1), "Sales", 800_000_000),
        (date(2026, 7, 1), "KENP Royalties", 20_000_000),
    ]


def test_a_row_that_does_not_close_is_named_with_both_numbers_and_kept():
    """Guards: a payment that is a euro short and looks like every other; and one that is dropped for it."""
    report = read(payment(accrued=10.0, tax=1.0, net=8.0), below(tax=1.0), payment(number=2.0), below(9.0))
    first, second = report.problems
    assert report.verdict == "accept"
    assert [each.net_micros for each in report.payments] == [8_000_000, 10_000_000]
    assert (first.level, first.row, first.column) == ("note", 2, "Net Earnings")
    assert (first.found, first.expected) == ("8.00", "9.00")
    assert (second.level, second.row, second.column) == ("note", 4, "Accrued Royalty")
    assert (second.found, second.expected) == ("9.00", "10.00 of the payment")


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_the_withholding_is_the_one_that_closes_the_row(sign):
    """Guards: tax that is given back in the books because a report prints it as a negative amount."""
    report = read(
        payment(accrued=10.0, tax=sign * 3.0, net=7.0), [*below(tax=3.0)[:9], sign * 3.0, "", 7.0, "Sales", *[""] * 4]
    )
    (paid,) = report.payments
    assert (paid.withheld_micros, paid.details[0].withheld_micros, report.problems) == (3_000_000, 3_000_000, ())


def test_a_withholding_that_was_given_back_is_negative():
    """Guards: a refund of tax that is booked as tax."""
    (paid,) = read(payment(accrued=10.0, tax=3.0, net=13.0), below(10.0)).payments
    assert paid.withheld_micros == -3_000_000


def test_files_without_adjustments_are_read():
    """Guards: a report of an account that never had an adjustment, refused."""
    place = HEADER.index("Adjustments")
    rows = [payment(tax=1.0), below(tax=1.0)]
    header = [*HEADER[:place], *HEADER[place + 1 :]]
    report = read(*([*row[:place], *row[place + 1 :]] for row in rows), header=header)
    assert (report.payments[0].adjustments_micros, report.payments[0].payout_micros) == (0, 9_000_000)
    assert report.problems == ()


def test_a_blank_first_column_moves_nothing():
    """Guards: the reports of the accounts that have one."""
    report = read(*(["", *row] for row in (payment(), below())), header=["", *HEADER])
    assert [(each.number, len(each.details)) for each in report.payments] == [("1", 1)]


def test_statuses_and_sources_that_nobody_has_seen_survive():
    """Guards: a status of next year that stops the report, or that is silently one of ours."""
    report = read(payment(status="Reversed"), below(source="Audiobook Sales"))
    (paid,) = report.payments
    assert (paid.status, paid.state, paid.known_status) == ("Reversed", "on_the_way", False)
    assert paid.details[0].source == "Audiobook Sales"
    assert report.verdict == "accept"


def test_numbers_are_text_through_whole_numbers():
    """Guards: two names of one payment."""
    content = samples.csv(payment(number="100000658607170.0"), below(), payment(number="X-1"), below())
    assert [each.number for each in parse(content, "x.csv").payments] == ["100000658607170", "X-1"]
    report = read(payment(number=100000658607170.0), below(), payment(number=""), below())
    assert [each.number for each in report.payments] == ["100000658607170", ""]


def test_a_number_whose_digits_are_lost_holds_the_report_back():
    """Guards: all payments of a year under the one number 7E+11."""
    report = parse(samples.csv(payment(number="7E+11"), below()), "x.csv")
    assert report.verdict == "quarantine"
    held = [(each.row, each.column) for each in report.problems if each.level == "quarantine"]
    assert held == [(2, "Payment Number")]


def test_a_csv_with_decimal_commas_is_the_same():
    """Guards: a rate of 8951, and a payment of a thousand times its amount."""
    rows = [
        payment(accrued=10.25, rate="0,8951", currency="USD", payout=9.17, number="7"),
        below(10.25, currency="USD"),
    ]
    text = [[str(cell).replace(".", ",") if isinstance(cell, float) else cell for cell in row] for row in rows]
    (paid,) = parse(samples.csv(*text, delimiter=";"), "x.csv").payments
    assert (paid.accrued_micros, paid.fx_rate, paid.payout_micros) == (10_250_000, "0.8951", 9_170_000)


def test_what_can_not_be_read_holds_the_report_back_and_names_its_place():
    """Guards: a breakdown that is added to the payment above the one that it belongs to."""
    bad = [*below()[:4], "July", *below()[5:]]
    report = read(below(), payment(currency="euro"), below(), payment(number=2.0), bad, payment(number=3.0), below())
    assert report.verdict == "quarantine"
    assert [each.row for each in report.problems if each.level == "quarantine"] == [2, 3, 6]
    assert [(each.number, len(each.details)) for each in report.payments] == [("2", 0), ("3", 1)]


def test_a_rate_that_is_missing_and_an_unknown_column_are_told():
    """Guards: a payout in another currency that no rate explains, and nobody is told."""
    report = read([*payment(currency="USD"), "?"], [*below(currency="USD"), ""], header=[*HEADER, "Bank Fee"])
    assert [(each.level, each.column) for each in report.problems] == [("note", "Bank Fee"), ("note", "FX Rate")]
