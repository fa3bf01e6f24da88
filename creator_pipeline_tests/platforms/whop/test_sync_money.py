"""The money feed over real HTTP to lines, ledger, balances and reports, on each database."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import delete, select

from creator_pipeline.core.money import MICROS
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sync import refresh_payments
from creator_pipeline.store.tables import (
    whop_financial_activity,
)
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_books import (
    BOOKED,
    GOLD,
    broken,
    ledger,
    money,
    payments,
    sent,
    stored,
)
from creator_pipeline_tests.support.whop_money import (
    ACCOUNT,
    MANIFEST,
    NAMES,
    Account,
    exact,
    opened,
)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def client(account: Account) -> Iterator[WhopClient]:
    with opened(account) as made:
        yield made


def test_the_lines_of_the_fixture_add_up_by_word_and_currency(two_profiles, client, account) -> None:
    """Guards: 10.45 dollars read as ten millions, because the unit of an amount was assumed."""
    loaded = money(two_profiles, client)
    with two_profiles.read() as connection:
        lines = connection.execute(select(whop_financial_activity)).all()
    found: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for line in lines:
        found[line.currency.lower()][line.line_type] += Decimal(line.amount_exact)
    wanted = MANIFEST["sum_by_currency_and_line_type"]
    assert found == {code: {word: Decimal(each) for word, each in words.items()} for code, words in wanted.items()}
    assert loaded.residue == {"USD": Decimal("-0.00000025")}
    assert account.requests == {"/financial_activity": 3, "/ledger_accounts": 1, "/financial_reports": 2}
    assert "Ada" not in repr(lines)
    assert "user_2Tz" not in repr(lines)


def test_rows_of_a_payment_are_what_it_left_by_the_manifest(two_profiles, client) -> None:
    """Guards: tax, an affiliate's share and the fee of a dispute booked as the price of a sale, or not at all."""
    payments(two_profiles, client)
    money(two_profiles, client)
    net: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in ledger(two_profiles):
        if row.external_id.startswith("pay_"):
            net[row.external_id][row.currency.lower()] += row.net_micros
    wanted = {
        id_: {code: round(Decimal(each) * MICROS) for code, each in by_code.items()}
        for id_, by_code in MANIFEST["net_effect_per_payment"].items()
    }
    assert net == wanted
    told = [
        (row.event_type, row.gross_micros, row.fee_micros, row.occurred_on.day, row.fee_exact)
        for row in ledger(two_profiles, external_id=NAMES["B_tax_and_fx"])
    ]
    assert told == [("sale", 53_100_000, 3_061_201, 1, True), ("tax", -4_100_000, 0, 1, True)]
    shares = ledger(two_profiles, event_type="affiliate_share")
    assert [(row.external_id, row.net_micros) for row in shares] == [(NAMES["A_with_affiliate"], -9_800_000)]
    won = [
        (row.event_type, row.net_micros, row.occurred_on.day)
        for row in ledger(two_profiles, external_id=NAMES["F_dispute_won"])
    ]
    assert won == [
        ("sale", 76_567_000, 3),
        ("chargeback", -79_000_000, 8),
        ("fee", -15_000_000, 8),
        ("chargeback_reversal", 79_000_000, 20),
    ]
    alert = ledger(two_profiles, external_id=NAMES["G_alert_refunded"], event_type="fee")
    assert [row.fee_micros for row in alert] == [5_000_000]


def test_what_belongs_to_no_payment_is_a_row_of_its_own_and_payouts_are_none(two_profiles, client) -> None:
    money(two_profiles, client)
    told = [
        (row.event_type, row.currency, row.gross_micros, row.fee_micros)
        for row in ledger(two_profiles)
        if not row.external_id.startswith("pay_")
    ]
    assert sorted(told) == sorted(
        [
            ("affiliate_credit", "USD", 7_200_000, 0),
            ("fee", "USD", 0, 980_000),
            ("sale", "XAU", 1_500, 0),
            ("fee", "EUR", 0, 540_000),
            ("payout_fee", "USD", 0, 2_500_000),
            ("payout_fee", "USD", 0, 2_500_000),
            ("payout_fee", "USD", 0, -2_500_000),
        ]
    )


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_arrival_gives_the_same_books(two_profiles, client, account, seed) -> None:
    """Guards: a sale that counted twice because the feed was read before its payment."""
    every = list(account.lines)
    shuffled = random.Random(seed)
    cut = shuffled.randrange(len(every))
    steps = [
        lambda: payments(two_profiles, client),
        lambda: money(two_profiles, client, since=date(2026, 9, 1)),
        lambda: sent(two_profiles, client, since=date(2026, 9, 1)),
        lambda: refresh_payments(two_profiles, client, "alice", ACCOUNT, shuffled.sample(sorted(account.payments), 3)),
    ]
    account.lines = shuffled.sample(every, cut)
    for _ in range(2):
        shuffled.shuffle(steps)
        for step in steps:
            step()
    account.lines = every
    shuffled.shuffle(steps)
    for step in steps:
        step()
    after = stored(two_profiles)
    assert broken(two_profiles) == GOLD
    with two_profiles.write() as connection:
        for table in BOOKED:
            connection.execute(delete(table))
    payments(two_profiles, client)
    money(two_profiles, client)
    sent(two_profiles, client)
    fresh = stored(two_profiles)
    for read_at in (after, fresh):
        read_at["payouts"] = [row[:16] + row[17:] for row in read_at["payouts"]]
    assert after == fresh


def test_a_late_feed_is_estimated_then_replaced_and_nothing_is_doubled(two_profiles, client, account) -> None:
    """Guards: a refund that was gone until the feed had its line, or counted twice once it had."""
    late = [
        line
        for line in account.lines
        if line["line_type"] in ("payment_refund", "payment_dispute", "payment_dispute_reversal")
    ]
    account.lines = [line for line in account.lines if line not in late]
    payments(two_profiles, client)
    money(two_profiles, client)
    estimated = [row for row in ledger(two_profiles) if not row.fee_exact]
    assert sorted(row.gross_micros for row in estimated) == sorted(int(exact(line) * MICROS) for line in late)
    assert {row.event_type for row in estimated} == {"refund", "chargeback", "chargeback_reversal"}
    assert ("estimates_settled", "estimates", "USD") in broken(two_profiles)
    account.lines += late
    money(two_profiles, client, since=date(2026, 10, 1))
    assert [row for row in ledger(two_profiles) if not row.fee_exact] == []
    assert broken(two_profiles) == GOLD


def test_payments_alone_are_marked_as_estimated(two_profiles, client) -> None:
    payments(two_profiles, client)
    told = ledger(two_profiles)
    assert told
    assert {row.fee_exact for row in told} == {False}
    money(two_profiles, client)
    assert {row.fee_exact for row in ledger(two_profiles)} == {True}


def test_a_second_reading_writes_nothing_and_costs_three_requests(two_profiles, client, account) -> None:
    """Guards: a night that reads the whole history again, and rows stamped anew each night."""
    account.page = 100
    account.lines = [line for line in account.lines if line["currency"]["code"] == "usd"]
    account.payments = {id_: p for id_, p in account.payments.items() if p["currency"] == "usd"}
    payments(two_profiles, client)
    money(two_profiles, client)
    sent(two_profiles, client)
    before = {table.name: rows(two_profiles, table, stamps=True) for table in BOOKED}
    account.requests.clear()
    again = money(two_profiles, client)
    sent(two_profiles, client)
    assert not again.change.any
    assert not again.ledger_change.any
    assert {table.name: rows(two_profiles, table, stamps=True) for table in BOOKED} == before
    assert account.requests == {"/financial_activity": 1, "/ledger_accounts": 1, "/financial_reports": 1, "/payouts": 1}
