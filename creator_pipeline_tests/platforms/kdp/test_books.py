"""The equations of payments and royalties, and making the ledger anew."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import delete, insert

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.money import from_decimal
from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.ledger.closing import close, reopen
from creator_pipeline.orchestration.book_checks import identities
from creator_pipeline.platforms.kdp import PLATFORM, books
from creator_pipeline.platforms.kdp.payment_choice import Reading, choose
from creator_pipeline.platforms.kdp.payouts import implied_rate
from creator_pipeline.platforms.kdp.payouts_store import read_payouts
from creator_pipeline.store.tables import kdp_payments, payout_lines, payouts, sales_events
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_payments import (
    MANIFEST,
    PAID,
    PENDING,
    ROYALTIES,
    below,
    book,
    payment,
    read,
    saved,
    stored,
)

AT = datetime(2026, 10, 1).astimezone()
ON_TIME, LATE = date(2026, 10, 5), date(2026, 10, 6)
"""The last day for what was sold in July, and the day after it."""


@pytest.fixture
def warehouse(warehouse):
    kdp_landing.add_profiles(warehouse)
    return warehouse


@pytest.fixture
def whole(warehouse):
    """Both months of royalties, and both snapshots of the payments."""
    for path in (*ROYALTIES, PENDING, PAID):
        kdp_landing.land(warehouse, path)
    return warehouse


def ties_of(warehouse):
    with warehouse.read() as connection:
        return books.tie(books.final_royalties(connection, "alice"), read_payouts(connection, "alice"))


def months(warehouse, day):
    """Equations of months and marketplaces that don't hold on a day: (name, key) to the difference."""
    with warehouse.read() as connection:
        paid = read_payouts(connection, "alice")
    found = books.of_months(ties_of(warehouse), paid, day)
    return {(each.name, each.key): each.difference_micros for each in found if not each.holds}


def broken(*rows):
    """Names of a payment's equations that don't hold."""
    readings = [Reading(each, "a", AT) for each in read(*rows).payments]
    return [each for chosen in choose(readings) for each in books.of_payment(chosen) if not each.holds]


def test_accrued_royalty_ties_to_final_royalties_as_the_manifest_says(whole):
    """Guards: a month that was paid short, or twice, and looks like every other."""
    told = {(tie["month"], tie["marketplace"], tie["currency"]): tie for tie in MANIFEST["ties"]}
    found = {(f"{tie.month:%Y-%m}", tie.marketplace, tie.currency): tie for tie in ties_of(whole)}
    assert found.keys() == told.keys()
    for key, tie in found.items():
        expected = told[key]
        assert tie.verdict == expected["verdict"], key
        assert tie.final_micros == from_decimal(expected["final_royalty"])
        accrued = expected["accrued_in_payments"]
        assert tie.accrued_micros == (None if accrued is None else from_decimal(accrued))
        if expected["difference"] is not None:
            assert tie.accrued_micros - tie.final_micros == from_decimal(expected["difference"])


def test_everything_of_the_fixtures_holds(whole):
    """Guards: a check that is red for an account whose books are right."""
    with whole.read() as connection:
        found = list(PLATFORM.books.get().identities(connection, "alice"))
        assert list(books.not_readable(connection, "alice")) == []
        everything = identities(connection, PLATFORM, "alice")
    assert [each for each in everything if not each.holds] == []
    assert {each.name for each in found} == books.NAMES.keys() - {"payment_status_known"}
    assert all(each.currency and each.key for each in found)
    # The 0.03 of Brazil are told, and are no finding.
    (brazil,) = [each for each in found if each.key == "2026-07 Amazon.com.br"]
    assert brazil.reason.startswith("unpaid: 0.03 BRL")


def test_payout_and_printed_rate_agree_within_the_rates_own_rounding(whole):
    """Guards: an alarm for every payment in yen, whose printed rate has two digits; and none where the rate is wrong."""
    with whole.read() as connection:
        chosen = {each.payout_id: each for each in read_payouts(connection, "alice")}
    by_rate = {
        (each.payment.marketplace, each.payment.fx_rate): each for each in chosen.values() if each.payment.fx_rate
    }
    assert len(by_rate) == len(MANIFEST["fx_check"])
    for told in MANIFEST["fx_check"]:
        each = by_rate[told["marketplace"], told["fx_text"]]
        (at_rate,) = [one for one in books.of_payment(each) if one.name == "payout_equals_net_at_rate"]
        assert at_rate.stated_micros == from_decimal(Decimal(str(told["payout"])))
        assert round(at_rate.found_micros / 1e6, 2) == float(told["net_times_fx"])
        assert implied_rate(each.payment) == Decimal(told["implied_rate"])
        assert abs(at_rate.tolerance_micros - from_decimal(told["tolerance"])) <= 60
        assert at_rate.holds
    assert [
        each.name for each in broken(payment(currency="USD", rate="0.8951", payout=8.96), below(currency="USD"))
    ] == ["payout_equals_net_at_rate"]
    assert broken(payment(currency="USD", rate="0.8951", payout=8.95), below(currency="USD")) == []
    assert [each.name for each in broken(payment(currency="USD", payout=8.95), below(currency="USD"))] == [
        "payout_equals_net_at_rate"
    ]
    assert [each.name for each in broken(payment(payout=9.99), below())] == ["payout_equals_net_at_rate"]


def test_rows_that_do_not_add_up_are_named_with_both_figures():
    """Guards: a payment that closes by being left out."""
    (closes,) = broken(payment(net=9.0), below())[:1]
    assert (closes.name, closes.stated_micros, closes.found_micros) == ("payment_closes", 9_000_000, 10_000_000)
    names = [each.name for each in broken(payment(tax=1.0), below(9.0, tax=0.5))]
    assert names == ["accrued_equals_breakdown", "withheld_equals_breakdown"]
    (row,) = broken(payment(), [*below()[:11], 9.0, *below()[12:]])
    assert (row.name, row.stated_micros, row.found_micros) == ("breakdown_closes", 9_000_000, 10_000_000)
    assert broken(payment(adjustments=-2.0, tax=1.0), below(tax=1.0)) == []


@pytest.mark.parametrize("waits", [True, False])
def test_digits_after_the_sixth_are_no_finding(warehouse, tmp_path, waits):
    """Guards: an alarm over a millionth for each payment whose numbers have seven digits."""
    more = (
        {"payout": "Pending info from Bank", "status": "Pending", "number": "", "day": ""}
        if waits
        else {"payout": 6.33}
    )
    rows = [below(third, tax=third * 0.05) for third in (2.2222224, 2.2222224, 2.2222224)]
    head = payment(accrued=6.6666672, tax=6.6666672 * 0.05, **more)
    kdp_landing.land(warehouse, saved(tmp_path, "a.xlsx", book(head, *rows)))
    with warehouse.read() as connection:
        found = [each for each in identities(connection, PLATFORM, "alice") if each.scope == "payout"]
    assert "lines_equal_payout" in {each.name for each in found}
    assert [each for each in found if not each.holds] == []


def test_an_unknown_status_is_a_finding():
    """Guards: money that a new word of Amazon's put on the way for ever."""
    (found,) = broken(payment(status="Reissued"), below())
    assert (found.name, found.stated_micros) == ("payment_status_known", 10_000_000)
    assert "'Reissued'" in found.reason


def test_a_month_is_late_five_days_after_the_month_in_which_it_is_paid(warehouse):
    """Guards: alarms for money that isn't due, and none for money that never came."""
    for path in ROYALTIES:
        kdp_landing.land(warehouse, path)
    assert months(warehouse, date(2026, 9, 5)) == {}
    assert months(warehouse, ON_TIME).keys() == {("royalties_are_paid", "2026-06 Amazon.co.jp")}
    late = months(warehouse, LATE)
    assert late["royalties_are_paid", "2026-07 Amazon.de"] == 87_020_000
    # A crumb is never paid out: no finding in years.
    assert {key for _, key in late} == {
        *("2026-06 Amazon.co.jp", "2026-07 Amazon.co.jp", "2026-07 Amazon.co.uk", "2026-07 Amazon.ca"),
        *("2026-07 Amazon.com", "2026-07 Amazon.de"),
    }


def test_a_failed_payment_is_not_paid_until_its_repeat_is(warehouse):
    """Guards: a failed payment that looks like money in the bank."""
    for path in (*ROYALTIES, PENDING):
        kdp_landing.land(warehouse, path)
    assert months(warehouse, ON_TIME) == {}
    assert months(warehouse, LATE) == {("royalties_are_paid", "2026-07 Amazon.ca"): 12_600_000}
    kdp_landing.land(warehouse, PAID)
    assert months(warehouse, LATE) == {}


def test_payments_without_royalties_are_told(warehouse):
    """Guards: a month whose report was never uploaded, and whose income is in no book."""
    kdp_landing.land(warehouse, ROYALTIES[1])
    kdp_landing.land(warehouse, PAID)
    assert months(warehouse, LATE) == {("accrued_equals_royalties", "2026-06 Amazon.co.jp"): 710_000_000}
    (june,) = [each for each in ties_of(warehouse) if each.month == date(2026, 6, 1)]
    assert june.verdict == "paid without royalties"


def test_a_month_that_is_paid_twice_differs(warehouse, tmp_path):
    """Guards: a repeat whose failed payment was called something else."""
    for path in (*ROYALTIES, PAID):
        kdp_landing.land(warehouse, path)
    again = (
        payment("Amazon.ca", 77.0, accrued=12.6, currency="CAD", rate="0.6", payout=7.56),
        below(12.6, currency="CAD"),
    )
    kdp_landing.land(warehouse, saved(tmp_path, "a.xlsx", book(*again)))
    assert months(warehouse, LATE) == {("accrued_equals_royalties", "2026-07 Amazon.ca"): 12_600_000}


def tied(final: int, expanded: int, *rows, day: date):
    """What doesn't hold for an account with these final royalties (in cents) of July at Amazon.de."""
    chosen = choose([Reading(each, "a", AT) for each in read(*rows).payments])
    finals = [books.Final("Amazon.de", "EUR", date(2026, 7, 1), final * 10_000, expanded * 10_000)]
    found = books.of_months(books.tie(finals, chosen), chosen, day)
    return {each.name: each.difference_micros for each in found if not each.holds}


def test_expanded_distribution_is_paid_a_month_later():
    """Guards: a finding each month for what bookshops pay later, and none when they never do."""
    rows = payment(accrued=10.0), below(10.0)
    assert tied(1200, 200, *rows, day=date(2026, 11, 5)) == {}
    assert tied(1200, 200, *rows, day=date(2026, 11, 6)) == {"royalties_are_paid": 2_000_000}
    assert tied(1200, 0, *rows, day=LATE) == {"accrued_equals_royalties": -2_000_000}


@pytest.mark.parametrize(
    ("method", "final", "late"),
    [("EFT", 99, False), ("EFT", 100, True), ("Check", 9_999, False), ("Check", 10_000, True)],
)
def test_what_is_below_a_threshold_is_not_late(method, final, late):
    """Guards: an author paid by check who is told each night that ninety dollars are missing."""
    other = payment("Amazon.fr", method=method, status="Failed"), below()
    assert tied(final, 0, *other, day=LATE) == ({"royalties_are_paid": final * 10_000} if late else {})


def test_the_ledger_is_made_anew_of_what_is_stored(whole):
    """Guards: a rebuild that forgets what only payments tell."""
    before = kdp_landing.ledger(whole), stored(whole, payouts), stored(whole, payout_lines)
    with whole.write() as connection:
        for table in (sales_events, payouts, payout_lines):
            connection.execute(delete(table))
    window = DayWindow(date(2026, 6, 15), date(2026, 8, 1))
    assert books.rebuild(whole, "alice", window) == len(before[0])
    assert (kdp_landing.ledger(whole), stored(whole, payouts), stored(whole, payout_lines)) == before
    assert books.rebuild(whole, "alice", window) == 0
    with pytest.raises(ConfigError):
        books.rebuild(whole, "nobody", window)


def test_a_closed_month_stands_when_its_adjustment_comes_late(warehouse, tmp_path):
    """Guards: a September that the bookkeeper has closed, changed by a report of November."""
    for path in ROYALTIES:
        kdp_landing.land(warehouse, path)
    with warehouse.write() as connection:
        close(connection, "alice", "2026-09", "{}", now())
        close(connection, "alice", "2026-07", "{}", now())
    july = [row for row in kdp_landing.ledger(warehouse) if row[8].month == 7]
    kdp_landing.land(warehouse, PAID)
    after = kdp_landing.ledger(warehouse)
    assert [row for row in after if row[8].month == 7 and row[8].year == 2026] == july
    columns = list(sales_events.c.keys())
    (adjustment,) = [dict(zip(columns, row, strict=False)) for row in after if row[3] == "adjustment"]
    assert adjustment["occurred_on"] > date(2026, 9, 30)
    with warehouse.write() as connection:
        reopen(connection, "alice", "2026-09", now())
    books.rebuild(warehouse, "alice", DayWindow(date(2026, 9, 1), date(2026, 10, 1)))
    (adjustment,) = [row for row in kdp_landing.ledger(warehouse) if row[3] == "adjustment"]
    assert adjustment[8] == date(2026, 9, 29)


def test_reports_of_an_older_release_are_told(whole):
    """Guards: payments that are missing after an upgrade, and nobody says why."""
    rows = stored(whole, kdp_payments)
    with whole.write() as connection:
        connection.execute(delete(kdp_payments))
        (told,) = books.not_readable(connection, "alice")
        assert (told.table, told.detail[:2], bool(told.hint)) == ("payments", "2 ", True)
        connection.execute(insert(kdp_payments), [row for row in rows if row["upload_id"] == rows[0]["upload_id"]])
        assert next(iter(books.not_readable(connection, "alice"))).detail.startswith("1 ")
