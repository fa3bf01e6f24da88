"""The ledger's rows of a Gumroad sale, out of everything that is known of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from creator_pipeline.core.windows import partition_key
from creator_pipeline.ledger.by_payouts import SOURCE
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.gumroad import payout_catalog
from creator_pipeline.platforms.gumroad.sale_history import NOTHING, History, row_id
from creator_pipeline.platforms.gumroad.sale_lines import Place, Row, SaleLine, distinct
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale, Refund, gone_back
from creator_pipeline.platforms.gumroad.sale_rows import RowsOfSale


class SaleLedger(NamedTuple):
    """The ledger's rows of one sale.

    Attributes:
        day: that its rows go by: of the sale, or of the payout's line where the sale isn't stored.
        events: the rows.
        settles: places of payouts' lines, to the row that each settles and why it is not the whole of it.
        rows: what the lines tell.
        refunds: each with what belongs to it.
    """

    day: date
    events: list[LedgerEvent]
    settles: dict[Place, tuple[str, str | None]]
    rows: Sequence[Row] = ()
    refunds: Sequence[Refund] = ()


def gumroad_events(
    sale: GumroadSale, moment: datetime, lines: Sequence[SaleLine] = (), history: History = NOTHING
) -> list[LedgerEvent]:
    """The rows of :func:`sale_ledger`, of a sale that is stored.

    Args:
        sale: as stored.
        moment: when the rows were made, and when what was never seen before was seen.
        lines: of payouts, about this sale.
        history: when what went back was first seen.
    """
    return sale_ledger(sale.profile_id, sale.id, sale, lines, history, moment).events


def sale_ledger(
    profile_id: str,
    sale_id: str,
    sale: GumroadSale | None,
    lines: Sequence[SaleLine],
    history: History,
    moment: datetime,
) -> SaleLedger:
    """Every row of one sale: the sale, its affiliate's share, and a row for each way its money went back.

    The lines of payouts give date, amount and fee of what went back. What the sale says beyond them is estimated,
    and dated with the moment when it was first seen. The same knowledge gives the same rows, in whatever order it
    came. Trials, parts of bundles and the recipient's side of a gift carry no money of their own and give no row.

    Args:
        profile_id: whose sale.
        sale_id: Gumroad's id.
        sale: as stored; None where only lines of payouts are known.
        lines: of payouts, about this sale.
        history: when what went back was first seen.
        moment: when the rows were made, and when what was never seen before was seen.
    """
    rows = distinct(lines) if lines else []
    if sale is not None and sale.kind != "sale":
        return SaleLedger(sale.created_at.date(), [], {}, rows)
    if sale is not None and not rows and not gone_back(sale) and not sale.affiliate_micros:
        return SaleLedger(sale.created_at.date(), [_plain_row(sale, moment)], {})
    sold = [row for row in rows if row.type == payout_catalog.SALE]
    basis = sale or _from_line(profile_id, sale_id, sold)
    day = basis.created_at.date() if basis else min(row.occurred_on for row in rows)
    by_processor = any(row.processor for row in rows) or bool(sale and sale.processor)
    made = RowsOfSale(profile_id, sale_id, basis, sale is not None, day, moment, by_processor)
    if basis:
        made.sale(sold)
    refunds = made.refunds([row for row in rows if row.type in payout_catalog.REFUNDS | payout_catalog.CONNECT_REFUNDS])
    failed = [row for row in rows if row.type in (payout_catalog.FAILED_REFUND, payout_catalog.FAILED_REFUND_REVERSAL)]
    if sale and sale.refunded_micros:
        still = _still_refunded(refunds, failed)
        refunds = _in_order(refunds, made.estimated(sale.refunded_micros, refunds, still, history))
    made.fees_of(refunds)
    made.disputes(rows, refunds, history)
    for row in rows:
        if row.kind == "adjustment":
            made.add("adjustment", f"adjustment:{row.name}", row.occurred_on, row.net_micros, 0, rows=[row])
    return SaleLedger(day, made.events, made.settles, rows, refunds)


def _plain_row(sale: GumroadSale, moment: datetime) -> LedgerEvent:
    """The one row of a stored sale of which nothing went back and no line tells, as :class:`RowsOfSale` makes it.

    Nearly every sale of a first load is such a one, and this takes a third of the time.

    Args:
        sale: as stored.
        moment: when the row is made.
    """
    day = sale.created_at.date()
    return LedgerEvent(
        id=row_id(sale.profile_id, sale.id, "sale"),
        profile_id=sale.profile_id,
        platform="gumroad",
        event_type="sale",
        external_id=sale.id,
        product_id=sale.product_id,
        product_name=sale.product_name,
        occurred_at=sale.created_at,
        occurred_on=day,
        quantity=sale.quantity,
        gross_micros=sale.price_micros,
        fee_micros=sale.fee_micros,
        net_micros=sale.price_micros - sale.fee_micros,
        currency="USD",
        source=partition_key(day, sale.profile_id),
        first_seen_at=moment,
        ingested_at=moment,
        fee_exact=sale.fee_told,
        past_balance=bool(sale.processor),
    )


def _from_line(profile_id: str, sale_id: str, sold: Sequence[Row]) -> GumroadSale | None:
    if not sold:
        return None
    line = sold[0]
    gross = line.net_micros if line.gross_micros is None else line.gross_micros
    created = datetime.combine(line.occurred_on, time.min, UTC)
    return GumroadSale(
        profile_id=profile_id,
        id=sale_id,
        created_at=created,
        product_id=None,
        product_name=None,
        quantity=1,
        price_micros=gross,
        fee_micros=gross - line.net_micros,
        refunded_micros=0,
        chargedback=False,
        disputed=False,
        dispute_won=False,
        kind="sale",
        processor=line.processor,
    )


def _in_order(told: Sequence[Refund], estimated: Sequence[Refund]) -> list[Refund]:
    """Refunds in the order in which they were made, as far as it is known."""
    found = list(told)
    for refund in estimated:
        for one in told:
            if _may_be_either(refund, one):
                refund.order_open = one.order_open = True
        later = (place for place, one in enumerate(found) if _was_before(refund, one))
        found.insert(next(later, len(found)), refund)
    return found


def _was_before(refund: Refund, listed: Refund) -> bool:
    """Whether a refund that only the sale tells was made before one that a line tells.

    A payout shows the last refund of a sale only. What was known when it was read, and it doesn't list, came before.
    What the sale told later than the listed one came after. Where the sale told both at once, a sale that was read on
    the day of the payout tells what the payout knew.
    """
    if listed.row is None or refund.at is None:
        return False
    read_at, number = listed.row.read_at, listed.seen_as
    if read_at and refund.at <= read_at:
        return True
    if number is not None and refund.seen_as is not None and refund.seen_as != number:
        return refund.seen_as < number
    return read_at is not None and refund.at.date() <= read_at.date()


def _may_be_either(refund: Refund, listed: Refund) -> bool:
    """Whether a refund that only the sale tells may be older or younger than one that a line tells."""
    read_at = listed.row and listed.row.read_at
    if refund.at is None or (read_at and refund.at <= read_at):
        return False
    return refund.seen_as is None or listed.seen_as is None or refund.seen_as == listed.seen_as


def _still_refunded(refunds: Sequence[Refund], failed: Sequence[Row]) -> list[tuple[datetime, int]]:
    """What lines say of the sale's refunds by now: those that failed in the end are taken away, oldest first."""
    undone = max(0, sum(row.gross_micros or 0 for row in failed))
    left: list[tuple[datetime, int]] = []
    for refund in refunds:
        part = min(undone, refund.micros)
        undone -= part
        left.append((datetime.combine(refund.day, time.min, UTC), refund.micros - part))
    return left


def partition_day(event: LedgerEvent) -> date:
    """The day of the partition that a row about a sale belongs to: its sale's, whatever day it is booked on."""
    return event.own_day if event.event_type == "sale" else date.fromisoformat(event.source[:10])


def is_from_payout(event: LedgerEvent) -> bool:
    """Whether the row is a sale that only a payout tells of as yet."""
    return event.source.startswith(SOURCE)
