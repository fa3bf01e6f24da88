"""When payouts are made, and what becomes of them."""

from datetime import date, timedelta

import pytest

from creator_pipeline.platforms.gumroad.sandbox.payouts import FRIDAY, THURSDAY, WEDNESDAY, Terms
from creator_pipeline.platforms.gumroad.sandbox.shapes import utc_text
from creator_pipeline_tests.support.gumroad_stand_in import at, made_books, made_sale

MONDAY = "2026-03-02"


def filled(terms=None, days=1, price=4000):
    """Books with a sale on each of some days from a Monday on."""
    books = made_books(MONDAY, terms) if terms else made_books(MONDAY)
    for number in range(days):
        books.sold(made_sale(f"s{number}", f"{date.fromisoformat(MONDAY) + timedelta(days=number)}", price, 596))
    return books


@pytest.mark.parametrize(
    ("terms", "made", "arrived"),
    [
        (Terms("stripe", FRIDAY, "usd"), "2026-03-13T10:00:03Z", "2026-03-16T07:00:00Z"),
        (Terms("stripe", THURSDAY, "usd"), "2026-03-12T10:00:03Z", "2026-03-16T07:00:00Z"),
        (Terms("stripe", WEDNESDAY, "eur"), "2026-03-11T10:00:03Z", "2026-03-16T07:00:00Z"),
        (Terms("paypal", FRIDAY, "usd"), "2026-03-13T10:00:03Z", "2026-03-13T18:20:00Z"),
    ],
)
def test_every_payout_covers_the_days_up_to_a_week_before_its_friday(terms, made, arrived):
    """Guards: days of a Wednesday's payout guessed from the Wednesday."""
    books = filled(terms, days=6)
    books.run.until(at("2026-03-17"))
    (payout,) = books.run.payouts
    assert (utc_text(payout.created), payout.period_end) == (made, date(2026, 3, 6))
    assert [one.day.day for one in payout.balances] == [2, 3, 4, 5, 6]
    assert utc_text(payout.since("completed")) == arrived


def test_less_than_ten_dollars_waits_and_so_does_a_negative_balance():
    """Guards: a payout of nothing, or of less than nothing."""
    books = made_books(MONDAY)
    small = made_sale("small", MONDAY, 1200, 235)
    books.sold(small)
    books.run.until(at("2026-03-20"))
    assert books.run.payouts == []
    books.dispute(small, date(2026, 3, 20))
    books.credit(-500, date(2026, 3, 20))
    books.run.until(at("2026-04-03"))
    assert books.run.payouts == []
    books.sold(made_sale("large", "2026-04-03", 9000, 1241))
    books.run.until(at("2026-04-20"))
    (payout,) = books.run.payouts
    assert payout.balance_cents == 9000 - 1241 - 500


def test_a_hold_stops_payouts_and_its_end_pays_all():
    """Guards: a pause that loses a week."""
    books = filled(days=14)
    books.run.paused = True
    books.run.until(at("2026-03-24"))
    assert books.run.payouts == []
    books.run.paused = False
    books.run.until(at("2026-03-28"))
    assert [one.balance_cents for one in books.run.payouts] == [14 * 3404]


@pytest.mark.parametrize("fate", ["failed", "cancelled", "returned", "reversed"])
def test_what_does_not_arrive_is_paid_later_once(fate):
    """Guards: money that is in two payouts, or in none."""
    books = filled(days=5)
    books.run.fates[0] = fate
    books.run.until(at("2026-05-01"))
    first, second = books.run.payouts
    assert (first.status, first.live, second.status) == (fate, False, "completed")
    assert second.balances == first.balances
    assert all(one.payout is second for one in first.balances)


def test_an_unclaimed_payout_stays_tied():
    """Guards: unclaimed money paid again."""
    books = filled()
    books.run.fates[0] = "unclaimed"
    books.run.until(at("2026-05-01"))
    assert [(one.status, one.live) for one in books.run.payouts] == [("unclaimed", True)]
    assert books.book.unpaid() == []


def test_a_released_payout_keeps_what_it_was_made_of_while_its_balance_grows():
    """Guards: a kept fee of later that changes what a returned payout amounted to."""
    books = filled()
    books.run.fates[0] = "returned"
    books.run.until(at("2026-03-25"))
    (payout,) = books.run.payouts
    books.credit(-100, date(2026, 3, 25))
    assert sum(entry.cents for entry in payout.entries) == payout.balance_cents == 3404
    assert payout.balances[0].cents == 3304


def test_what_the_bank_exchanged_twice_is_a_credit_of_no_dollars():
    """Guards: a line of 0.00 dropped, and the euro with it."""
    books = filled(Terms("stripe", WEDNESDAY, "eur"), price=9000)
    books.run.fates[0] = "returned"
    books.run.until(at("2026-05-01"))
    first, second = books.run.payouts
    assert first.balance_cents == second.balance_cents
    assert second.amount < first.amount


def test_what_is_planned_is_told_in_dollars_as_long_as_each_run_reaches_the_minimum():
    """Guards: the upcoming payouts taken for the whole balance."""
    books = filled(Terms("paypal", FRIDAY, "usd"), days=12)
    books.sold(made_sale("later", "2026-03-23", 9000, 1241))
    assert [(str(one.day), str(one.period_end), one.cents) for one in books.run.upcoming(at("2026-03-13T09:00"))] == [
        ("2026-03-13", "2026-03-06", 5 * 3404),
        ("2026-03-20", "2026-03-13", 7 * 3404),
    ]
    books.run.until(at("2026-03-13T11:00"))
    assert [str(one.day) for one in books.run.upcoming(at("2026-03-13T11:00"))] == ["2026-03-20"]


def test_nothing_can_be_added_to_what_is_paid():
    """Guards: a payout that changes after it was made."""
    books = filled()
    books.run.until(at("2026-03-20"))
    entry = books.run.payouts[0].entries[0]
    with pytest.raises(ValueError, match="is in a payout"):
        books.book.enter(books.run.payouts[0].balances[0], entry.item, 1, date(2026, 3, 20))
