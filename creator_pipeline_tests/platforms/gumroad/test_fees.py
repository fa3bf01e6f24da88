"""Fees of what goes back, to the cent of the service's own tests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.platforms.gumroad import fees
from creator_pipeline_tests.support.gumroad_payouts import answer, sales


@pytest.mark.parametrize(
    ("price", "fee", "refunds", "parts"),
    [
        (1000, 209, [1000], [209]),
        (1000, 209, [350], [73]),
        # (29 / 100) * 100 is less than 29 in IEEE doubles: exact decimals would give 29.
        (100, 29, [99, 1], [28, 1]),
        (100, 29, [100], [29]),
        (15000, 1550, [7500], [775]),
        (4000, 596, [1500, 500], [223, 74]),
    ],
)
def test_the_part_of_the_fee_that_belongs_to_a_refund(price, fee, refunds, parts):
    """Guards: a cent too much given back, because decimals are exact and the service's doubles are not."""
    assert fees.fee_parts(price, fee, refunds) == parts


def test_estimates_and_exact_figures_are_those_of_the_manifest():
    """Guards: an estimate of another formula than the reference's."""
    told = {sale["id"]: sale for sale in sales()}
    earlier: dict[str, list[int]] = {}
    for one in answer("manifest")["refund_fee_per_refund"]:
        sale = told[one["sale"]]
        done = earlier.setdefault(sale["id"], [])
        done.append(one["refund_cents"])
        part = fees.fee_parts(sale["price"], sale["gumroad_fee"], done)[-1]
        assert part == one["fee_part_cents"]
        assert part - one["kept_cents_exact"] == one["given_back_exact"]
        assert part - fees.kept_fee(sale["price"], one["refund_cents"]) == one["given_back_estimate"]


def test_what_was_kept_of_one_refund_tells_what_is_kept_of_the_next():
    """Guards: 2.9 % and 30 cents, although a payout has told that this card costs another rate."""
    assert fees.kept_fee(1000, 500, (350, 18)) == 26
    assert fees.kept_fee(800, 400, (400, 0)) == 0


@pytest.mark.parametrize(
    ("price", "fee", "share", "refunds", "parts"),
    [
        (15000, 1550, 403, [7500], [202]),
        (15000, 1550, 403, [7500, 7500], [202, 201]),
        (5000, 725, 1282, [5000], [1282]),
        (1000, 209, 23, [], []),
    ],
)
def test_what_an_affiliate_gives_back(price, fee, share, refunds, parts):
    """Guards: a share that is given back in whole with half of the money."""
    assert fees.affiliate_parts(price, fee, share, refunds) == parts


PRICES = st.integers(1, 10**7).flatmap(
    lambda price: st.tuples(
        st.just(price), st.integers(0, price), st.lists(st.integers(1, price), max_size=5), st.integers(0, price)
    )
)


@given(PRICES)
def test_no_more_goes_back_than_was_taken(figures):
    """Guards: a fee or a share that is given back twice."""
    price, fee, amounts, share = figures
    refunds: list[int] = []
    for amount in amounts:
        if sum(refunds) + amount <= price:
            refunds.append(amount)
    parts = fees.fee_parts(price, fee, refunds)
    backs = fees.affiliate_parts(price, fee, share, refunds)
    assert all(part >= 0 for part in (*parts, *backs))
    assert sum(parts) <= fee
    assert sum(backs) <= share
    if sum(refunds) == price:
        assert (sum(parts), sum(backs)) == (fee, share)
