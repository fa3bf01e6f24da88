"""A reading that is cut off or refused, and lines that are odd, gone or late."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import delete, select

from creator_pipeline.core.errors import AuthError, DataError
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.whop import money_client
from creator_pipeline.platforms.whop.books import BOOKS
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.store.tables import (
    payout_lines,
    platform_balances,
    sales_events,
    whop_financial_activity,
    whop_money_reads,
)
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_books import GOLD, broken, identities, ledger, money, payments, sent, stored
from creator_pipeline_tests.support.whop_money import (
    NAMES,
    Account,
    a_line,
    opened,
)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def client(account: Account) -> Iterator[WhopClient]:
    with opened(account) as made:
        yield made


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
    assert [one.object_id for one in loaded.money.odd] == ["line_94"]
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
