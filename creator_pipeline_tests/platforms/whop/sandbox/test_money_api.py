"""Whop's money over HTTP: shapes, the identities a pipeline relies on, pages, permissions."""

import importlib
import json
from datetime import timedelta

import pytest

from creator_pipeline.platforms.whop.sandbox.object_json import DECIMALS, stamp
from creator_pipeline_tests.support.whop_samples import FIXTURES
from creator_pipeline_tests.support.whop_sandbox_money import ALL, added, ask, exact, feed, paths, report


def written_down(name: str) -> dict:
    return json.loads((FIXTURES / "2026-10-15-1" / "money" / f"{name}.json").read_text(encoding="utf-8"))


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
