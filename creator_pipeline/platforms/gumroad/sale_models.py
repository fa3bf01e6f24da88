"""A sale and its refunds, as the ledger sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from creator_pipeline.platforms.gumroad.sale_lines import Row


class GumroadSale(NamedTuple):
    """What the ledger needs of a Gumroad sale. Amounts in micros of a US dollar.

    ``fee_told`` is False where the platform doesn't tell the fee, which is 0 here. ``refunded_micros`` is None while a
    partial refund can't be derived: the refund's row is then missing, and the check ``refunds_known`` says so.
    """

    profile_id: str
    id: str
    created_at: datetime
    product_id: str | None
    product_name: str | None
    quantity: int
    price_micros: int
    fee_micros: int
    refunded_micros: int | None
    chargedback: bool
    disputed: bool
    dispute_won: bool
    kind: str
    refund_exact: bool = True
    affiliate_micros: int | None = None
    processor: str | None = None
    fee_told: bool = True


def gone_back(sale: GumroadSale) -> bool:
    """Whether money of a sale went back, or may have: a refund whose amount isn't known."""
    return sale.refunded_micros != 0 or sale.chargedback or sale.dispute_won


@dataclass
class Refund:
    """A refund, from a line or estimated. Amounts in micros.

    Attributes:
        name: of its row of the ledger.
        at: when it was first seen; None where a line tells its day.
        row: the line; None where only the sale tells it.
        seen_as: number of the step in which the sale told it; None where that isn't known.
        order_open: whether it isn't known if another refund of the sale was before it or after it.
        part_micros: the part of the sale's fee that belongs to it.
        other_micros: that part, if the order was another one.
        kept_micros: what of that part the processor kept.
        share_micros: what came back of an affiliate's share.
    """

    name: str
    micros: int
    at: datetime | None
    day: date
    row: Row | None
    seen_as: int | None = None
    order_open: bool = False
    part_micros: int = 0
    other_micros: int = 0
    kept_micros: int = 0
    share_micros: int = 0
