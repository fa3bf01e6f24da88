"""What payments say they cost, beside what the feed took of them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, and_, func, select

from creator_pipeline.platforms.whop.line_types import SALE_WORDS
from creator_pipeline.store.tables import whop_financial_activity, whop_payments


def told_fees(connection: Connection, profile_id: str, words: frozenset[str]) -> Mapping[str, tuple[int, int]]:
    """What payments say they cost, and what lines of these words took, by currency; of payments that the feed knows.

    Args:
        connection: to the warehouse.
        profile_id: whose account.
        words: of the lines that are a payment's costs.
    """
    paid, feed = whop_payments.c, whop_financial_activity.c
    mine = feed.profile_id == profile_id
    known = select(feed.payment_id).where(mine, feed.line_type.in_(SALE_WORDS), feed.payment_id.is_not(None))
    of_known = and_(paid.profile_id == profile_id, paid.id.in_(known))
    told = connection.execute(select(paid.currency, func.sum(paid.fee_micros)).where(of_known).group_by(paid.currency))
    taken = connection.execute(
        select(feed.currency, func.sum(feed.amount_micros))
        .join(whop_payments, and_(paid.profile_id == feed.profile_id, paid.id == feed.payment_id))
        .where(mine, of_known, feed.line_type.in_(words), feed.amount_micros < 0)
        .group_by(feed.currency)
    )
    here = {currency: -int(micros) for currency, micros in taken}
    said = {currency: int(micros or 0) for currency, micros in told}
    return {currency: (said.get(currency, 0), here.get(currency, 0)) for currency in sorted(said.keys() | here.keys())}
