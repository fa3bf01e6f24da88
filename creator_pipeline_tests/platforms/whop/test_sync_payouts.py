"""Payouts and their statements over real HTTP to tables, on each database."""

from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import select

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.whop.books import BOOKS
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sync_money import load_money
from creator_pipeline.platforms.whop.sync_payouts import load_payouts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import payout_lines, payouts, sales_events, whop_financial_activity
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_money import (
    ACCOUNT,
    ON_THE_WAY,
    PAID,
    RETURNED,
    Account,
    a_line,
    opened,
)
from creator_pipeline_tests.support.whop_samples import fixture

NEXT = "wdrl_next"


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def client(account: Account) -> Iterator[WhopClient]:
    with opened(account) as made:
        yield made


def both(warehouse: Warehouse, client: WhopClient, **more):
    load_money(warehouse, client, "alice", ACCOUNT)
    return load_payouts(warehouse, client, "alice", ACCOUNT, **more)


def of(warehouse: Warehouse, payout_id: str):
    with warehouse.read() as connection:
        return connection.execute(select(payouts).where(payouts.c.payout_id == payout_id)).one()


def lines_of(warehouse: Warehouse, payout_id: str) -> list:
    columns = payout_lines.c
    with warehouse.read() as connection:
        asked = select(payout_lines).where(columns.payout_id == payout_id).order_by(columns.line)
        return list(connection.execute(asked))


def broken(warehouse: Warehouse, *names: str) -> set[tuple[str, str]]:
    with warehouse.read() as connection:
        found = list(BOOKS.identities(connection, "alice"))
    assert {each.name for each in found} >= set(names)
    return {(each.name, each.key) for each in found if not each.holds and each.currency != "XAU"}


def a_next_payout(account: Account) -> None:
    """A payout after the one that came back, which leaves 47.61 in the balance."""
    at = "2026-11-02T06:00:00.000Z"
    source = {"object": "payout", "id": NEXT, "fee_type": "exclusive"}
    account.lines += [
        a_line("line_60", "withdrawal", "-50.00", at, source=source),
        a_line("line_61", "withdrawal_fee", "-2.50", at, source=source),
    ]
    amounts = {"amount": "52.50", "net_amount": "50.00", "fee_amount": "2.50"}
    account.payouts.insert(0, account.payouts[-1] | {"id": NEXT, "created_at": at, **amounts})
    account.statements[NEXT] = [line for line in account.lines if line["id"] in ("line_34", "line_45", "line_46")]


def test_a_payout_is_explained_line_by_line(two_profiles, client) -> None:
    """Guards: a payout that nobody can say the sales of, and one whose lines were made to fit."""
    both(two_profiles, client)
    paid, lines = of(two_profiles, PAID), lines_of(two_profiles, PAID)
    assert (paid.state, paid.amount_micros, paid.currency, paid.balance_micros) == (
        "paid",
        120_000_000,
        "USD",
        120_000_000,
    )
    assert not paid.estimated
    assert sum(line.net_micros for line in lines) == paid.balance_micros
    statement = [line for line in lines if line.type not in ("rest", "withdrawal_fee")]
    assert len(statement) == 36
    assert sum(line.net_micros for line in statement) == 143_608_799
    with_ids = {row.id for row in rows_of(two_profiles, sales_events)}
    assert {line.ledger_id for line in lines if line.ledger_id} <= with_ids
    told = {(line.type, line.net_micros, line.reason) for line in lines if line.ledger_id is None}
    assert told == {
        ("topup", 25_000_000, "put in, moved or exchanged by the seller"),
        ("rest", -21_108_799, "stays in the balance"),
    }
    assert broken(two_profiles, "statement_ties", "payout_took_net", "payout_stands") == set()


def rows_of(warehouse: Warehouse, table) -> list:
    with warehouse.read() as connection:
        return list(connection.execute(select(table)))


def test_states_and_conversions(two_profiles, client) -> None:
    both(two_profiles, client)
    back, waiting = of(two_profiles, RETURNED), of(two_profiles, ON_THE_WAY)
    assert (back.state, back.status, back.released_on, back.balance_micros) == (
        "released", "reversed", date(2026, 10, 23), 15_000_000,
    )  # fmt: skip
    assert (waiting.state, waiting.amount_micros, waiting.currency, waiting.rate) == (
        "on_the_way", 44_320_000, "GBP", "0.7575",
    )  # fmt: skip
    assert (waiting.balance_micros, waiting.balance_currency) == (None, "USD")
    assert lines_of(two_profiles, ON_THE_WAY) == []
    assert broken(two_profiles, "payout_converted") == set()
    assert "021000000000001" not in repr(rows_of(two_profiles, payouts))


def test_lines_of_a_payout_that_came_back_are_those_of_the_next(two_profiles, client, account) -> None:
    """Guards: sales that are in no payout for ever, because theirs came back; or in two."""
    a_next_payout(account)
    both(two_profiles, client)
    lines = lines_of(two_profiles, NEXT)
    assert sum(line.net_micros for line in lines) == of(two_profiles, NEXT).balance_micros == 50_000_000
    assert {line.type: line.net_micros for line in lines if line.type in ("opening", "rest")} == {
        "opening": 21_108_799,
        "rest": -47_608_799,
    }
    live = [line for id_ in (PAID, NEXT) for line in lines_of(two_profiles, id_) if line.ledger_id]
    payouts_of_row: dict[str, set[str]] = {}
    for line in live:
        payouts_of_row.setdefault(line.ledger_id, set()).add(line.payout_id)
    assert {len(ids) for ids in payouts_of_row.values()} == {1}
    settled = {line.type for line in lines if line.ledger_id}
    assert settled == {"payment_dispute_reversal", "withdrawal_fee", "withdrawal_fee_reversal"}
    assert broken(two_profiles, "statement_ties") == set()


def test_payouts_read_before_the_feed_are_explained_when_it_comes(two_profiles, client, account) -> None:
    """Guards: a payout that stays unexplained because its feed was a day late."""
    a_next_payout(account)
    both(two_profiles, client)
    wanted = [row[:16] + row[17:] for row in rows(two_profiles, payouts)], rows(two_profiles, payout_lines)
    with two_profiles.write() as connection:
        for table in (payouts, payout_lines, sales_events, whop_financial_activity):
            connection.execute(table.delete())
    load_payouts(two_profiles, client, "alice", ACCOUNT)
    unexplained = [line for line in lines_of(two_profiles, PAID) if not line.ledger_id and not line.reason]
    assert unexplained
    fees = [row for row in rows_of(two_profiles, sales_events) if row.event_type == "payout_fee"]
    assert [(row.external_id, row.fee_micros, row.fee_exact) for row in fees] == [
        (NEXT, 2_500_000, False),
        (PAID, 2_500_000, False),
    ]
    both(two_profiles, client)
    assert ([row[:16] + row[17:] for row in rows(two_profiles, payouts)], rows(two_profiles, payout_lines)) == wanted
    assert broken(two_profiles, "statement_ties") == set()


def test_without_the_feed_payouts_stand_as_they_tell_and_are_marked(two_profiles, client, account) -> None:
    account.refused = {"/financial_activity": 403}
    loaded = both(two_profiles, client)
    assert set(loaded.refused) == {"financial_activity"}
    paid = of(two_profiles, PAID)
    assert (paid.balance_micros, paid.estimated) == (120_000_000, True)
    assert [(line.type, line.net_micros) for line in lines_of(two_profiles, PAID)] == [
        ("payout_fee", -2_500_000),
        ("carried", 122_500_000),
    ]
    account.refused = {}
    both(two_profiles, client)
    assert not of(two_profiles, PAID).estimated
    assert Counter(row.event_type for row in rows_of(two_profiles, sales_events))["payout_fee"] == 3


def test_a_completed_payout_that_reads_otherwise_later_is_a_finding(two_profiles, client, account) -> None:
    """Guards: an amount of last month's payout that changed under the bookkeeper's hands."""
    both(two_profiles, client)
    account.payouts[-1] |= {"net_amount": "119.00", "amount": "121.50"}
    both(two_profiles, client)
    paid = of(two_profiles, PAID)
    assert paid.amount_micros == 120_000_000
    assert "119000000" in paid.differs
    assert ("payout_stands", PAID) in broken(two_profiles)
    account.payouts[-1] |= {"net_amount": "120.00", "amount": "122.50"}
    both(two_profiles, client)
    assert of(two_profiles, PAID).differs is None


def test_a_statement_is_never_replaced_by_one_with_fewer_lines(two_profiles, client, account) -> None:
    both(two_profiles, client)
    before = lines_of(two_profiles, PAID)
    whole = account.statements[PAID]
    account.statements[PAID] = whole[5:]
    account.requests.clear()
    both(two_profiles, client)
    assert account.requests["/financial_activity"] == 1
    both(two_profiles, client, since=date(2026, 10, 1))
    assert lines_of(two_profiles, PAID) == before
    assert "36 of" in of(two_profiles, PAID).differs
    account.statements[PAID] = whole
    both(two_profiles, client, since=date(2026, 10, 1))
    assert of(two_profiles, PAID).differs is None


def test_a_payout_that_comes_back_weeks_later_is_found_by_the_feed(two_profiles, client, account) -> None:
    """Guards: a payout that counts as paid for ever, because it is older than what is read again."""
    account.payouts = [account.payouts[-1] | {"created_at": "2026-06-01T06:00:00.000Z"}]
    both(two_profiles, client)
    newer = account.payouts[0] | {"id": "wdrl_newer", "created_at": "2026-11-20T06:00:00.000Z", "fee_amount": "0.00"}
    account.payouts.append(newer)
    both(two_profiles, client)
    account.payouts[0] |= {"status": "reversed", "failure": {"funds_returned_at": "2026-11-21T00:00:00.000Z"}}
    source = {"object": "payout", "id": PAID}
    account.lines.append(a_line("line_70", "withdrawal_reversal", "120.00", "2026-11-21T00:00:00.000Z", source=source))
    both(two_profiles, client)
    assert (of(two_profiles, PAID).state, of(two_profiles, PAID).released_on) == ("released", date(2026, 11, 21))


def fee_inside(account: Account, micros: int) -> None:
    """The first payout's line holds its fee, or what stands for it."""
    for line in account.lines:
        if line["id"] == "line_41":
            line["amount"] = str(-12_000_000_000 - micros * 100)
    account.lines = [line for line in account.lines if line["id"] != "line_42"]


def test_a_fee_inside_the_line_is_a_row_and_the_payout_is_what_was_sent(two_profiles, client, account) -> None:
    """Guards: a guess that the fee always stands beside the payout's line."""
    fee_inside(account, 2_500_000)
    both(two_profiles, client)
    lines = lines_of(two_profiles, PAID)
    assert sum(line.net_micros for line in lines) == of(two_profiles, PAID).balance_micros == 120_000_000
    fees = [row for row in rows_of(two_profiles, sales_events) if row.external_id == PAID]
    assert [(row.event_type, row.fee_micros, row.fee_exact) for row in fees] == [("payout_fee", 2_500_000, True)]
    assert fees[0].id in {line.ledger_id for line in lines}
    assert broken(two_profiles, "statement_ties", "ledger_equals_feed") == set()


def test_such_a_fee_comes_back_with_the_whole_line(two_profiles, client, account) -> None:
    fee_inside(account, 2_500_000)
    account.payouts[-1] |= {"status": "reversed", "failure": {"funds_returned_at": "2026-10-30T00:00:00.000Z"}}
    source = {"object": "payout", "id": PAID}
    account.lines.append(a_line("line_70", "withdrawal_reversal", "122.50", "2026-10-30T00:00:00.000Z", source=source))
    both(two_profiles, client)
    fees = [row for row in rows_of(two_profiles, sales_events) if row.external_id == PAID]
    assert sorted(row.fee_micros for row in fees) == [-2_500_000, 2_500_000]
    assert broken(two_profiles, "statement_ties", "ledger_equals_feed") == set()


def test_a_payout_that_took_another_amount_is_seen(two_profiles, client, account) -> None:
    """Guards: what a payout took and what it says, made equal by a fee that nobody told."""
    fee_inside(account, 2_400_000)
    both(two_profiles, client)
    assert {("payout_took_net", PAID), ("estimates_settled", "estimates")} <= broken(two_profiles)


def test_a_statement_with_other_lines_than_the_feed_is_seen(two_profiles, client, account) -> None:
    """Guards: what stays in the balance, reckoned so that every statement fits."""
    account.statements[PAID] = [line for line in account.statements[PAID] if line["id"] != "line_1"]
    both(two_profiles, client)
    assert ("statement_ties", PAID) in broken(two_profiles)


def test_an_odd_payout_and_an_unknown_status_stop_nobody(two_profiles, client, account) -> None:
    account.payouts.append(account.payouts[-1] | {"id": "wdrl_odd", "net_amount": 12})
    account.payouts[0] |= {"status": "teleported"}
    loaded = both(two_profiles, client)
    assert [(one.object_id, one.detail.partition(";")[0]) for one in loaded.odd] == [
        ("wdrl_odd", "no usable net_amount")
    ]
    assert of(two_profiles, ON_THE_WAY).state == "on_the_way"
    assert of(two_profiles, PAID).state == "paid"


def test_holds_of_the_available_balance_are_no_ledger_rows_and_the_rest_still_ties(
    two_profiles, client, account
) -> None:
    account.statements[PAID].append(a_line("line_h", "balance_reservation", "-10.00", "2026-10-11T00:00:00.000Z"))
    both(two_profiles, client)
    hold = next(line for line in lines_of(two_profiles, PAID) if line.type == "balance_reservation")
    assert (hold.ledger_id, hold.reason) == (None, "a hold: the money stays in the balance")
    assert broken(two_profiles, "statement_ties") == set()


def test_a_rebuild_makes_lines_of_payouts_anew(two_profiles, client) -> None:
    both(two_profiles, client)
    before = rows(two_profiles, payout_lines)
    with two_profiles.write() as connection:
        connection.execute(payout_lines.delete())
    BOOKS.rebuild(two_profiles, "alice", DayWindow(date(2026, 1, 1), date(2027, 1, 1)))
    assert rows(two_profiles, payout_lines) == before


def test_the_fixture_of_fees_is_what_the_feed_took(two_profiles, client) -> None:
    """The same fees by another call of Whop's: an oracle that this code doesn't read."""
    both(two_profiles, client)
    told = sum(round(float(fee["amount"]["amount"]) * 1_000_000) for fee in fixture("money/payment_fees_of_B")["data"])
    booked = [row for row in rows_of(two_profiles, sales_events) if row.external_id == "pay_B4zKPSYOPP5z1o"]
    # That call leaves out the exchange's fee of 0.531001.
    assert sum(row.gross_micros - row.net_micros for row in booked) + 4_100_000 == told + 531_001
