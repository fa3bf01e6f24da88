"""The money feed over real HTTP to lines, ledger, balances and reports, on each database."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import delete, select

from creator_pipeline.core.errors import AuthError, DataError
from creator_pipeline.core.money import MICROS
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.books import Identity
from creator_pipeline.platforms.whop import money_client
from creator_pipeline.platforms.whop.books import BOOKS
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sync import load_payments, refresh_payments
from creator_pipeline.platforms.whop.sync_money import load_money
from creator_pipeline.platforms.whop.sync_payouts import load_payouts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import (
    payout_lines,
    payouts,
    platform_balances,
    sales_events,
    whop_financial_activity,
    whop_money_reads,
)
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_money import (
    ACCOUNT,
    MANIFEST,
    NAMES,
    Account,
    a_line,
    exact,
    opened,
)

WINDOW = DayWindow(date(2026, 10, 1), date(2026, 11, 1))
BOOKED = (sales_events, whop_financial_activity, payouts, payout_lines)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def client(account: Account) -> Iterator[WhopClient]:
    with opened(account) as made:
        yield made


def money(warehouse: Warehouse, client: WhopClient, **more):
    return load_money(warehouse, client, "alice", ACCOUNT, **more)


def payments(warehouse: Warehouse, client: WhopClient):
    return load_payments(warehouse, client, "alice", ACCOUNT, WINDOW)


def sent(warehouse: Warehouse, client: WhopClient, **more):
    return load_payouts(warehouse, client, "alice", ACCOUNT, **more)


def ledger(warehouse: Warehouse, **where) -> list:
    with warehouse.read() as connection:
        found = connection.execute(select(sales_events).order_by(sales_events.c.occurred_at, sales_events.c.id))
        return [row for row in found if all(getattr(row, name) == value for name, value in where.items())]


def identities(warehouse: Warehouse) -> list[Identity]:
    with warehouse.read() as connection:
        return list(BOOKS.identities(connection, "alice"))


def broken(warehouse: Warehouse) -> set[tuple[str, str, str]]:
    return {(each.name, each.key, each.currency) for each in identities(warehouse) if not each.holds}


def stored(warehouse: Warehouse) -> dict[str, list]:
    return {table.name: rows(warehouse, table) for table in BOOKED}


GOLD = {
    ("feed_equals_balance", "available+pending+reserve", "XAU"),
    ("ledger_equals_payouts_and_balance", "ledger", "XAU"),
}
"""Whop tells no balance in gold, so nobody can compare it: it stands unexplained, not silent."""


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


def test_a_run_killed_between_pages_leaves_nothing_that_hides_the_rest(
    two_profiles, client, account, monkeypatch
) -> None:
    """Guards: the newest page stored, and the next run that asked only for what came after it."""
    read = money_client.rows

    def killed(path: str, body):
        if account.requests["/financial_activity"] == 2:
            raise KeyboardInterrupt
        return read(path, body)

    monkeypatch.setattr(money_client, "rows", killed)
    with pytest.raises(KeyboardInterrupt):
        money(two_profiles, client)
    assert rows(two_profiles, whop_financial_activity) == []
    monkeypatch.undo()
    money(two_profiles, client)
    assert len(rows(two_profiles, whop_financial_activity)) == len(account.lines)


def test_a_repeated_cursor_is_an_error_and_nothing_is_written(two_profiles, client, account) -> None:
    account.repeat_cursor = True
    with pytest.raises(DataError, match="came twice"):
        money(two_profiles, client)
    assert rows(two_profiles, whop_financial_activity) == []


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("path", ["/financial_activity", "/ledger_accounts", "/financial_reports", "/payouts"])
def test_a_part_that_cant_be_read_is_said_and_the_rest_goes_on(two_profiles, client, account, path, status) -> None:
    """Guards: a permission for one table that ended payments, or marked the connection as revoked."""
    account.refused = {path: status}
    payments(two_profiles, client)
    money(two_profiles, client)
    sent(two_profiles, client)
    with two_profiles.read() as connection:
        told = list(BOOKS.not_readable(connection, "alice"))
    assert [each.table for each in told] == [path[1:]]
    assert told[0].hint
    assert not told[0].brings
    assert {row.external_id for row in ledger(two_profiles, event_type="sale")} >= set(account.payments)
    assert broken(two_profiles) <= GOLD
    account.refused = {}
    money(two_profiles, client)
    sent(two_profiles, client)
    assert broken(two_profiles) == GOLD
    with two_profiles.read() as connection:
        assert list(BOOKS.not_readable(connection, "alice")) == []


def test_a_refused_key_is_an_error(two_profiles, client, account) -> None:
    account.refused = {"/": 401}
    with pytest.raises(AuthError) as refused:
        money(two_profiles, client)
    assert refused.value.revoked


def test_unknown_words_are_kept_booked_and_counted(two_profiles, client, account) -> None:
    """Guards: a word that Whop added, and money that was in its balance but in nobody's books."""
    account.lines += [
        a_line("line_90", "moon_dust_refund_thing", "-1.25", "2026-10-24T06:00:00.000Z"),
        a_line("line_91", "moon_fee", "-0.50", "2026-10-24T06:00:00.000Z", payment_id=NAMES["D_refunded_in_part"]),
    ]
    payments(two_profiles, client)
    loaded = money(two_profiles, client)
    assert loaded.unknown == {"moon_dust_refund_thing USD": (1, -1_250_000), "moon_fee USD": (1, -500_000)}
    told = [(row.net_micros, row.external_id) for row in ledger(two_profiles, event_type="adjustment")]
    assert told == [(-1_250_000, "line_90"), (-500_000, NAMES["D_refunded_in_part"])]
    assert broken(two_profiles) == GOLD


def test_odd_precision_and_exact_text(two_profiles, client, account) -> None:
    """Guards: a division by a hundred, or by the precision of another currency."""
    account.lines += [
        a_line("line_92", "cashback", "0.0000015", "2026-10-24T06:00:00.000Z", precision="10000000"),
        a_line("line_93", "cashback", "5", "2026-10-24T06:00:00.000Z", precision="1", code="jpy"),
    ]
    money(two_profiles, client)
    with two_profiles.read() as connection:
        columns = whop_financial_activity.c
        found = {
            row.id: (row.amount_micros, row.amount_exact, row.currency, row.usd_micros)
            for row in connection.execute(select(whop_financial_activity).where(columns.id.in_(["line_92", "line_93"])))
        }
    assert found == {"line_92": (2, "0.0000015", "USD", 2), "line_93": (5_000_000, "5", "JPY", None)}


@pytest.mark.parametrize(
    "odd",
    [
        {"amount": 12.5},
        {"amount": "12.5"},
        {"currency": {"code": "usd", "precision": "3"}},
        {"posted_at": None},
        {"currency": None},
    ],
)
def test_an_odd_line_never_stops_its_neighbours_and_is_missed_by_the_identities(
    two_profiles, client, account, odd
) -> None:
    account.lines.append(a_line("line_94", "cashback", "4.01", "2026-10-24T06:00:00.000Z"))
    whole = account._balance()
    account._balance = lambda: whole
    account.lines[-1] |= odd
    account.sums = lambda _lines=None: {}
    account.refused = {"/financial_reports": 404}
    if odd.get("posted_at", "") is None:
        account.lines[-1]["posted_at"] = "2026-10-24 noon"
    loaded = money(two_profiles, client)
    assert [said.partition(":")[0] for said in loaded.money.odd] == ["line_94"]
    assert len(rows(two_profiles, whop_financial_activity)) == len(account.lines) - 1
    assert ("feed_equals_balance", "available+pending+reserve", "USD") in broken(two_profiles)


def test_a_line_that_is_gone_or_changed_is_told(two_profiles, client, account) -> None:
    money(two_profiles, client)
    gone, changed = account.lines.pop(0), account.lines[0]
    changed["amount"] = str(int(changed["amount"]) - 100_000_000)
    again = money(two_profiles, client)
    assert (list(again.gone), list(again.altered)) == ([gone["id"]], [changed["id"]])
    assert gone["id"] in {row[1] for row in rows(two_profiles, whop_financial_activity)}
    names = {name for name, _, _ in broken(two_profiles)}
    assert names >= {"feed_equals_balance", "feed_equals_report", "line_types_equal_report"}


def test_lines_without_their_payments_id_stand_doubled_in_the_open(two_profiles, client, account) -> None:
    """Guards: a wrong guess of how lines name their payment that doubles revenue in silence."""
    for line in account.lines:
        line["payment_id"] = None
    payments(two_profiles, client)
    money(two_profiles, client)
    assert {("estimates_settled", "estimates", "USD"), ("estimates_settled", "estimates", "EUR")} <= broken(
        two_profiles
    )


def test_a_line_posted_while_the_balance_was_read_is_no_finding(two_profiles, client, account) -> None:
    late = a_line("line_95", "cashback", "3.00", "2026-10-24T06:00:00.000Z")
    answered = account._balance

    def balance():
        if late not in account.lines:
            account.lines.append(late)
        return answered()

    account._balance = balance
    money(two_profiles, client)
    assert broken(two_profiles) == GOLD


def test_the_ledger_made_anew_is_the_one_that_grew(two_profiles, client) -> None:
    payments(two_profiles, client)
    money(two_profiles, client)
    sent(two_profiles, client)
    before = stored(two_profiles)
    assert BOOKS.rebuild(two_profiles, "alice", DayWindow(date(2026, 1, 1), date(2027, 1, 1))) == 0
    with two_profiles.write() as connection:
        for table in (sales_events, payout_lines):
            connection.execute(delete(table))
    assert BOOKS.rebuild(two_profiles, "alice", DayWindow(date(2026, 1, 1), date(2027, 1, 1))) > 0
    assert stored(two_profiles) == before


def test_balances_and_readings_are_remembered(two_profiles, client) -> None:
    money(two_profiles, client)
    told = {(row[2], row[3]): row[4] for row in rows(two_profiles, platform_balances)}
    assert told["USD", "available"] == 100_110_000
    assert told["EUR", "reserve"] == 0
    assert {row[1] for row in rows(two_profiles, whop_money_reads)} == {
        "financial_activity", "financial_reports", "ledger_accounts",
    }  # fmt: skip


def test_every_identity_has_its_meaning(two_profiles, client) -> None:
    payments(two_profiles, client)
    money(two_profiles, client)
    sent(two_profiles, client)
    assert {each.name for each in identities(two_profiles)} <= BOOKS.names.keys()


def test_a_payment_that_whop_no_longer_has_leaves_its_lines(two_profiles, client, account) -> None:
    payments(two_profiles, client)
    money(two_profiles, client)
    del account.payments[NAMES["A_with_affiliate"]]
    payments(two_profiles, client)
    kept = ledger(two_profiles, external_id=NAMES["A_with_affiliate"])
    assert sum(row.net_micros for row in kept) == 37_577_000
    assert broken(two_profiles) == GOLD
