"""The books of an account, and what can be made to happen to its money, for other processes."""

from decimal import Decimal

import pytest

from creator_pipeline_tests.support import local_http


@pytest.fixture
def at(server) -> str:
    return f"{server.url}/_sandbox/whop/alice"


def test_the_books_are_told_as_they_are(server, at) -> None:
    truth, told = server.world.whop.books("alice"), local_http.get(f"{at}/books").json()
    assert {currency: Decimal(parts["total"]) for currency, parts in told["balances"].items()} == {
        currency: parts.total for currency, parts in truth.balances.items()
    }
    assert sum(row["micros"] for row in told["words"]) == sum(one.micros for one in truth.words.values())
    assert {row["meaning"] for row in told["meanings"]} == {meaning for _, meaning in truth.meanings}
    assert [row["id"] for row in told["payouts"]] == [one.payout.id for one in truth.payouts]
    assert len(told["payments"]) == len(truth.payments)
    assert local_http.get(f"{server.url}/_sandbox/whop/nobody/books").status_code == 404


def test_money_moves_by_order(server, at, account) -> None:
    orders = [
        ("post", {"line_type": "a_new_word", "amount": "-1.5", "at": "2026-09-01T00:00:00Z"}),
        ("earn", {"amount": "7.20"}),
        ("top_up", {"amount": "300.00"}),
        ("reserve", {"amount": "5.00"}),
        ("release", {"amount": "2.00"}),
        ("convert", {"amount": "3.00", "giving": "usd", "taking": "eur"}),
        ("pay_out", {"amount": "40.00", "fee_type": "inclusive"}),
        ("read_as", {"newest_first": False, "left_out": ["topup"]}),
        ("without", {"lists": ["payouts"]}),
        ("advance", {"days": 3}),
    ]
    for verb, wish in orders:
        said = local_http.post(f"{at}/{verb}", json=wish)
        assert said.status_code == 200, said.text
    words = {line.line_type for line in account.books.lines}
    assert {"a_new_word", "platform_affiliate_payment", "topup", "currency_conversion_incoming"} <= words
    assert server.world.whop.readings.left_out == {"topup"}
    assert server.whop.without == {"payouts"}
    payout = next(one for one in account.books.payouts.values() if one.source == "api")
    assert payout.status == "completed"
    back = local_http.post(f"{at}/move_payout", json={"payout_id": payout.id, "status": "reversed"}).json()
    assert (back["status"], back["principal"]) == ("reversed", "37.50")


def test_sales_go_wrong_by_order(server, at, account) -> None:
    sold = local_http.post(f"{at}/buy", json={"traits": []}).json()["payment"]
    refund = local_http.post(f"{at}/refund", json={"payment_id": sold["id"], "amount": "3.00"}).json()
    assert local_http.post(f"{at}/fail_refund", json={"refund_id": refund["id"]}).json()["status"] == "failed"
    alerted = local_http.post(f"{at}/alert", json={"payment_id": sold["id"]}).json()
    assert alerted["amount"]["amount"] == "29.00"


@pytest.mark.parametrize(
    ("verb", "wish"),
    [("read_as", {"nonsense": 1}), ("pay_out", {"amount": "1000000"}), ("convert", {"amount": "1"})],
)
def test_an_impossible_order_is_refused(at, verb, wish) -> None:
    assert local_http.post(f"{at}/{verb}", json=wish).status_code == 400
