"""The lines of payouts against the written-down ones, made again from their sales by the stand-in's books."""

from collections import Counter

import pytest

from creator_pipeline.platforms.gumroad.sandbox.payout_rows import ADJUSTMENT, statement
from creator_pipeline.platforms.gumroad.sandbox.payouts import FRIDAY, THURSDAY, Terms
from creator_pipeline_tests.support.gumroad_stand_in import (
    PAYPAL,
    at,
    cents,
    day,
    made_books,
    made_sale,
    payout_fixture,
    shown,
)

MANIFEST = payout_fixture("manifest.json")["files"]
FRAUD, TWICE, RETURNED = "s0ThsmaZgYfJ_6ttSEKAtA==", "U-RwnUJDnluITVQQaLHAPQ==", "n_e1_-SGpG8T5bjhQbFpwg=="


def known_sales(*ids, **over):
    """The written-down sales of a payout, as the stand-in holds them."""
    rows = {row["id"]: row for row in payout_fixture("sales_for_payouts.json")["sales"]}
    sales = {}
    for sale_id in ids:
        row = rows[sale_id]
        sale = made_sale(sale_id, row["created_at"].rstrip("Z"), row["price"], row["gumroad_fee"])
        sale.processor = row.get("payment_processor", "")
        sales[sale_id] = sale
    return sales


def written(name):
    """The same of a written-down payout."""
    money = ("sale_price", "gumroad_fees", "net_total")
    return [
        (row["date"], row["type"], row["purchase_id"], *(cents(row[key]) for key in money))
        for row in payout_fixture(name)["payout"]["transactions"]
    ]


def undated(rows, *types):
    """Rows of some types lose their day."""
    return Counter(("", *row[1:]) if row[1] in types else row for row in rows)


def test_a_payout_with_everything():
    """Guards: any of the signs and columns of a payout being another than the service's.

    The day of a credit was written down as the day of the event; it is that of the oldest unpaid balance.
    """
    name = "payout_usd_everything.json"
    ids = {row[2] for row in written(name) if row[1] == "Sale"}
    sales = known_sales(*ids)
    sale = {sale_id[:4]: one for sale_id, one in sales.items()}
    sale["2fwx"].affiliate_cents, sale["2fwx"].affiliate_basis_points = 1282, 3000
    sale["5b_1"].processor_fee_cents, sale["fFmd"].processor_fee_cents = 95, 146
    books = made_books("2026-08-01", PAYPAL)
    for one in sorted(sales.values(), key=lambda one: one.created):
        books.sold(one)
    books.earn(237, day("2026-08-06"))
    books.refund(sale["5b_1"], 2500, day("2026-08-06"))
    books.refund(sale["fFmd"], 1500, day("2026-08-06"))
    books.refund(sale["JxLZ"], 1800, day("2026-08-06"))
    books.refund(sale["fFmd"], 500, day("2026-08-07"))
    books.dispute(sale["_rce"], day("2026-08-07"))
    books.dispute(sale["yWW4"], day("2026-08-07"))
    books.win(sale["yWW4"], day("2026-08-07"))
    books.credit(500, day("2026-08-07"))
    books.run.until(at("2026-08-15"))
    (payout,) = books.run.payouts
    assert (payout.balance_cents, payout.fee_cents, payout.amount) == (8766, 176, 8590)
    assert payout.amount == MANIFEST[name]["sum_net_cents"]
    assert undated(shown(books, payout), "Credit") == undated(written(name), "Credit")
    credited = {row[0] for row in shown(books, payout) if row[1] == "Credit"}
    assert credited == {"2026-08-03"}, "a credit joins the oldest unpaid day, before it happened"
    sums = Counter()
    for row in shown(books, payout):
        sums[row[1]] += row[5]
    assert sums == {kind: told["net_cents"] for kind, told in MANIFEST[name]["net_by_type"].items()}


@pytest.fixture
def studio():
    """Payout B, then one that is returned, and the one in which its lines come again."""
    books = made_books("2026-08-10")
    books.run.fates[1] = "returned"
    sales = known_sales("jZPZ38G1ocb9etYNPRZ5Cg==", TWICE, RETURNED, FRAUD)
    sales[TWICE].processor_fee_cents = 204
    sales[FRAUD].processor_fee_cents = 53
    books.sold(sales[TWICE])
    books.refund(sales[TWICE], 2000, day("2026-08-12"))
    books.sold(sales["jZPZ38G1ocb9etYNPRZ5Cg=="])
    return books, sales


def play_return(books, sales):
    books.run.until(at("2026-09-01"))
    books.sold(sales[RETURNED])
    books.run.until(at("2026-09-11T11:00"))
    books.sold(sales[FRAUD])
    books.refund(sales[FRAUD], 800, day("2026-09-10"), fraud=True)
    books.refund(sales[TWICE], 1000, day("2026-09-10"))
    books.run.until(at("2026-10-01"))


def test_a_payout_reads_otherwise_after_a_second_refund(studio):
    """Guards: a first reading replaced by a later one with fewer lines."""
    books, sales = studio
    books.run.until(at("2026-08-25"))
    payout = books.run.payouts[0]
    assert (payout.amount, payout.status) == (5459, "completed")
    assert Counter(shown(books, payout)) == Counter(written("payout_B_first_reading.json"))
    play_return(books, sales)
    assert Counter(shown(books, payout)) == Counter(written("payout_B_later_reading.json"))
    told = statement(books, payout.balances, payout.period_end, payout=payout)
    assert {item.kind: amount for item, amount in told.adjustment_parts.items()} == {"refund": -1716, "kept": -68}


def test_lines_of_a_returned_payout_come_again(studio):
    """Guards: a sale that is paid twice, or not at all."""
    books, sales = studio
    play_return(books, sales)
    _, returned, again = books.run.payouts
    assert (returned.status, returned.amount, again.status, again.amount) == ("returned", 8543, "completed", 7651)
    assert [row for row in shown(books, returned) if row[1] == "Sale"] == written("payout_returned.json")
    assert Counter(shown(books, again)) == Counter(written("payout_after_return.json"))
    assert all(one.payout is again for one in returned.balances)
    assert books.book.unpaid() == []


def test_an_instant_payout():
    """Guards: the fee of a payout that the seller asked for."""
    (sale,) = known_sales("VOZ2iccYvJ49MZNJqpcSyA==").values()
    books = made_books("2026-10-05", Terms("stripe", THURSDAY, "usd"))
    books.sold(sale)
    payout = books.run.instant_payout(at("2026-10-07T16:00"))
    books.run.until(at("2026-10-07T17:00"))
    assert (payout.amount, payout.fee_cents, payout.status) == (10_154, 305, "completed")
    assert Counter(shown(books, payout)) == Counter(written("payout_instant.json"))


def test_a_payout_in_euro_has_lines_in_dollars_and_no_adjustment():
    """Guards: euro taken for dollars, and an adjustment where there is none."""
    ids = ("m1nm6dL79Tjjfi35pbtueg==", "7ExNSyyD3p-RxuUp_FR9hQ==")
    books = made_books("2026-08-17", Terms("stripe", FRIDAY, "eur"))
    books.book.rate = lambda _day: 894_206
    for sale in known_sales(*ids).values():
        books.sold(sale)
    books.run.until(at("2026-09-02"))
    (payout,) = books.run.payouts
    assert (payout.amount, payout.currency, payout.balance_cents) == (10_371, "eur", 11_598)
    assert Counter(shown(books, payout)) == Counter(written("payout_eur.json"))
    refund = next(iter(books.records.values())).sale
    books.refund(refund, 100, day("2026-09-02"))
    assert ADJUSTMENT not in {row[1] for row in shown(books, payout)}


def test_a_refund_that_fails_is_told_in_pairs():
    """Guards: money that went back and came again counted once."""
    (sale,) = known_sales("TjIitZUzjtYX1hpXbl9Dig==").values()
    sale.processor_fee_cents = 117
    books = made_books("2026-10-12")
    books.sold(sale)
    books.refund(sale, 3000, day("2026-10-13"))
    books.fail_refund(sale, day("2026-10-20"))
    books.run.until(at("2026-10-27"))
    (payout,) = books.run.payouts
    assert payout.amount == 2533
    assert Counter(shown(books, payout)) == Counter(written("payout_failed_refund_pair.json"))
