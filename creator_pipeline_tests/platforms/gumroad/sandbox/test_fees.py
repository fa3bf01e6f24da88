"""Fees of the stand-in against the figures that the service's own tests expect."""

import pytest

from creator_pipeline.platforms.gumroad.sandbox import fees
from creator_pipeline.platforms.gumroad.sandbox.shapes import fee_for
from creator_pipeline_tests.support.gumroad_stand_in import payout_fixture


@pytest.mark.parametrize(("price", "fee"), [(1000, 209), (15_000, 2015), (3000, 467)])
def test_fee_of_a_sale(price, fee):
    """Guards: a stand-in that takes another fee than the service."""
    assert fee_for(price) == fee


@pytest.mark.parametrize(("price", "fee"), [(1000, 150), (15_000, 1550), (0, 0)])
def test_fee_of_a_sale_paid_elsewhere(price, fee):
    """Guards: processing taken twice where the seller's own processor takes it."""
    assert fees.connect_fee(price) == fee


@pytest.mark.parametrize(
    ("price", "fee", "cents", "part"), [(1000, 209, 350, 73), (15_000, 1550, 7500, 775), (100, 29, 100, 29)]
)
def test_part_of_the_fee_that_belongs_to_a_refund(price, fee, cents, part):
    """Guards: the second worked example, 73 cents of 2.09 dollars."""
    assert fees.fee_part(price, fee, cents, 0, 0) == part


def test_part_of_the_fee_is_computed_in_doubles_and_the_last_refund_takes_the_rest():
    """Guards: exact decimals, which give 29 where the service gives 28."""
    assert fees.fee_part(1000, 290, 100, 0, 0) == 28 == int((290 / 1000) * 100)
    assert fees.fee_part(1000, 290, 900, 100, 28) == 262


@pytest.mark.parametrize(("charged", "kept"), [(59, 21), (51, 18), (None, 21)])
def test_fee_that_the_processor_keeps(charged, kept):
    """Guards: the second worked example, whose older and newer tests differ by what the processor charged."""
    assert fees.kept_fee(1000, 350, charged) == kept


@pytest.mark.parametrize("known", payout_fixture("manifest.json")["refund_fee_per_refund"])
def test_estimate_of_each_written_down_refund(known):
    """Guards: another rounding than half away from zero: 102.5 cents are 103."""
    prices = {"5b_1": 2500, "fFmd": 4000, "U-Rw": 6000, "s0Th": 800}
    kept = fees.kept_fee(prices[known["sale"][:4]], known["refund_cents"], None)
    assert known["fee_part_cents"] - kept == known["given_back_estimate"]


def test_shares_of_a_partner():
    """Guards: the third worked example, and a partner who gives back more than is left."""
    assert [fees.partner_share(1000, 209, 300), fees.partner_share(15_000, 2015, 300)] == [23, 389]
    assert fees.partner_share(5000, 725, 3000) == 1282
    assert fees.partner_share(1000, 209, 5000, seller_bears_fee=True) == 500
    assert fees.partner_back(7500, 775, 300) == 202
    assert fees.partner_back(333, 70, 300, seller_bears_fee=True) == 10


@pytest.mark.parametrize(("balance", "fee"), [(4565, 92), (8766, 176), (100, 2)])
def test_fee_of_a_payout_through_paypal(balance, fee):
    """Guards: the fifth worked example: 0.913 dollars are 0.92."""
    assert fees.paypal_fee(balance) == fee


def test_instant_payout():
    """Guards: three per cent of the balance instead of what is left at 100 of 103."""
    assert fees.instant_amount(10_459) == 10_154


def test_halves_go_away_from_zero():
    """Guards: Python's round, which goes to the even number."""
    assert [fees.half_away(5, 2), fees.half_away(-5, 2), fees.half_away(7, 2), fees.half_away(4, 3)] == [3, -3, 4, 1]


def test_processors_charge_different_fees_and_sometimes_nobody_knows():
    """Guards: a world in which 2.9 % and 30 cents is always right."""
    charged = {fees.processor_fee(1000, turn) for turn in range(24)}
    assert {52, 59, 69, 74, None} == charged
