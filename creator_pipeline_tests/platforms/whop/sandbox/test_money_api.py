"""Whop's money over HTTP: shapes, the identities a pipeline relies on, pages, permissions."""

import importlib
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from creator_pipeline.platforms.whop.sandbox.money_api import MONEY_NEEDS
from creator_pipeline.platforms.whop.sandbox.object_json import DECIMALS, stamp
from creator_pipeline_tests.support.whop_samples import FIXTURES
from creator_pipeline_tests.support.whop_sandbox_money import added, answer, ask, exact, feed

ALL = {"balance_type": "total", "limit": 100}


def written_down(name: str) -> dict:
    return json.loads((FIXTURES / "2026-10-15-1" / "money" / f"{name}.json").read_text(encoding="utf-8"))


def paths(account) -> dict[str, str]:
    """A path for each list that needs a permission."""
    payment = next(row["id"] for row in account.tables["payments"].values() if row["status"] == "paid")
    return {
        "financial_activity": "financial_activity",
        "financial_reports": "financial_reports",
        "ledger_accounts": f"ledger_accounts/{account.id}",
        "payouts": "payouts",
        "payment_fees": f"payments/{payment}/fees",
    }


def report(server, account, kind="balance_activity", **params):
    return ask(server, account, "financial_reports", report_type=kind, **params)


def test_rows_have_the_keys_that_were_written_down(server, account) -> None:
    """Guards: a stand-in that is easier to read than Whop."""
    payment = next(row["id"] for row in account.tables["payments"].values() if row["status"] == "paid")
    pairs = [
        ("financial_activity_page_1", "financial_activity", {"limit": 100}),
        ("payouts_page_1", "payouts", {}),
        ("payment_fees_of_B", f"payments/{payment}/fees", {}),
    ]
    for name, path, params in pairs:
        told, known = ask(server, account, path, **params), written_down(name)
        assert told["page_info"].keys() == known["page_info"].keys()
        assert {frozenset(row) for row in told["data"]} == {frozenset(row) for row in known["data"]}
    kept = written_down("ledger_account")
    told = ask(server, account, f"ledger_accounts/{account.id}")
    assert told.keys() == kept.keys()
    assert {frozenset(row) for row in told["balances"]} == {frozenset(row) for row in kept["balances"]}
    assert told["owner"].keys() == kept["owner"].keys()
    known, told = written_down("financial_report_balance_activity"), report(server, account)
    assert told.keys() == known.keys()
    assert {frozenset(row) for row in told["rows"]} == {frozenset(row) for row in known["rows"]}


def test_sources_have_the_keys_that_were_written_down(server, account) -> None:
    def by_kind(rows):
        return {row["source"]["object"]: set(row["source"]) for row in rows if row["source"]}

    known = [row for page in (1, 2, 3) for row in written_down(f"financial_activity_page_{page}")["data"]]
    told = by_kind(feed(server, account, **ALL))
    assert told.pop("swap") == {"object", "id"}
    assert told == by_kind(known)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("financial_activity", "types.ledger_activity.LedgerActivity"),
        ("payouts", "payouts.types.list_payouts_response_data_item.ListPayoutsResponseDataItem"),
        ("payment_fees", "types.payment_fee.PaymentFee"),
        ("ledger_accounts", "types.ledger_account.LedgerAccount"),
        ("payout", "payouts.types.retrieve_payouts_response.RetrievePayoutsResponse"),
        ("report", "financial_reports.types.retrieve_financial_reports_response.RetrieveFinancialReportsResponse"),
    ],
)
def test_the_sdk_accepts_what_is_served(server, account, path, model) -> None:
    module, _, name = f"whop_sdk.{model}".rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    if path == "report":
        rows = [report(server, account), report(server, account, "income_statement")]
    elif path == "payout":
        rows = [ask(server, account, f"payouts/{name}") for name in account.books.payouts]
    else:
        told = ask(server, account, paths(account)[path])
        rows = told.get("data", [told])
    assert rows
    for row in rows:
        kind.model_validate(row)
        assert not row.keys() - kind.model_fields.keys(), "a key that Whop doesn't have"


def test_beginning_and_total_are_the_end(server, account) -> None:
    """Guards: identity (a)."""
    since = stamp(account.clock() - timedelta(days=40))
    for currency in ("usd", "eur", "jpy", "kwd"):
        told = report(server, account, currency=currency, **{"from": since})
        ends = round(told["ending_balance"] - told["beginning_balance"], 6)
        assert ends == round(told["total"], 6) == round(sum(row["amount"] for row in told["rows"]), 6)


@pytest.mark.parametrize("group", ["hour", "day", "week", "month"])
def test_the_feed_is_the_report(server, account, group) -> None:
    """Guards: identity (b), in a half-open window, all together and word by word."""
    since, until = account.clock() - timedelta(days=45, hours=3), account.clock() - timedelta(days=9)
    told = report(server, account, group_by=group, **{"from": stamp(since), "to": stamp(until)})
    just_before = stamp(since - timedelta(milliseconds=1))
    rows = feed(server, account, currency="usd", posted_after=just_before, posted_before=stamp(until), **ALL)
    assert rows
    assert float(added(rows)) == pytest.approx(told["total"], abs=1e-9)
    words: dict[str, float] = {}
    for row in told["rows"]:
        words[row["line_category"]] = words.get(row["line_category"], 0) + row["amount"]
    for word, amount in words.items():
        lines = [row for row in rows if row["line_type"] == word]
        assert float(added(lines)) == pytest.approx(amount, abs=1e-9)
    assert words.keys() == {row["line_type"] for row in rows}


def test_the_feed_is_the_balance(server, account) -> None:
    """Guards: identity (c), as finely as a currency is written: the balances are numbers, each rounded for itself."""
    rows = feed(server, account, **ALL)
    for balance in ask(server, account, f"ledger_accounts/{account.id}")["balances"]:
        parts = sum(balance[name] for name in ("balance", "pending_balance", "reserve_balance"))
        off = 1.5 * 10.0 ** -DECIMALS.get(balance["currency"], 2)
        assert float(added(rows, balance["currency"])) == pytest.approx(parts, abs=off)
    truth = server.world.whop.books(account.profile)
    assert {currency: added(rows, currency) for currency in truth.balances} == {
        currency: parts.total for currency, parts in truth.balances.items()
    }


def test_all_lines_of_a_payment_are_found_by_it(server, account) -> None:
    """Guards: identity (d) over HTTP: refunds, disputes and fees of a payment are under its id."""
    truth = server.world.whop.books(account.profile).payments
    refund = next(row for row in account.tables["refunds"].values() if row["status"] == "succeeded")
    payment = account.tables["payments"][refund["payment_id"]]
    rows = feed(server, account, payment_id=payment["id"], **ALL)
    assert {"payment_gross", "payment_refund"} <= {row["line_type"] for row in rows}
    assert added(rows, payment["currency"]) == truth[payment["id"], payment["currency"]].amount
    assert feed(server, account, payment_id="pay_unknown", **ALL) == []


def test_a_statement_ties_a_payout_to_the_available_balance(server, account) -> None:
    """Guards: a payout whose own fee is counted in what it was made of."""
    for one in server.world.whop.books(account.profile).payouts:
        rows = feed(server, account, withdrawal_id=one.payout.id, balance_type="available", limit=100)
        assert added(rows, one.payout.currency) == one.statement.amount
        assert not [row for row in rows if (row["source"] or {}).get("id") == one.payout.id]
        assert one.opening + added(rows, one.payout.currency) == one.closing


def test_the_available_feed_has_holds_and_nothing_that_is_pending(server, account) -> None:
    part = server.world.whop
    part.buy("alice", traits=())
    part.reserve("alice", "3.00")
    rows = feed(server, account, balance_type="available", limit=100)
    for currency, parts in part.books("alice").balances.items():
        assert added(rows, currency) == parts.available
    assert "balance_reservation" in {row["line_type"] for row in rows}
    assert "balance_reservation" not in {row["line_type"] for row in feed(server, account, **ALL)}


def test_the_feed_without_a_balance_leaves_some_lines_out(server, account) -> None:
    """Guards: a pipeline that takes the default feed for all of the money."""
    server.world.whop.post("alice", "onchain_deposit", "4.00")
    default = {row["line_type"] for row in feed(server, account, limit=100)}
    total = {row["line_type"] for row in feed(server, account, **ALL)}
    assert total - default == {"dispute_alert_fee", "onchain_deposit"}
    (asked,) = feed(server, account, line_types=["onchain_deposit"])
    assert exact(asked) == 4


def test_filters_of_the_feed(server, account) -> None:
    everything = feed(server, account, **ALL)
    out = feed(server, account, direction="money_out", **ALL)
    assert [row for row in everything if row["amount"].startswith("-")] == out
    some = feed(server, account, line_types=["topup", "topup_fee"], **ALL)
    assert {row["line_type"] for row in some} == {"topup", "topup_fee"}
    gold = feed(server, account, currency="xau", **ALL)
    assert [row["usd_amount"] for row in gold] == [None]
    payout = next(iter(account.books.payouts))
    assert feed(server, account, resource_id=payout, **ALL)
    (one,) = feed(server, account, activity_id="line_3", **ALL)
    assert one["id"] == "line_3"
    day = everything[0]["available_at"][:10]
    settled = feed(server, account, currency="usd", available_after=day, available_before=day)
    assert {row["available_at"][:10] for row in settled} <= {day}


@pytest.mark.parametrize("offsets", [True, False])
@pytest.mark.parametrize("newest_first", [True, False])
def test_lines_that_arrive_while_pages_are_read_lose_none(server, account, offsets, newest_first) -> None:
    """Guards: a line that is in no page, because another arrived; twice is harmless, an id tells."""
    part = server.world.whop
    part.read_as(offset_cursors=offsets, newest_first=newest_first)
    before = {row["id"] for row in feed(server, account, **ALL)}
    server.whop.between_pages = lambda: part.post("alice", "misc_refund", "1.00", at=account.clock())
    read = feed(server, account, balance_type="total", limit=40)
    server.whop.between_pages = None
    assert before <= {row["id"] for row in read}
    twice = len(read) - len({row["id"] for row in read})
    assert (twice > 0) == (offsets and newest_first)
    posted = [row["posted_at"] for row in read]
    assert posted == sorted(posted, reverse=newest_first)


def test_a_page_that_names_itself_as_the_next_one(server, account) -> None:
    """Guards: a reader that goes round for ever."""
    server.faults.every(1, "repeat_key", path="/api/v1/financial_activity")
    first = ask(server, account, "financial_activity", limit=5)["page_info"]["end_cursor"]
    again = ask(server, account, "financial_activity", limit=5, cursor=first)["page_info"]
    assert (again["end_cursor"], again["has_next_page"]) == (first, True)


@pytest.mark.parametrize("name", sorted(MONEY_NEEDS))
def test_a_key_without_the_right_is_refused_with_a_type(server, account, name) -> None:
    for right in MONEY_NEEDS[name]:
        account.permissions -= {right}
        said = answer(server, account, paths(account)[name], account_id=account.id)
        assert (said.status_code, said.json()["error"]["type"]) == (403, "forbidden")
        account.permissions |= {right}
    assert answer(server, account, "payments", first=1).status_code == 200


@pytest.mark.parametrize("name", sorted(MONEY_NEEDS))
def test_an_older_server_lacks_the_money_and_has_the_sales(server, account, name) -> None:
    server.whop.without = frozenset(MONEY_NEEDS)
    said = answer(server, account, paths(account)[name], account_id=account.id)
    assert (said.status_code, said.json()["error"]["type"]) == (404, "not_found")
    assert answer(server, account, "payments", first=1).status_code == 200


def test_fields_that_the_key_may_not_see_are_null(server, account) -> None:
    payout = next(iter(account.books.payouts))
    account.permissions -= {"member:email:read", "payout:withdrawal:read"}
    rows = feed(server, account, **ALL)
    assert {row["user_email"] for row in rows} == {None}
    sources = [row["source"] for row in rows if (row["source"] or {}).get("object") == "payout"]
    assert {source["fee_amount"] for source in sources} == {None}
    part = ask(server, account, f"payouts/{payout}")
    assert part["amount"] is None
    assert part["net_amount"]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        ({"account_id": "biz_other"}, 404),
        ({"balance_type": "pending"}, 400),
        ({"withdrawal_id": "wdrl_unknown", "balance_type": "available"}, 404),
        ({"withdrawal_id": "wdrl_unknown"}, 400),
        ({"available_after": "2026-09-01"}, 400),
        ({"direction": "sideways"}, 400),
        ({"posted_after": "yesterday"}, 400),
        ({"limit": "many"}, 400),
        ({"cursor": "rubbish"}, 400),
    ],
)
def test_parameters_that_don_t_go_together_are_refused(server, account, params, status) -> None:
    given = {"account_id": account.id} | params if params else {}
    said = answer(server, account, "financial_activity", **given)
    assert said.status_code == status, said.text
    assert said.json()["error"]["type"] in ("invalid_request_error", "not_found")


def test_payouts_page_and_filter(server, account) -> None:
    everything = ask(server, account, "payouts", first=100)["data"]
    created = [row["created_at"] for row in everything]
    assert created == sorted(created, reverse=True)
    read, after = [], {}
    while True:
        page = ask(server, account, "payouts", first=4, **after)
        read += page["data"]
        if not page["page_info"]["has_next_page"]:
            break
        after = {"after": page["page_info"]["end_cursor"]}
    assert read == everything
    back = ask(server, account, "payouts", status="reversed")["data"]
    assert back
    assert all(row["failure"]["funds_returned_at"] for row in back)
    since = ask(server, account, "payouts", created_after=created[3], first=100)["data"]
    assert since == everything[:4]


@pytest.mark.parametrize("with_fee", [True, False])
def test_the_amount_of_a_payout_holds_its_fee_or_not(server, account, with_fee) -> None:
    """Guards: a relation of payout and line that is assumed; the reference doesn't know it."""
    server.world.whop.read_as(amount_with_fee=with_fee)
    for row in ask(server, account, "payouts", first=100)["data"]:
        truth = account.books.payouts[row["id"]]
        beside = truth.fee_type == "exclusive" and truth.fee_paid_by == "self" and not with_fee
        assert Decimal(row["amount"]) == truth.principal + (0 if beside else truth.charged)
        assert Decimal(row["net_amount"]) == truth.principal


def test_a_canceled_conversion_says_what_stayed(server, account) -> None:
    part = server.world.whop
    part.top_up("alice", "500.00")
    payout = part.pay_out("alice", "40.00", destination="gbp")
    part.move_payout("alice", payout.id, "canceled")
    row = ask(server, account, f"payouts/{payout.id}")
    assert (row["amount"], row["fee_amount"], row["net_amount"]) == ("40.00", "0.00", "0.00")


def test_late_lines_are_in_the_balance_and_not_yet_in_the_feed(server, account) -> None:
    """Guards: a feed that lags, taken for one that is whole; later lines come before earlier ones."""
    part = server.world.whop
    for _ in range(3):
        part.earn("alice", "1.00")
    whole = feed(server, account, **ALL)
    part.read_as(late_hours=30, late_every=3)
    some = feed(server, account, **ALL)
    assert 0 < len(whole) - len(some) < 9
    assert report(server, account)["ending_balance"] == float(part.books("alice").balances["usd"].total)
    part.advance(2)
    assert {row["id"] for row in whole} <= {row["id"] for row in feed(server, account, **ALL)}


def test_a_line_that_is_posted_back_in_time(server, account) -> None:
    """Guards: a reader that only looks behind the newest line it has seen."""
    newest = feed(server, account, **ALL)[0]["posted_at"]
    past = account.clock() - timedelta(days=30)
    line = server.world.whop.post("alice", "misc_refund", "2.00", at=past)
    assert feed(server, account, posted_after=newest, **ALL) == []
    assert line.id in {row["id"] for row in feed(server, account, **ALL)}


def test_a_report_in_dollars_leaves_out_what_has_no_rate(server, account) -> None:
    told = report(server, account, in_currency="usd")
    rows = feed(server, account, **ALL)
    worth = sum((Decimal(row["usd_amount"]) for row in rows if row["usd_amount"]), Decimal(0))
    assert told["fx_excluded_currencies"] == ["xau"]
    assert told["total"] == pytest.approx(float(worth), abs=1e-6)


def test_the_income_statement_tells_the_side_of_each_word(server, account) -> None:
    told = report(server, account, "income_statement")
    sides = {row["line_category"]: row["profit_and_loss_section"] for row in told["rows"]}
    assert sides["payment_gross"] == "revenue"
    assert sides["payment_processing_fixed_fee"] == "cost_of_revenue"
    assert not {"withdrawal", "topup", "sales_tax_remittance"} & sides.keys()


def test_the_summary_tells_the_parts(server, account) -> None:
    told = report(server, account, "balance_summary")
    parts = server.world.whop.books("alice").balances["usd"]
    assert {row["line_category"]: row["amount"] for row in told["rows"]} == {
        name: float(part) for name, part in parts._asdict().items()
    }
    assert answer(server, account, "financial_reports", account_id=account.id, report_type="x").status_code == 400


def test_fees_of_a_payment_are_its_lines(server, account) -> None:
    _, payment = server.world.whop.buy("alice", traits=["tax", "affiliate", "foreign", "fx"])
    told = ask(server, account, f"payments/{payment['id']}/fees")["data"]
    lines = {line.line_type: -line.amount for line in account.books.of_payment(payment["id"])}
    del lines["payment_gross"]
    assert {row["origin"]: Decimal(row["amount"]["amount"]) for row in told} == lines
