"""What Whop's money lists are asked for: filters, pages, permissions, reports, late lines."""

from datetime import timedelta
from decimal import Decimal

import pytest

from creator_pipeline.platforms.whop.sandbox.money_api import MONEY_NEEDS
from creator_pipeline_tests.support.whop_sandbox_money import ALL, answer, ask, feed, paths, report


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
