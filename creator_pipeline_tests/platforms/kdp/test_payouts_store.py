"""Payments reports in the tables: payouts, their lines, and what of them is the ledger's."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import delete, func, select

from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.platforms.kdp import ingest
from creator_pipeline.platforms.kdp.files import digest
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.store.tables import (
    daily_revenue,
    kdp_payments,
    kdp_royalties,
    kdp_uploads,
    payout_lines,
    payouts,
    sales_events,
)
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_payments import (
    AS_CSV,
    MANIFEST,
    PAID,
    PENDING,
    ROYALTIES,
    below,
    book,
    csv,
    heads,
    lines,
    payment,
    saved,
    stored,
)

MADE_AT = kdp_landing.MADE_AT
ALL = [kdp_payments, kdp_royalties, kdp_uploads, payout_lines, payouts, sales_events]


@pytest.fixture
def warehouse(warehouse):
    kdp_landing.add_profiles(warehouse)
    return warehouse


def paid(warehouse) -> dict[str, int]:
    """What the bank got, in micros."""
    columns = payouts.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(columns.currency, func.sum(columns.amount_micros))
            .where(columns.state == "paid")
            .group_by(columns.currency)
        )
        return {code: int(micros) for code, micros in rows}


def test_the_snapshots_come_to_the_figures_of_the_manifest(warehouse):
    """Guards: a payout that the bank never got, and one that it got twice."""
    for path, at in ((PENDING, 0), (PAID, 86_400)):
        told = MANIFEST["files"][path.name]
        done = kdp_landing.land(warehouse, path, at=MADE_AT + at)
        assert (done.status, done.problems) == ("accepted", ())
        found = heads(warehouse)
        assert len(found) == told["parents"]
        assert paid(warehouse) == {"EUR": round(float(told["payout_eur_paid"]) * 100) * 10_000}
        statuses = [row["status"] for row in found.values()]
        assert {word: statuses.count(word) for word in statuses} == told["statuses"]
    assert len(stored(warehouse, kdp_payments)) == 5 + 11 + 6 + 12


def test_a_payout_says_what_it_took_from_the_balance(warehouse):
    """Guards: a balance that keeps the tax that Amazon kept, or that is a failed payment short."""
    kdp_landing.land(warehouse, PENDING)
    row = heads(warehouse)["Amazon.com:700000000001"]
    assert (row["provider"], row["amount_micros"], row["currency"]) == ("amazon_kdp", 188_270_000, "EUR")
    assert (row["balance_micros"], row["balance_currency"]) == (210_331_001, "USD")
    assert (row["withheld_micros"], row["rate"], row["state"], row["estimated"]) == (
        11_183_211,
        "0.8951",
        "paid",
        False,
    )
    assert row["created_at"] == row["processed_at"] == datetime(2026, 9, 29, tzinfo=UTC)
    assert row["period_end"] == date(2026, 7, 31)
    assert json.loads(row["raw"])["implied_rate"] == "0.895113"
    (adjustment,) = [event for event in kdp_landing.ledger(warehouse) if event[3] == "adjustment"]
    ledger_net = 223_664_212 + adjustment[12]
    assert ledger_net == row["balance_micros"] + row["withheld_micros"]
    failed = heads(warehouse)["Amazon.ca:700000000005"]
    assert (failed["state"], failed["released_on"]) == ("released", date(2026, 9, 29))
    waiting = heads(warehouse)["Amazon.co.uk:2026-07-01/2026-07-31"]
    # The bank hasn't told its rate: no amount of euros is invented.
    assert (waiting["state"], waiting["amount_micros"], waiting["currency"]) == ("on_the_way", 41_180_000, "GBP")
    assert (waiting["status"], waiting["processed_at"], waiting["rate"]) == ("Pending", None, None)


def test_lines_add_up_and_each_has_a_row_of_the_ledger_or_a_reason(warehouse):
    """Guards: a payout whose lines are a part of it."""
    for path in (PENDING, PAID, *ROYALTIES):
        kdp_landing.land(warehouse, path)
    ledger = {row[0] for row in kdp_landing.ledger(warehouse)}
    for payout_id, head in heads(warehouse).items():
        own = lines(warehouse, payout_id)
        assert sum(line["net_micros"] for line in own) == head["balance_micros"], payout_id
        assert {line["currency"] for line in own} == {head["balance_currency"]}
        assert all(line["reason"] or line["ledger_id"] in ledger for line in own)
    told = [
        (line["type"], line["net_micros"], line["reason"]) for line in lines(warehouse, "Amazon.co.jp:700000000004")
    ]
    assert told == [
        ("Sales", 710_000_000, "royalties of 2026-06 Amazon.co.jp"),
        ("Sales", 800_000_000, "royalties of 2026-07 Amazon.co.jp"),
        ("KENP Royalties", 20_000_000, "royalties of 2026-07 Amazon.co.jp"),
    ]
    american = lines(warehouse, "Amazon.com:700000000001")
    assert [line["type"] for line in american][3:] == ["Tax Withholding", "Adjustments"]
    assert american[4]["ledger_id"] in ledger
    assert american[0]["occurred_on"] == date(2026, 7, 1)


def test_the_part_of_a_cent_that_nobody_gets_is_a_line(warehouse, tmp_path):
    """Guards: an account paid in its shop's own currency whose every payout is a thousandth of a cent off."""
    path = saved(tmp_path, "a.xlsx", book(payment(accrued=59.437082, payout=59.44), below(59.437082)))
    kdp_landing.land(warehouse, path)
    assert heads(warehouse)["Amazon.de:1"]["balance_micros"] == 59_440_000
    assert [line["net_micros"] for line in lines(warehouse, "Amazon.de:1")] == [59_437_082, 2_918]


def everything(warehouse):
    return {table.name: stored(warehouse, table) for table in (kdp_payments, payouts, payout_lines)} | {
        "ledger": kdp_landing.ledger(warehouse)
    }


def test_any_order_of_uploads_gives_the_same_payouts(sqlite_warehouse, monkeypatch):
    """Guards: a pending payment that comes back because its report was uploaded last."""
    kdp_landing.add_profiles(sqlite_warehouse)
    files = [(PENDING, 0), (PAID, 86_400), (AS_CSV, 90_000), (ROYALTIES[1], 0)]
    # Each content is read once, in this process: only the order matters here.
    reports = {digest(str(path)): parse(path) for path, _ in files}
    monkeypatch.setattr(ingest, "parse_in_child", lambda path, **_named: reports[digest(str(path))])
    seen = []
    for order in itertools.permutations(files):
        with sqlite_warehouse.write() as connection:
            for table in ALL:
                connection.execute(delete(table))
        for path, at in order:
            kdp_landing.land(sqlite_warehouse, path, at=MADE_AT + at)
        seen.append(everything(sqlite_warehouse))
    assert all(each == seen[0] for each in seen)
    assert len(seen[0]["payouts"]) == 6


def test_a_report_that_does_not_say_when_it_was_made_undoes_nothing(warehouse):
    """Guards: the older of two files, copied to the inbox last."""
    kdp_landing.land(warehouse, PAID, at=MADE_AT)
    before = heads(warehouse)
    kdp_landing.land(warehouse, PENDING, at=MADE_AT + 86_400)
    after = heads(warehouse)
    assert before.keys() == after.keys()
    assert paid(warehouse) == {"EUR": 340_680_000}
    assert {row["state"] for row in after.values()} == {"paid", "released"}


def test_running_again_changes_nothing(warehouse):
    """Guards: an adjustment that is booked with each materialization."""
    for path in (PENDING, PAID):
        kdp_landing.land(warehouse, path)
    before = everything(warehouse)
    for path in (PENDING, PAID, PENDING):
        again = kdp_landing.land(warehouse, path)
        assert not again.ledger.any
        assert not again.paid.payouts.any
        assert not again.paid.lines.any
    assert everything(warehouse) == before


def test_a_run_that_dies_leaves_nothing_and_the_next_one_does_all(warehouse, monkeypatch):
    """Guards: payouts without lines, because the worker was killed between the two."""
    kdp_landing.land(warehouse, PENDING)
    before = everything(warehouse)

    def dies(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "store_statuses", dies)
        with pytest.raises(KeyboardInterrupt):
            kdp_landing.land(warehouse, PAID)
    assert everything(warehouse) == before
    kdp_landing.land(warehouse, PAID)
    assert paid(warehouse) == {"EUR": 340_680_000}


def test_royalty_reports_leave_the_adjustments_alone(warehouse, tmp_path):
    """Guards: an adjustment of the day of a month that is rewritten, gone with it."""
    rows = payment(accrued=10.0, adjustments=-1.0, day="2026-07-15"), below()
    kdp_landing.land(warehouse, saved(tmp_path, "a.xlsx", book(*rows)))
    for path in ROYALTIES:
        kdp_landing.land(warehouse, path)
    kinds = [row[3] for row in kdp_landing.ledger(warehouse)]
    assert kinds.count("adjustment") == 1
    assert kinds.count("royalty") > 5
    roll_up(warehouse)
    with warehouse.read() as connection:
        day = (
            connection.execute(select(daily_revenue).where(daily_revenue.c.occurred_on == date(2026, 7, 15)))
            .mappings()
            .one()
        )
    assert day["net_micros"] == -1_000_000


def test_the_adjustment_of_a_failed_payment_counts_once(warehouse, tmp_path):
    """Guards: a charge that is booked with the payment that failed and again with its repeat."""
    failed = payment(number=5.0, adjustments=-1.0, status="Failed"), below()
    again = payment(number=9.0, adjustments=-1.0), below()
    kdp_landing.land(warehouse, saved(tmp_path, "a.xlsx", book(*failed)))
    assert kdp_landing.ledger(warehouse) == []
    kdp_landing.land(warehouse, saved(tmp_path, "b.xlsx", book(*failed, *again)), at=MADE_AT + 1)
    assert [row[4] for row in kdp_landing.ledger(warehouse)] == ["Amazon.de:9"]
    (line,) = [line for line in lines(warehouse, "Amazon.de:5") if line["type"] == "Adjustments"]
    assert (line["ledger_id"], bool(line["reason"])) == (None, True)


def test_a_status_that_is_not_known_is_stored_as_it_stands(warehouse, tmp_path):
    """Guards: a word of next year, lost."""
    kdp_landing.land(warehouse, saved(tmp_path, "a.xlsx", book(payment(status="On Hold"), below())))
    row = heads(warehouse)["Amazon.de:1"]
    assert (row["status"], row["state"]) == ("On Hold", "on_the_way")


def test_ten_thousand_rows(sqlite_warehouse, tmp_path):
    """Guards: an account of twelve years in fifteen shops that can't be read."""
    kdp_landing.add_profiles(sqlite_warehouse)
    rows = []
    for number in range(2_500):
        rows += [payment(number=float(number + 1), adjustments=-1.0), below(5.0), below(3.0), below(2.0)]
    path = saved(tmp_path, "a.csv", csv(*rows))
    done = kdp_landing.land(sqlite_warehouse, path)
    assert len(done.paid.chosen) == len(done.events) == 2_500
    assert not kdp_landing.land(sqlite_warehouse, path).paid.payouts.any
    assert paid(sqlite_warehouse) == {"EUR": 22_500_000_000}
