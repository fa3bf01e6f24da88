"""Gumroad's fees of what goes back, in US cents. Pure; with the service's own arithmetic and its rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence


def fee_parts(price: int, fee: int, refunds: Sequence[int]) -> list[int]:
    """The part of the sale's fee that belongs to each refund of it, in their order.

    The refund that finishes the sale off takes what is left of the fee. The others are floors of IEEE doubles in the
    service's own order of operations: exact decimals would give a cent more now and then.

    Args:
        price: of the sale.
        fee: of the sale.
        refunds: amounts.
    """
    parts: list[int] = []
    back = 0
    for amount in refunds:
        back += amount
        parts.append(fee - sum(parts) if back >= price else math.floor((fee / price) * amount))
    return parts


def other_parts(price: int, fee: int, refunds: Sequence[int]) -> list[int]:
    """What the part of each refund would be in another order: the last one's is what is left of the fee.

    Of a refund that is last as they stand, the part that it would have if it wasn't; of the others the reverse. The
    same as :func:`fee_parts` where the order makes no difference.

    Args:
        price: of the sale.
        fee: of the sale.
        refunds: amounts, in the order that is thought to be theirs.
    """
    parts = fee_parts(price, fee, refunds)
    if price <= 0 or sum(refunds) < price:
        return parts
    floors = [math.floor((fee / price) * amount) for amount in refunds]
    as_last = [fee - sum(floors) + own for own in floors]
    return [own if part == last else last for part, own, last in zip(parts, floors, as_last, strict=True)]


def kept_fee(price: int, refund: int, known: tuple[int, int] | None = None) -> int:
    """What the processor keeps of a refund's fee: an estimate, as what it really charged is told nowhere.

    Args:
        price: of the sale.
        refund: amount.
        known: another refund of the same sale, and what was kept of it.
    """
    if known is not None:
        return _half_up(known[1] * refund / known[0])
    return _half_up(refund * 0.029 + 30 * refund / price)


def affiliate_parts(price: int, fee: int, share: int, refunds: Sequence[int]) -> list[int]:
    """What an affiliate gives back with each refund of a sale; all of it in full where the sale is finished off.

    The rate isn't told: it is the whole percentage that gives the share, else the share's own proportion.

    Args:
        price: of the sale.
        fee: of the sale.
        share: of the affiliate, in all.
        refunds: amounts, in their order.
    """
    if not share:
        return [0] * len(refunds)
    rate, of_fee = _rates(price, fee, share)
    parts: list[int] = []
    back = 0
    for amount, fee_part in zip(refunds, fee_parts(price, fee, refunds), strict=True):
        back += amount
        left = share - sum(parts)
        # A hair below: a product that is whole but for the last bit of the double must not be rounded up.
        part = math.ceil(rate * amount - 1e-9) - math.floor(of_fee * fee_part + 1e-9)
        parts.append(left if back >= price else max(0, min(left, part)))
    return parts


def _rates(price: int, fee: int, share: int) -> tuple[float, float]:
    """The affiliate's rate, and its part of the fee: by default the same, nothing where the seller bears it."""
    for base, bears in ((price - fee, True), (price, False)):
        for percent in (round(100 * share / base), math.ceil(100 * share / base)) if base > 0 else ():
            if math.floor(percent * base / 100) == share:
                return percent / 100, percent / 100 if bears else 0.0
    rate = share / max(1, price - fee)
    return rate, rate


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)
