"""The invented payments, through the real path."""

from __future__ import annotations

from datetime import date

import pytest

from creator_pipeline.core.money import from_decimal
from creator_pipeline.platforms.kdp import books
from creator_pipeline.platforms.kdp.payouts_store import read_payouts
from creator_pipeline.platforms.kdp.sandbox.payments_report import paid_out, payments_report
from creator_pipeline.platforms.kdp.ties import tie
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_payments import heads, saved

DAYS = [date(2026, 11, 26), date(2026, 11, 28), date(2026, 12, 28)]


def land(warehouse, folder, day):
    report = payments_report(7, day)
    for made in report.royalties:
        kdp_landing.land(warehouse, saved(folder, made.name, made.content))
    done = kdp_landing.land(warehouse, saved(folder, report.name, report.content))
    assert (done.status, done.problems) == ("accepted", ())
    return report


def equations(warehouse, day):
    with warehouse.read() as connection:
        paid = read_payouts(connection, "alice")
        ties = tie(books.final_royalties(connection, "alice"), paid)
    assert {each.verdict for each in ties} <= {"ok", "unpaid"}
    return [*(one for each in paid for one in books.of_payment(each)), *books.of_months(ties, paid, day)], ties


def test_the_same_day_is_the_same_file():
    """Guards: a demo whose upload is another content each time."""
    assert payments_report(7, DAYS[0]) == payments_report(7, DAYS[0])


@pytest.mark.parametrize("day", DAYS)
def test_the_invented_payments_tie_to_the_invented_royalties(sqlite_warehouse, tmp_path, day):
    """Guards: a sandbox whose books don't close, so that nobody believes a red check."""
    kdp_landing.add_profiles(sqlite_warehouse)
    report = land(sqlite_warehouse, tmp_path, day)
    assert paid_out(sqlite_warehouse, "alice") == {code: from_decimal(sum_) for code, sum_ in report.paid.items()}
    found, ties = equations(sqlite_warehouse, day)
    assert [each for each in found if not each.holds] == []
    accrued = {(each.marketplace, each.month): each.accrued_micros for each in ties if each.accrued_micros}
    assert accrued == {key: from_decimal(amount) for key, amount in report.accrued.items()}
    states = [row["state"] for row in heads(sqlite_warehouse).values()]
    assert {"paid", "released", "on_the_way"} == set(states)


def test_reports_of_several_months_are_one_history(sqlite_warehouse, tmp_path):
    """Guards: a payment that is told by two reports and counts twice."""
    kdp_landing.add_profiles(sqlite_warehouse)
    for day in (DAYS[2], DAYS[0], DAYS[1]):
        land(sqlite_warehouse, tmp_path, day)
    found, ties = equations(sqlite_warehouse, DAYS[2])
    assert [each for each in found if not each.holds] == []
    assert {each.month.month for each in ties if each.verdict == "ok"} == {7, 8, 9, 10}
    assert sum(row["state"] == "on_the_way" for row in heads(sqlite_warehouse).values()) == 1
