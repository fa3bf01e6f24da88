"""The worked examples of the fees, and movements that join another payout than their line."""

import pytest

from creator_pipeline.platforms.gumroad.sandbox.payout_rows import ADJUSTMENT, statement
from creator_pipeline_tests.support.gumroad_stand_in import PAYPAL, at, day, made_books, made_sale, shown


def one_payout(books, sale, first="2026-03-02"):
    books.sold(made_sale("other", first, 9000, 1241))
    books.run.until(at("2026-04-30"))
    assert len(books.run.payouts) >= 1
    return [row for payout in books.run.payouts for row in shown(books, payout) if row[2] == sale.id]


@pytest.mark.parametrize(("charged", "fees", "net"), [(59, -150, -850)])
def test_first_example_a_full_refund(charged, fees, net):
    """Guards: net of -2.09 for a refunded sale of 10.00, where 0.59 were kept."""
    books, sale = made_books("2026-03-02"), made_sale("s", "2026-03-02", 1000, 209, processor_fee_cents=charged)
    books.sold(sale)
    books.refund(sale, 1000, day("2026-03-03"))
    rows = one_payout(books, sale)
    assert rows == [
        ("2026-03-02", "Sale", "s", 1000, 209, 791),
        ("2026-03-03", "Full Refund", "s", -1000, fees, net),
    ]
    assert sum(row[5] for row in rows) == -charged


def test_first_example_a_chargeback():
    """Guards: a lost dispute that costs a fee."""
    books, sale = made_books("2026-03-02"), made_sale("s", "2026-03-02", 1000, 209, processor_fee_cents=59)
    books.sold(sale)
    books.dispute(sale, day("2026-03-05"))
    rows = one_payout(books, sale)
    assert rows[1] == ("2026-03-05", "Chargeback", "s", -1000, -209, -791)
    assert sum(row[5] for row in rows) == 0


@pytest.mark.parametrize(("charged", "fees", "net"), [(59, -52, -298), (51, -55, -295)])
def test_second_example_a_partial_refund(charged, fees, net):
    """Guards: 2.9 % and 30 cents taken for what is charged."""
    books, sale = made_books("2026-03-02"), made_sale("s", "2026-03-02", 1000, 209, processor_fee_cents=charged)
    books.sold(sale)
    books.refund(sale, 350, day("2026-03-03"))
    assert one_payout(books, sale)[1] == ("2026-03-03", "Partial Refund", "s", -350, fees, net)


def test_third_example_a_partner():
    """Guards: shares of two periods added up in one."""
    books = made_books("2026-03-02")
    books.sold(made_sale("a", "2026-03-02", 2000, 338))
    number = books.earn(23, day("2026-03-02"))
    books.run.until(at("2026-03-16"))
    books.sold(made_sale("b", "2026-03-16", 2000, 338))
    books.earn(389, day("2026-03-16"))
    books.unearn(number, day("2026-03-16"))
    books.run.until(at("2026-04-10"))
    partner = [[row[5] for row in shown(books, one) if row[1] == "Affiliate Credit"] for one in books.run.payouts]
    assert partner == [[23], [366]]


def test_fourth_example_a_sale_paid_elsewhere():
    """Guards: money of another processor counted as paid out by the service."""
    over = {"processor": "stripe", "affiliate_cents": 403, "affiliate_basis_points": 300}
    books, sale = made_books("2026-03-02"), made_sale("s", "2026-03-03", 15_000, 1550, **over)
    books.sold(made_sale("other", "2026-03-02", 9000, 1241))
    books.sold(sale)
    books.refund(sale, 7500, day("2026-03-04"))
    books.run.until(at("2026-03-20"))
    told = statement(books, books.run.payouts[0].balances, day("2026-03-06"), payout=books.run.payouts[0])
    assert [(row.type, row.price, row.fee, row.net) for row in told.connect] == [
        ("Sale", 15_000, 1550, 13_450),
        ("Stripe Connect Refund", -7500, 775, -6725),
        ("Stripe Connect Affiliate Fees", -403, None, -403),
        ("Stripe Connect Affiliate Fees", 202, None, 202),
        ("Stripe Connect Payouts", -6524, None, -6524),
    ]
    credit = next(row for row in told.rows if row.type == "Credit")
    assert (credit.sale.id, credit.net) == ("s", 202), "the service gives back the partner's share through the balance"


def test_fifth_example_a_whole_payout():
    """Guards: a payout's own fee that isn't rounded up."""
    books = made_books("2026-03-02", PAYPAL)
    books.sold(made_sale("a", "2026-03-02", 5334, 769))
    books.run.until(at("2026-03-16"))
    (payout,) = books.run.payouts
    assert (payout.balance_cents, payout.fee_cents, payout.amount) == (4565, 92, 4473)


def paid(books, sale, until):
    books.sold(sale)
    books.run.until(at(until))
    assert books.run.payouts


def parts(books, place):
    one = books.run.payouts[place]
    told = statement(books, one.balances, one.period_end, payout=one)
    return {item.kind: amount for item, amount in told.adjustment_parts.items()}


def test_a_kept_fee_joins_another_payout_than_its_refund():
    """Guards: the most ordinary adjustment called unexplained, in both directions."""
    books = made_books("2026-03-02")
    old, sale = made_sale("old", "2026-03-02", 4000, 596), made_sale("s", "2026-03-09", 3000, 467)
    old.processor_fee_cents = sale.processor_fee_cents = 117
    books.sold(old)
    books.sold(sale)
    books.refund(sale, 3000, day("2026-03-10"))
    books.sold(made_sale("more", "2026-03-10", 4000, 596))
    books.run.until(at("2026-04-01"))
    assert [parts(books, 0), parts(books, 1)] == [{"kept": -117}, {"kept": 117}]
    assert [row[5] for one in books.run.payouts for row in shown(books, one) if row[1] == ADJUSTMENT] == [-117, 117]


def test_a_partial_refund_gives_back_the_whole_share_in_the_line():
    """Guards: the difference of a partner's share left unexplained."""
    books = made_books("2026-03-02")
    sale = made_sale("s", "2026-03-02", 5000, 725, affiliate_cents=1282, affiliate_basis_points=3000)
    sale.processor_fee_cents = 175
    books.sold(sale)
    books.refund(sale, 1000, day("2026-03-03"))
    books.run.until(at("2026-03-20"))
    back = books.records["s"].refunds[0].share
    assert back == 300 - 145 * 3000 // 10_000
    assert parts(books, 0) == {"share_back": back - 1282}


def test_a_chargeback_after_a_partial_refund_shows_the_whole_price():
    """Guards: the refunded part lost twice."""
    books = made_books("2026-03-02")
    sale = made_sale("s", "2026-03-02", 5000, 725, processor_fee_cents=175)
    books.sold(made_sale("more", "2026-03-02", 9000, 1241))
    books.sold(sale)
    books.refund(sale, 1000, day("2026-03-03"))
    books.dispute(sale, day("2026-03-04"))
    books.run.until(at("2026-03-20"))
    assert parts(books, 0) == {"chargeback": 1000 - 145}


def test_a_fraud_refund_changes_the_fee_of_an_earlier_one():
    """Guards: the flag of the sale taken for one of the refund."""
    books = made_books("2026-03-02")
    sale = made_sale("s", "2026-03-02", 5000, 725, processor_fee_cents=175)
    books.sold(made_sale("more", "2026-03-02", 9000, 1241))
    books.sold(sale)
    books.refund(sale, 1000, day("2026-03-03"))
    books.refund(sale, 4000, day("2026-03-03"), fraud=True)
    books.run.until(at("2026-03-20"))
    assert parts(books, 0) == {"kept": -35}


def test_a_won_dispute_is_a_credit_with_the_day_of_the_oldest_balance():
    """Guards: a credit before the dispute it is about taken for another's."""
    books = made_books("2026-03-02")
    paid(books, made_sale("s", "2026-03-02", 5000, 725), "2026-03-16")
    sale = books.records["s"].sale
    books.sold(made_sale("later", "2026-03-16", 9000, 1241))
    books.dispute(sale, day("2026-03-18"))
    books.win(sale, day("2026-03-25"))
    books.run.until(at("2026-04-10"))
    rows = [row for row in shown(books, books.run.payouts[1]) if row[2] == "s"]
    assert rows == [
        ("2026-03-16", "Credit", "s", 4275, 0, 4275),
        ("2026-03-18", "Chargeback", "s", -5000, -725, -4275),
    ]


def test_a_won_dispute_of_a_sale_paid_elsewhere_vanishes():
    """Guards: a chargeback waited for in vain."""
    books = made_books("2026-03-02")
    sale = made_sale("s", "2026-03-02", 5000, 550, processor="paypal")
    books.sold(sale)
    books.dispute(sale, day("2026-03-03"))
    paid(books, made_sale("more", "2026-03-02", 9000, 1241), "2026-03-16")
    kinds = [row[1] for row in shown(books, books.run.payouts[0]) if row[2] == "s"]
    books.win(sale, day("2026-03-20"))
    assert (kinds, [row[1] for row in shown(books, books.run.payouts[0]) if row[2] == "s"]) == (
        ["Sale", "Chargeback"],
        ["Sale"],
    )


def test_a_fee_that_is_written_off_has_a_line_of_its_own():
    """Guards: a word that nobody has seen dropped."""
    books = made_books("2026-03-02")
    sale = made_sale("s", "2026-03-02", 5000, 725, processor_fee_cents=175)
    books.sold(made_sale("more", "2026-03-02", 9000, 1241))
    books.sold(sale)
    books.refund(sale, 5000, day("2026-03-03"))
    assert books.write_off(sale, day("2026-03-04")) == 175
    books.run.until(at("2026-03-20"))
    assert [row[5] for row in shown(books, books.run.payouts[0]) if row[2] == "s"] == [4275, 175, -4450]


def test_sales_paid_elsewhere_are_listed_again_when_the_payout_before_is_returned():
    """Guards: one sale counted in two payouts."""
    books = made_books("2026-03-02")
    books.sold(made_sale("c", "2026-03-02", 5000, 550, processor="paypal"))
    paid(books, made_sale("a", "2026-03-02", 9000, 1241), "2026-03-16")
    paid(books, made_sale("b", "2026-03-09", 9000, 1241), "2026-03-24")
    first, second = books.run.payouts[:2]
    assert "c" not in {row[2] for row in shown(books, second)}
    books.run.become(first, "returned", at("2026-03-25"))
    assert "c" in {row[2] for row in shown(books, first)} & {row[2] for row in shown(books, second)}
