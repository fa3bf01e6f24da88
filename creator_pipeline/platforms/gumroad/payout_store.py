"""The rows of payouts that belong to no sale, made from the tables; a payout's lines as they are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, not_, select

from creator_pipeline.ledger.replace import replace_events
from creator_pipeline.platforms.gumroad import payout_catalog
from creator_pipeline.platforms.gumroad.ledger_store import (
    PLATFORM,
    StoredPayout,
    about_sales,
    chunks,
    ledgers_of,
    stored_payouts,
)
from creator_pipeline.platforms.gumroad.models import SaleRow
from creator_pipeline.platforms.gumroad.payout_facts import Known, facts
from creator_pipeline.platforms.gumroad.payout_items import placed_parts
from creator_pipeline.platforms.gumroad.payout_rows import Payout, PayoutRows, rows_of, source_of
from creator_pipeline.platforms.gumroad.payouts import PAID_ELSEWHERE, Line, lines_without_sale
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.tables import gumroad_sales, payout_lines, sales_events

_LINES, _SALES = payout_lines.c, gumroad_sales.c


def line_row(profile_id: str, payout_id: str, number: int, line: Line) -> tuple[Any, ...]:
    """A row of ``payout_lines``, in the order of its columns, of a line that tells of a sale.

    Args:
        profile_id: whose payout.
        payout_id: of Gumroad.
        number: of the line, from 1.
        line: as it was read.
    """
    return _row(profile_id, payout_id, number, line, line.net_micros, line.sale_id, None, None)


def _row(
    profile_id: str,
    payout_id: str,
    number: int,
    line: Line,
    net: int,
    sale_id: str | None,
    ledger_id: str | None,
    reason: str | None,
) -> tuple[Any, ...]:
    whole = net == line.net_micros
    return (
        PLATFORM,
        profile_id,
        payout_id,
        number,
        line.type,
        sale_id,
        ledger_id,
        reason,
        line.gross_micros if whole else net,
        line.fee_micros if whole else None,
        net,
        "USD",
        line.occurred_on,
    )


def _mine(profile_id: str, payout_ids: Collection[str]):
    return and_(_LINES.provider == PLATFORM, _LINES.profile_id == profile_id, _LINES.payout_id.in_(sorted(payout_ids)))


def rewrite_payouts(
    connection: Connection,
    profile_id: str,
    moment: datetime,
    *,
    heads: Mapping[str, StoredPayout] | None = None,
) -> Change:
    """Make the rows of payouts that belong to no sale what everything that is stored says.

    Args:
        connection: of the transaction.
        profile_id: whose payouts.
        moment: when the rows are made.
        heads: of :func:`.ledger_store.stored_payouts`, where they are at hand.

    Returns:
        what became of the ledger.
    """
    paid = stored_payouts(connection, profile_id) if heads is None else heads
    ordered = sorted(paid.values(), key=lambda one: (one.created_at, one.payout_id))
    if not ordered:
        return Change()
    again = _paid_again(connection, profile_id, ordered)
    payouts = [
        Payout(
            one.payout_id,
            one.created_at,
            one.live,
            lines_without_sale(one.kept),
            again.get(one.payout_id),
            adjusted=one.read_at is not None and str(one.kept.get("currency")).lower() == "usd",
        )
        for one in ordered
    ]
    summing = [one for one in payouts if any(line.type in payout_catalog.PIECED_TYPES for line in one.lines)]
    sales: dict[str, Known] = {}
    if summing:
        ids = _sales_that_matter(connection, profile_id, paid.keys())
        if any(line.type == payout_catalog.TECHNICAL_ADJUSTMENT for one in summing for line in one.lines):
            ids |= _estimated(connection, profile_id)
        found = ledgers_of(connection, profile_id, ids, moment, heads=paid)
        sales = {sale_id: Known(*known) for sale_id, known in found.items()}
    told = facts(profile_id, payouts, sales)
    placed, names = placed_parts(profile_id, payouts, sales, told)
    rows, used = list[PayoutRows](), set(names)
    for one in payouts:
        shares, expected, possible = told[one.payout_id]
        possible = [part for part in possible if part.once not in used]
        rows.append(rows_of(profile_id, one, shares, expected, possible, moment, placed.get(one.payout_id)))
        used |= rows[-1].used
    _store_pieces(connection, profile_id, rows)
    return _store_events(connection, profile_id, paid.keys(), rows)


def _paid_again(connection: Connection, profile_id: str, ordered: Iterable[StoredPayout]) -> dict[str, str]:
    """Payouts that came back, each with the first later one that counts and lists the same sales."""
    every = list(ordered)
    found: dict[str, str] = {}
    lines = and_(
        _LINES.provider == PLATFORM, _LINES.profile_id == profile_id, _LINES.type == payout_catalog.SALE, about_sales()
    )
    for released in (one for one in every if not one.live):
        listed = select(_LINES.sale_id).where(lines, _LINES.payout_id == released.payout_id)
        # What a processor paid is listed by every payout whose days hold it.
        sold = set(connection.execute(listed).scalars()) - set(released.kept.get(PAID_ELSEWHERE, ()))
        others = set[str]()
        for some in chunks(sold - _past_balance(connection, profile_id, sold)):
            same = select(_LINES.payout_id).where(lines, _LINES.sale_id.in_(some)).distinct()
            others |= set(connection.execute(same).scalars())
        later = [one for one in every if one.live and one.created_at > released.created_at and one.payout_id in others]
        if later:
            found[released.payout_id] = later[0].payout_id
    return found


def _past_balance(connection: Connection, profile_id: str, sale_ids: Iterable[str]) -> set[str]:
    """Those of these sales whose money a processor moved by itself."""
    found = set[str]()
    for some in chunks(sale_ids):
        elsewhere = select(_SALES.id).where(
            _SALES.profile_id == profile_id, _SALES.id.in_(some), _SALES.processor.is_not(None)
        )
        found |= set(connection.execute(elsewhere).scalars())
    return found


def matters_to_payouts(sales: Iterable[SaleRow]) -> bool:
    """Whether any of these sales tells something of the lines of payouts that sum up several sales."""
    return any(
        sale.affiliate_micros or sale.refunded or sale.partially_refunded or sale.disputed or sale.chargedback
        for sale in sales
    )


def sales_of(connection: Connection, profile_id: str, payout_ids: Collection[str]) -> set[str]:
    """Every sale that the lines of these payouts tell of."""
    mine = and_(_mine(profile_id, payout_ids), about_sales())
    return set(connection.execute(select(_LINES.sale_id).where(mine).distinct()).scalars())


def _sales_that_matter(connection: Connection, profile_id: str, payout_ids: Collection[str]) -> set[str]:
    """Sales among the lines of these payouts that have a share, a refund, a dispute or a credit."""
    found: set[str] = set()
    shared = _SALES.affiliate_micros.is_not(None)
    for some in chunks(payout_ids):
        mine = and_(_mine(profile_id, some), about_sales())
        found |= set(
            connection.execute(
                select(_LINES.sale_id).where(mine, _LINES.type != payout_catalog.SALE).distinct()
            ).scalars()
        )
        joined = payout_lines.join(gumroad_sales, and_(_SALES.profile_id == profile_id, _SALES.id == _LINES.sale_id))
        found |= set(
            connection.execute(select(_LINES.sale_id).select_from(joined).where(mine, shared).distinct()).scalars()
        )
    return found


def _estimated(connection: Connection, profile_id: str) -> set[str]:
    events = sales_events.c
    rows = connection.execute(
        select(events.external_id).where(
            events.platform == PLATFORM,
            events.profile_id == profile_id,
            events.event_type == "refund",
            events.fee_exact.is_(False),
        )
    )
    return set(rows.scalars())


def _store_pieces(connection: Connection, profile_id: str, rows: Sequence[PayoutRows]) -> None:
    for made in rows:
        payout_id = made.payout.payout_id
        mine = and_(_mine(profile_id, [payout_id]), not_(about_sales()))
        first = len(
            connection.execute(select(_LINES.line).where(_mine(profile_id, [payout_id]), about_sales())).scalars().all()
        )
        pieces = [
            _row(
                profile_id,
                payout_id,
                first + number,
                piece.line,
                piece.net_micros,
                piece.sale_id,
                piece.ledger_id,
                piece.reason,
            )
            for number, piece in enumerate(made.pieces, 1)
        ]
        if pieces or made.payout.lines:
            replace(connection, payout_lines, pieces, mine, what=f"lines of payout {payout_id}", allow_shrink=True)


def _store_events(
    connection: Connection, profile_id: str, payout_ids: Collection[str], rows: Sequence[PayoutRows]
) -> Change:
    sources = sorted(source_of(payout_id) for payout_id in payout_ids)
    ids = sorted(payout_ids)

    def scope(columns: Any):
        return and_(columns.event_type != "sale", columns.source.in_(sources), columns.external_id.in_(ids))

    events = [event for made in rows for event in made.events]
    what = f"rows of payouts of {profile_id}"
    return replace_events(connection, PLATFORM, profile_id, scope, events, what=what, allow_shrink=True)
