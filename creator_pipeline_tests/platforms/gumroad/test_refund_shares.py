"""Derived refunds become exact by the platform's own totals of the day."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.platforms.gumroad.models import SaleRow, sale_row
from creator_pipeline.platforms.gumroad.refund_shares import days_to_settle, settle
from creator_pipeline.platforms.gumroad.sandbox.sale_json import sale_fields
from creator_pipeline.platforms.gumroad.sandbox.shapes import Buyer, Product, Sale
from creator_pipeline.platforms.gumroad.summary import SummaryDay

DAY = date(2026, 9, 16)
NOON = int(datetime(2026, 9, 16, 12, tzinfo=UTC).timestamp())
RING = KeyRing([new_key()])
BUYER = Buyer("a@example.com")


def row(number: int, price: int, refunded: int, currency: str, **over) -> SaleRow:
    """The row that the models make of what the platform shows of a sale whose truth is known."""
    product = Product("p==", "p", "P", 100, currency)
    sale = Sale(f"s{number}==", number, NOON, number, product, price, 0, BUYER, refunded_cents=refunded, **over)
    return sale_row("alice", sale_fields(sale, "seller", UTC), {}, RING, datetime(2026, 9, 20, tzinfo=UTC))


SALES = st.tuples(st.integers(100, 50_000), st.integers(0, 100), st.sampled_from(["usd", "eur", "gbp", "jpy"]))


@given(mine=st.lists(SALES, min_size=1, max_size=10), stored=st.lists(SALES, max_size=3))
def test_the_days_refunds_add_up_to_the_platforms_cents(mine, stored):
    """Guards: a ledger that is a cent off on every day with a refund in another currency."""
    truth = [(price, price * share // 100, currency) for price, share, currency in (*mine, *stored)]
    every = [row(number, *sale) for number, sale in enumerate(truth)]
    rows, others = every[: len(mine)], every[len(mine) :]
    total = SummaryDay(len(truth), sum(price for price, _, _ in truth), sum(refunded for _, refunded, _ in truth))
    known = {"s" + str(number): refunded for number, (_, refunded, _) in enumerate(truth)}
    settled = settle(every, [], {DAY: total})
    assert all(found.refund_exact for found in settled)
    assert sum(found.refunded_micros for found in settled) == total.refunded_cents * 10_000
    assert all(abs(found.refunded_micros // 10_000 - known[found.id.rstrip("=")]) <= 2 for found in settled)
    # However the day's sales come in, each one gets the same cents.
    assert settle(rows, others, {DAY: total}) == settled[: len(mine)]
    assert settle(every[::-1], [], {DAY: total}) == settled[::-1]
    assert settle(settled, [], {DAY: total}) == settled


def test_a_day_whose_sales_do_not_add_up_is_left_alone():
    """Guards: a sale that is not here yet, whose refund is given to another."""
    rows = [row(1, 1000, 400, "gbp")]
    assert settle(rows, [], {DAY: SummaryDay(2, 2000, 900)}) == rows
    assert settle(rows, [], {}) == rows


@pytest.mark.parametrize("currency", ["usd", "gbp"])
def test_a_refund_whose_processor_is_gone_takes_what_the_day_has_left(currency):
    """Guards: a refund in part that reads as one in full, because nothing more can be given back."""
    rows = [row(1, 1000, 230, currency, dead_processor=True), row(2, 500, 500, "usd")]
    assert (rows[0].refunded_micros, rows[0].refund_exact) == (None, False)
    settled = settle(rows, [], {DAY: SummaryDay(2, 1500, 730)})
    assert (settled[0].refunded_micros, settled[0].refund_exact) == (2_300_000, True)
    assert days_to_settle(rows) == days_to_settle(settled) == {DAY}


def test_two_unknown_refunds_stay_unknown():
    """Guards: a sum shared out by guess and called exact."""
    rows = [row(number, 1000, 230, "gbp", dead_processor=True) for number in (1, 2)]
    assert settle(rows, [], {DAY: SummaryDay(2, 2000, 460)}) == rows


@pytest.mark.parametrize("refunded", [0, 1000, 1200])
def test_totals_that_lag_behind_are_not_believed(refunded):
    """Guards: a search index a few seconds late turning a refund into nothing, or into more than the sale."""
    rows = [row(1, 1000, 400, "gbp")]
    assert settle(rows, [], {DAY: SummaryDay(1, 1000, refunded)}) == rows


def test_a_neighbours_newer_refund_is_not_given_to_another_sale():
    """Guards: a sale across midnight, refunded since it was stored, whose dollars land on another sale as exact."""
    rows = [row(1, 10_000, 4000, "gbp")]
    assert settle(rows, [row(2, 3000, 0, "usd")], {DAY: SummaryDay(2, 13_000, 4000 + 1500)}) == rows


def test_trials_are_no_part_of_the_sum():
    """Guards: a day that never settles because its trials count as gross."""
    trial = row(2, 500, 0, "usd", subscription_id="x==", trial_ends="Sep 25, 2026", charged=False)
    assert trial.kind == "trial"
    settled = settle([row(1, 1000, 401, "gbp"), trial], [], {DAY: SummaryDay(1, 1000, 401)})
    assert (settled[0].refunded_micros, settled[0].refund_exact) == (4_010_000, True)
