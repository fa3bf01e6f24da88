"""Equations about the lines of payouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson
from sqlalchemy import Connection, and_, case, func, select

from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.books import Identity
from creator_pipeline.platforms.gumroad import payout_catalog
from creator_pipeline.platforms.gumroad.ledger_store import LIVE, PLATFORM, about_sales
from creator_pipeline.platforms.gumroad.payouts import PAID_ELSEWHERE, lines_without_sale
from creator_pipeline.store.tables import gumroad_sales, payout_lines, payouts, sales_events

_LINES, _SALES = payout_lines.c, gumroad_sales.c


def of_lines(connection: Connection, profile_id: str, live: Sequence[PayoutRow]) -> Iterator[Identity]:
    """What the lines of the payouts that count must be.

    Args:
        connection: to read with.
        profile_id: whose payouts.
        live: those that count and whose lines are read, oldest first.
    """
    yield from _adjustments(connection, profile_id, live)
    yield from _processor_groups(connection, profile_id, live)
    yield from _sale_lines(connection, profile_id)
    yield from _refunds(connection, profile_id)
    yield from _shares(connection, profile_id)


def mine_of(profile_id: str):
    """Lines of a profile."""
    return and_(_LINES.provider == PLATFORM, _LINES.profile_id == profile_id)


def of_live(profile_id: str):
    """Lines joined with their payouts, and the condition that finds a profile's that count."""
    head = payouts.c
    same = and_(
        head.provider == _LINES.provider, head.profile_id == _LINES.profile_id, head.payout_id == _LINES.payout_id
    )
    return payout_lines.join(payouts, same), and_(mine_of(profile_id), head.state.in_(LIVE))


def _adjustments(connection: Connection, profile_id: str, live: Sequence[PayoutRow]) -> Iterator[Identity]:
    explained = dict(
        connection.execute(
            select(_LINES.payout_id, func.sum(_LINES.net_micros))
            .where(mine_of(profile_id), _LINES.type == payout_catalog.TECHNICAL_ADJUSTMENT, _LINES.reason.is_not(None))
            .group_by(_LINES.payout_id)
        ).all()
    )
    for row in live:
        lines = lines_without_sale(orjson.loads(row.raw))
        told = sum(line.net_micros for line in lines if line.type == payout_catalog.TECHNICAL_ADJUSTMENT)
        reason = "a Technical Adjustment whose parts aren't known"
        found = int(explained.get(row.payout_id, 0))
        yield Identity("adjustments_explained", "payout", row.payout_id, "USD", told, found, reason=reason)


def _processor_groups(connection: Connection, profile_id: str, live: Sequence[PayoutRow]) -> Iterator[Identity]:
    own = {*payout_catalog.CONNECT_GROUPS, *payout_catalog.CONNECT_SHARES, *payout_catalog.CONNECT_REFUNDS}
    for row in live:
        kept = orjson.loads(row.raw)
        lines = lines_without_sale(kept)
        taken_out = -sum(line.net_micros for line in lines if line.type in payout_catalog.CONNECT_GROUPS)
        elsewhere = set(kept.get(PAID_ELSEWHERE, ()))
        told = connection.execute(
            select(_LINES.sale_id, _LINES.type, _LINES.net_micros, _SALES.processor)
            .select_from(
                payout_lines.outerjoin(
                    gumroad_sales, and_(_SALES.profile_id == profile_id, _SALES.id == _LINES.sale_id)
                )
            )
            .where(mine_of(profile_id), _LINES.payout_id == row.payout_id, about_sales())
        )
        # A credit of such a sale is Gumroad's own money, and in the balance.
        net = sum(
            micros
            for sale_id, type_, micros, processor in told
            if type_ in own or (type_ != payout_catalog.CREDIT and (processor is not None or sale_id in elsewhere))
        )
        net += sum(line.net_micros for line in lines if line.type in payout_catalog.CONNECT_SHARES)
        if taken_out or net:
            reason = "what a processor paid by itself isn't what the payout takes out"
            yield Identity(
                "processor_groups_are_nothing", "payout", row.payout_id, "USD", taken_out, int(net), reason=reason
            )


def _sale_lines(connection: Connection, profile_id: str) -> Iterator[Identity]:
    joined, mine = of_live(profile_id)
    joined = joined.join(gumroad_sales, and_(_SALES.profile_id == profile_id, _SALES.id == _LINES.sale_id))
    off = func.abs(_LINES.gross_micros - _SALES.price_micros) + func.abs(_LINES.fee_micros - _SALES.fee_micros)
    rows = connection.execute(
        select(_LINES.payout_id, func.sum(_LINES.net_micros), func.coalesce(func.sum(off), 0))
        .select_from(joined)
        .where(mine, _LINES.type == payout_catalog.SALE, about_sales())
        .group_by(_LINES.payout_id)
    )
    for payout_id, net, differing in rows:
        reason = "sales are listed with another price or fee than they have"
        yield Identity(
            "sale_lines_equal_sales", "payout", payout_id, "USD", int(net), int(net) - int(differing), reason=reason
        )


def _refunds(connection: Connection, profile_id: str) -> Iterator[Identity]:
    """By sale over the ledger: also what is estimated beside the lines mustn't come to more than the price."""
    events = sales_events.c
    gross = func.sum(case((events.event_type == "refund", -events.gross_micros), else_=0))
    price = func.sum(case((events.event_type == "sale", events.gross_micros), else_=0))
    failed = func.sum(case((events.event_type == "adjustment", -events.gross_micros), else_=0))
    by_sale = (
        select(events.external_id, gross.label("back"), price.label("price"), failed.label("failed"))
        .where(
            events.platform == PLATFORM,
            events.profile_id == profile_id,
            events.event_type.in_(("sale", "refund", "adjustment")),
        )
        .group_by(events.external_id)
        .having(gross > 0)
        .subquery()
    ).c
    excess = by_sale.back + case((by_sale.failed < 0, by_sale.failed), else_=0) - by_sale.price
    # A sale from before the first reading has lines of refunds and no price here.
    row = connection.execute(
        select(
            func.coalesce(func.sum(by_sale.back), 0),
            func.coalesce(func.sum(case((excess > 0, excess), else_=0)), 0),
            func.min(case((excess > 0, by_sale.external_id))),
        ).where(by_sale.price > 0)
    ).one()
    reason = f"more was given back than was sold, of {row[2]} among others" if row[2] else ""
    yield Identity(
        "refunds_within_price", "balance", "refunds", "USD", int(row[0]), int(row[0]) - int(row[1]), reason=reason
    )


def _shares(connection: Connection, profile_id: str) -> Iterator[Identity]:
    joined, mine = of_live(profile_id)
    joined = joined.join(gumroad_sales, and_(_SALES.profile_id == profile_id, _SALES.id == _LINES.sale_id))
    gone = (
        select(_LINES.payout_id, _LINES.sale_id)
        .where(mine_of(profile_id), about_sales(), _LINES.type != payout_catalog.SALE)
        .distinct()
        .subquery()
    ).c
    # A share that comes back on the day it is owed leaves no line.
    back = and_(gone.payout_id == _LINES.payout_id, gone.sale_id == _LINES.sale_id)
    held = _held_shares(connection, profile_id)
    rows = connection.execute(
        select(_LINES.payout_id, _LINES.sale_id, _SALES.affiliate_micros, gone.sale_id)
        .select_from(joined.outerjoin(gone.sale_id.table, back))
        .where(mine, _LINES.type == payout_catalog.SALE, about_sales(), _SALES.affiliate_micros > 0)
    )
    sums: dict[str, list[int]] = {}
    for payout_id, sale_id, share, came_back in rows:
        figures = sums.setdefault(payout_id, [0, 0])
        figures[0] -= share
        if came_back or (payout_id, sale_id) in held:
            figures[1] -= share
    for payout_id, (owed, found) in sorted(sums.items()):
        reason = "shares of affiliates that no line of the payout holds"
        yield Identity("shares_are_paid", "payout", payout_id, "USD", owed, found, reason=reason)


def _held_shares(connection: Connection, profile_id: str) -> set[tuple[str, str]]:
    types = [payout_catalog.AFFILIATE_CREDIT, *payout_catalog.CONNECT_SHARES]
    rows = connection.execute(
        select(_LINES.payout_id, _LINES.sale_id).where(
            mine_of(profile_id), _LINES.type.in_(types), _LINES.ledger_id.like("%:affiliate_share")
        )
    )
    return {(payout_id, sale_id) for payout_id, sale_id in rows if sale_id}
