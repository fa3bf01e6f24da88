"""The figures of a month, counted by hand."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert

from creator_pipeline.core.windows import now
from creator_pipeline.ledger import closing, journal, movements, statement
from creator_pipeline.ledger.statement import Statement
from creator_pipeline.platforms import sources
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events, unexplained
from creator_pipeline_tests.support.ledger_samples import event
from creator_pipeline_tests.support.payout_samples import put_payout

USD = ("gumroad", "USD")
OCTOBER = "2026-10"


def row(number: int, day: date, kind: str, gross: int, fee: int = 0, **over):
    """A row of the ledger, amounts in cents."""
    amounts = {"gross_micros": gross * 10_000, "fee_micros": fee * 10_000, "net_micros": (gross - fee) * 10_000}
    made = event(number, day)
    return made._replace(id=f"gumroad:alice:{number}:{kind}", event_type=kind, **amounts, **over)


@pytest.fixture
def books(warehouse: Warehouse) -> Warehouse:
    """September with one sale; October with everything; a sale of November."""
    rows = [
        row(1, date(2026, 9, 30), "sale", 1000, 209),
        row(2, date(2026, 10, 2), "sale", 5000, 725),
        row(3, date(2026, 10, 5), "refund", -1000, -150, fee_exact=False),
        row(4, date(2026, 10, 6), "chargeback", -5000, -725),
        row(5, date(2026, 10, 7), "chargeback_reversal", 5000, 725),
        row(6, date(2026, 10, 8), "affiliate_share", -250),
        row(7, date(2026, 10, 8), "affiliate_credit", 312),
        row(8, date(2026, 10, 9), "payout_fee", 0, 92),
        row(9, date(2026, 10, 9), "fee_refund", 0, -10),
        row(10, date(2026, 10, 9), "adjustment", -7),
        row(11, date(2026, 10, 9), "something_new", 5, 1),
        row(12, date(2026, 11, 1), "sale", 700, 170),
    ]
    with warehouse.write() as connection:
        connection.execute(insert(sales_events), [one._asdict() for one in rows])
        put_payout(connection, "p1==", 791, date(2026, 10, 2))
        put_payout(connection, "p2==", 1000, date(2026, 10, 9), state="on_the_way")
        put_payout(connection, "p3==", 500, date(2026, 10, 9), state="released", released_on=date(2026, 11, 3))
        put_payout(connection, "p4==", 900, date(2026, 10, 16), state="planned")
    return warehouse


def read(warehouse: Warehouse, month: str | None) -> Statement:
    with warehouse.read() as connection:
        return statement.statements(connection, "alice", month)[USD]


def test_every_figure_of_a_month_is_what_a_bookkeeper_counts(books: Warehouse) -> None:
    """Guards: a statement that leaves out a kind of row, or counts a payout that came back."""
    found = read(books, OCTOBER)
    assert {name: value for name, value in found.as_text("USD").items() if value.strip("-0.")} == {
        "opening": "7.91",
        "sales": "50.00",
        "refunds": "-10.00",
        "fees": "-7.26",
        "fees_returned": "1.60",
        "affiliate_credits": "3.12",
        "affiliate_shares": "-2.50",
        "payout_fees": "-0.92",
        "adjustments": "-0.02",
        "payouts": "-22.91",
        "closing": "19.02",
        "estimated": "1.50",
    }
    assert read(books, "2026-11").opening == found.closing
    assert read(books, "2026-11").sums["payouts"] == 5_000_000
    assert read(books, None).closing == read(books, "2026-11").closing


def test_the_journal_of_a_month_adds_up_to_nothing_and_to_the_balance(books: Warehouse) -> None:
    """Guards: a journal that a bookkeeping program refuses."""
    with books.read() as connection:
        rows = movements.entries(connection, "alice", OCTOBER)
    postings = journal.journal(rows, sources())
    assert sum(one.debit_micros - one.credit_micros for one in postings) == 0
    balance = sum(one.debit_micros - one.credit_micros for one in postings if one.account == "Gumroad balance")
    found = read(books, OCTOBER)
    assert balance == found.closing - found.opening
    out = io.StringIO()
    journal.write_csv(postings, out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "date,platform,currency,account,debit,credit,text,belongs_to"
    assert "2026-10-02,gumroad,USD,Bank Gumroad,7.91,,1 row," in lines
    assert "2026-10-02,gumroad,USD,Gumroad balance,,7.91,1 row," in lines


def test_what_a_processor_paid_by_itself_is_sold_and_in_no_balance(books: Warehouse) -> None:
    """Incident: a sale that PayPal paid to the seller stood in the balance until a payout listed it."""
    before = read(books, OCTOBER)
    with books.write() as connection:
        rows = [
            row(30, date(2026, 9, 30), "sale", 2000, 250, past_balance=True),
            row(31, date(2026, 10, 2), "sale", 3100, 360, past_balance=True),
            row(31, date(2026, 10, 5), "refund", -3100, -360, fee_exact=False, past_balance=True),
            row(32, date(2026, 10, 3), "sale", 580, 108, past_balance=True),
        ]
        connection.execute(insert(sales_events), [one._asdict() for one in rows])
        posted = journal.journal(movements.entries(connection, "alice", OCTOBER), sources())
    found = read(books, OCTOBER)
    assert (found.opening, found.closing) == (before.opening, before.closing)
    assert found.sums["sales"] - before.sums["sales"] == 36_800_000
    assert found.sums["by_processor"] == -4_720_000
    assert sum(one.debit_micros - one.credit_micros for one in posted) == 0
    balance = sum(one.debit_micros - one.credit_micros for one in posted if one.account == "Gumroad balance")
    assert balance == found.closing - found.opening
    paid = [one.debit_micros - one.credit_micros for one in posted if one.account.startswith("Paid by processor")]
    assert sum(paid) == 4_720_000


def test_a_payout_that_is_read_after_its_month_was_closed_is_booked_when_it_was_seen(books: Warehouse) -> None:
    """Guards: a closed balance that changes because a payout was read late."""
    with books.write() as connection:
        closing.close(connection, "alice", OCTOBER, "{}", datetime(2026, 11, 2, tzinfo=UTC))
        put_payout(connection, "p5==", 300, date(2026, 10, 30), first_seen_at=datetime(2026, 11, 4, tzinfo=UTC))
    assert read(books, OCTOBER).sums["payouts"] == -22_910_000
    assert read(books, "2026-11").sums["payouts"] == 2_000_000


def test_what_is_not_explained_stands_in_the_month_of_its_payout(books: Warehouse) -> None:
    """Guards: money that nobody explains, hidden because two differences cancel each other."""
    with books.write() as connection:
        for key, scope, micros in (("p1==", "payout", 40_000), ("2026-10-05", "day", -40_000), ("all", "balance", 1)):
            connection.execute(
                insert(unexplained).values(
                    provider="gumroad", profile_id="alice", scope=scope, key=key, currency="USD", reason="odd",
                    amount_micros=micros, since=now(),
                )
            )  # fmt: skip
    assert read(books, OCTOBER).unexplained == 80_000
    assert read(books, "2026-09").unexplained == 0
    assert read(books, None).unexplained == 80_001


def test_currencies_are_added_over_platforms_and_never_to_each_other(books: Warehouse) -> None:
    """Guards: euros in a sum of dollars."""
    with books.write() as connection:
        rows = [
            row(20, date(2026, 10, 2), "sale", 300, platform="whop"),
            row(21, date(2026, 10, 2), "sale", 400, currency="EUR"),
        ]
        connection.execute(insert(sales_events), [one._asdict() for one in rows])
    with books.read() as connection:
        told = statement.as_json("alice", OCTOBER, statement.statements(connection, "alice", OCTOBER))
    assert told["currency"]["USD"]["sales"] == "53.00"
    assert told["currency"]["EUR"]["sales"] == "4.00"
    assert told["platforms"]["whop"]["USD"]["closing"] == "3.00"
    assert set(told["currency"]["USD"]) >= {
        "opening", "sales", "refunds", "chargebacks", "fees", "fees_returned", "affiliate_credits", "affiliate_shares",
        "payout_fees", "adjustments", "payouts", "closing", "unexplained", "estimated",
    }  # fmt: skip
