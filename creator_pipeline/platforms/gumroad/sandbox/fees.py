"""What the service takes on a sale, gives back on a refund and keeps. US cents; pure."""

from __future__ import annotations

import math

BASIS = 10_000
RATES = ((22, 30), (29, 30), (39, 30), (44, 30))
"""What card processors charge, in thousandths of the price and cents: their wholesale price, the published one, and
foreign cards."""


def half_away(numerator: int, denominator: int) -> int:
    """The nearest whole number to a fraction; halves go away from zero. ``denominator`` is positive."""
    whole = (2 * abs(numerator) + denominator) // (2 * denominator)
    return whole if numerator >= 0 else -whole


def connect_fee(price: int) -> int:
    """The fee on a sale that the seller's own PayPal or Stripe was paid for: 10 % and 50 cents."""
    return half_away(price, 10) + 50 if price else 0


def processor_fee(price: int, turn: int) -> int | None:
    """What the processor charged for the ``turn``-th sale; None now and then: the service doesn't know it."""
    if turn % 23 == 7:
        return None
    thousandths, fixed = RATES[turn % len(RATES)]
    return half_away(price * thousandths, 1000) + fixed if price else 0


def fee_part(price: int, fee: int, refunded: int, earlier_cents: int, earlier_fee: int) -> int:
    """The part of a sale's fee that belongs to a refund.

    Args:
        price, fee: of the sale.
        refunded: what goes back now.
        earlier_cents: what went back before.
        earlier_fee: the parts of the fee that belonged to it.
    """
    if earlier_cents + refunded == price:
        return fee - earlier_fee
    # The service computes this in doubles, in this order: (29 / 100) * 100 floors to 28.
    return math.floor((fee / price) * refunded)


def kept_fee(price: int, refunded: int, charged: int | None) -> int:
    """What the processor keeps of a refund; where its charge isn't known, 2.9 % and the share of 30 cents.

    Args:
        price: of the sale.
        refunded: what goes back now.
        charged: by the processor for the sale.
    """
    if charged is None:
        return half_away(refunded * (29 * price + 30_000), 1000 * price)
    return half_away(charged * refunded, price)


def partner_share(price: int, fee: int, basis_points: int, *, seller_bears_fee: bool = False) -> int:
    """What an affiliate or collaborator gets of a sale, who bears its part of the fee by default.

    Args:
        price, fee: of the sale.
        basis_points: of the price.
        seller_bears_fee: the partner's part is of the whole price.
    """
    return basis_points * (price if seller_bears_fee else price - fee) // BASIS


def partner_back(refunded: int, fee: int, basis_points: int, *, seller_bears_fee: bool = False) -> int:
    """What a partner gives back of a partial refund.

    Args:
        refunded: what goes back now.
        fee: the part of the fee that belongs to it.
        basis_points: the partner's, of the price.
        seller_bears_fee: the partner's part is of the whole price.
    """
    of_price = -(-basis_points * refunded // BASIS)
    return of_price if seller_bears_fee else of_price - basis_points * fee // BASIS


def paypal_fee(balance: int) -> int:
    """Two per cent of a payout through PayPal, rounded up."""
    return -(-balance * 2 // 100)


def instant_amount(balance: int) -> int:
    """What arrives of an instant payout, which costs three per cent."""
    return balance * 100 // 103
