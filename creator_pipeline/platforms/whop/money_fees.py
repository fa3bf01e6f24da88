"""What payments say they cost, beside what the feed took of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, func, select

from creator_pipeline.platforms.whop.line_types import COST_WORDS, PROCESSING_WORDS, SALE_WORDS
from creator_pipeline.store.tables import whop_financial_activity, whop_payments


class Fees(NamedTuple):
    """Of the payments that the feed knows, in micros of one currency.

    Attributes:
        told: what the payments say they cost.
        own: what the feed took of them for Whop.
        all: what it took for Whop, tax and partners.
    """

    told: int
    own: int
    all: int

    def agree(self, within: int) -> bool:
        """Whether they are one figure; Whop doesn't say whether tax and shares are part of what a payment tells.

        Args:
            within: micros that rounding may leave.
        """
        return min(abs(self.told - self.own), abs(self.told - self.all)) <= within


def told_fees(connection: Connection, profile_id: str) -> Mapping[str, Fees]:
    """What payments say they cost, and what the feed took of them, by currency; of payments that the feed knows.

    Args:
        connection: to the warehouse.
        profile_id: whose account.
    """
    paid, feed = whop_payments.c, whop_financial_activity.c
    mine = feed.profile_id == profile_id
    known = select(feed.payment_id).where(mine, feed.line_type.in_(SALE_WORDS), feed.payment_id.is_not(None))
    of_known = and_(paid.profile_id == profile_id, paid.id.in_(known))
    told = connection.execute(select(paid.currency, func.sum(paid.fee_micros)).where(of_known).group_by(paid.currency))
    of_whop = case((feed.line_type.in_(PROCESSING_WORDS), feed.amount_micros), else_=0)
    taken = connection.execute(
        select(feed.currency, func.sum(of_whop), func.sum(feed.amount_micros))
        .join(whop_payments, and_(paid.profile_id == feed.profile_id, paid.id == feed.payment_id))
        .where(mine, of_known, feed.line_type.in_(COST_WORDS), feed.amount_micros < 0)
        .group_by(feed.currency)
    )
    here = {currency: (-int(own), -int(every)) for currency, own, every in taken}
    said = {currency: int(micros or 0) for currency, micros in told}
    return {
        currency: Fees(said.get(currency, 0), *here.get(currency, (0, 0)))
        for currency in sorted(said.keys() | here.keys())
    }
