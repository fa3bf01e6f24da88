"""Equations about what is paid in all: sales, readings, rates, what is planned, and years."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from sqlalchemy import Connection, and_, case, func, select

from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.books import Identity
from creator_pipeline.platforms.gumroad import payout_catalog
from creator_pipeline.platforms.gumroad.book_lines import mine_of, of_live
from creator_pipeline.platforms.gumroad.ledger_store import LIVE, PLATFORM, about_sales
from creator_pipeline.platforms.gumroad.payout_rows import WHOLE_SHARE
from creator_pipeline.platforms.gumroad.payouts import is_inferred
from creator_pipeline.platforms.gumroad.sale_rows import WHOLE_PRICE
from creator_pipeline.store.tables import (
    gumroad_earnings,
    gumroad_sales,
    payout_lines,
    payouts,
    platform_balances,
    platform_connections,
    sales_events,
)

_RATE_SHARE = Decimal("0.25")
"""Part of a rate by which payouts of a few years differ."""
_USUAL_TIMES = 4
_SYNCED = timedelta(days=2)
"""Sales must have been read so shortly before the planned payouts were, at most."""
_LINES, _SALES = payout_lines.c, gumroad_sales.c
_PAYOUT_KEY = ("provider", "profile_id", "payout_id")


def of_totals(connection: Connection, profile_id: str, paid: Sequence[PayoutRow]) -> Iterator[Identity]:
    """What the payouts must come to.

    Args:
        connection: to read with.
        profile_id: whose payouts.
        paid: all of them, oldest first.
    """
    live = [row for row in paid if row.state in LIVE and row.lines_read_at is not None]
    yield from _paid_once(connection, profile_id, live)
    yield from _rates(connection, profile_id, live)
    yield from _planned(connection, profile_id, paid)
    yield from _years(connection, profile_id)


def _paid_once(connection: Connection, profile_id: str, live: Sequence[PayoutRow]) -> Iterator[Identity]:
    """Per month: ordinary sales that are old enough, and those of them that a payout lists."""
    until = _covered(connection, profile_id, live)
    if until is None:
        return
    joined, mine = of_live(profile_id)
    listed = (
        select(_LINES.sale_id, func.count().label("times"))
        .select_from(joined)
        .where(mine, _LINES.type == payout_catalog.SALE, about_sales())
        .group_by(_LINES.sale_id)
        .subquery()
    ).c
    first = connection.execute(select(func.min(_LINES.occurred_on)).where(mine_of(profile_id))).scalar()
    rows = connection.execute(
        select(_SALES.partition_day, _SALES.id, _SALES.price_micros - _SALES.fee_micros, listed.times)
        .select_from(gumroad_sales.outerjoin(listed.sale_id.table, listed.sale_id == _SALES.id))
        .where(
            _SALES.profile_id == profile_id,
            _SALES.kind == "sale",
            _SALES.price_micros > 0,
            _SALES.processor.is_(None),
            _SALES.partition_day < until,
            _SALES.partition_day >= (first or until),
        )
    )
    months: dict[str, list[int]] = {}
    missing: dict[str, str] = {}
    back = _waiting(connection, profile_id, live[-1].created_at.date())
    for day, sale_id, net, times in rows:
        # A sale joins the day on which its payment succeeded, which can lie past the midnight after it was made.
        if not times and (sale_id in back or day == until - timedelta(days=1)):
            continue
        month = f"{day:%Y-%m}"
        figures = months.setdefault(month, [0, 0])
        figures[0] += net
        figures[1] += net * (times or 0)
        if (times or 0) != 1:
            missing.setdefault(month, sale_id)
    for month, (sold, paid) in sorted(months.items()):
        reason = f"sales that are in no payout or in two, {missing[month]} among them" if month in missing else ""
        yield Identity("sales_are_paid_once", "month", month, "USD", sold, paid, reason=reason)


def _waiting(connection: Connection, profile_id: str, newest: date) -> frozenset[str]:
    """Sales whose payout came back after the newest one was made: they wait in the balance for the next."""
    rows = connection.execute(
        select(_LINES.sale_id)
        .select_from(payout_lines.join(payouts, and_(*(_LINES[name] == payouts.c[name] for name in _PAYOUT_KEY))))
        .where(
            mine_of(profile_id),
            payouts.c.state == "released",
            payouts.c.released_on >= newest,
            _LINES.type == payout_catalog.SALE,
        )
    )
    return frozenset(rows.scalars())


def _covered(connection: Connection, profile_id: str, live: Sequence[PayoutRow]) -> date | None:
    """The first day that the newest completed payout doesn't cover for sure."""
    completed = [row for row in live if row.state == "paid"]
    if not completed:
        return None
    newest = completed[-1]
    if newest.period_end is not None:
        return newest.period_end
    return connection.execute(
        select(func.max(_LINES.occurred_on)).where(
            mine_of(profile_id), _LINES.payout_id == newest.payout_id, _LINES.type == payout_catalog.SALE
        )
    ).scalar()


def _rates(connection: Connection, profile_id: str, live: Sequence[PayoutRow]) -> Iterator[Identity]:
    """Each payout in another currency beside the others in it: a rate is implied, none is printed."""
    dollars = _dollars(connection, profile_id)
    foreign = [row for row in live if row.currency != "USD" and dollars.get(row.payout_id, 0) > 0]
    rates: dict[str, list[Decimal]] = {}
    for row in foreign:
        rates.setdefault(row.currency, []).append(_rate(row, dollars))
    for row in foreign:
        usual = Decimal(payout_catalog.USUAL_RATES.get(row.currency, 0)) if is_inferred(row.currency) else Decimal(0)
        rate = usual or median(rates[row.currency])
        expected = int(rate * dollars[row.payout_id])
        tolerance = expected * (_USUAL_TIMES - 1) if usual else int(expected * _RATE_SHARE)
        if usual and row.amount_micros * _USUAL_TIMES < expected:
            tolerance = 0
        reason = (
            "the rate from dollars is far from that of other payouts: the amount reads otherwise than we think, "
            "or another payout took a fee that this one lists"
        )
        yield Identity(
            "rate_is_likely", "payout", row.payout_id, row.currency, row.amount_micros, expected, tolerance, reason
        )


def _rate(row: PayoutRow, dollars: Mapping[str, int]) -> Decimal:
    return Decimal(row.amount_micros) / Decimal(dollars[row.payout_id])


def _unsettled(row: PayoutRow, dollars: Mapping[str, int], live: Sequence[PayoutRow]) -> int:
    """By how many micros of a dollar a payout's lines differ from what it moved, as far as the other rates tell.

    A kept fee or a failed refund can be listed by one payout and taken by another; only a payout in dollars says so.
    """
    if row.currency == "USD" or dollars.get(row.payout_id, 0) <= 0:
        return 0
    same = [_rate(one, dollars) for one in live if one.currency == row.currency and dollars.get(one.payout_id, 0) > 0]
    return abs(int(row.amount_micros / median(same)) - dollars[row.payout_id])


def _dollars(connection: Connection, profile_id: str) -> dict[str, int]:
    """Micros of a US dollar that were in each payout, by id.

    All lines count: what a processor paid by itself is listed and taken out again. Lines that show more than moved
    count as what moved: only a payout in dollars has a Technical Adjustment for the difference.
    """
    events = sales_events.c
    moved = case(
        (_LINES.reason == WHOLE_SHARE, 0),
        (_LINES.reason == WHOLE_PRICE, func.coalesce(events.net_micros, _LINES.net_micros)),
        else_=_LINES.net_micros,
    )
    settled = and_(events.id == _LINES.ledger_id, events.profile_id == profile_id)
    rows = connection.execute(
        select(_LINES.payout_id, func.sum(moved))
        .select_from(payout_lines.outerjoin(sales_events, settled))
        .where(mine_of(profile_id))
        .group_by(_LINES.payout_id)
    )
    return {payout_id: int(net) for payout_id, net in rows}


def _planned(connection: Connection, profile_id: str, paid: Sequence[PayoutRow]) -> Iterator[Identity]:
    """A bound only: what is below the minimum, held or negative isn't planned, so the balance itself isn't told.

    Nothing is said while a payout's lines aren't known, or the sales behind it aren't loaded.
    """
    columns, events, account = platform_balances.c, sales_events.c, platform_connections.c
    told = {
        part: (micros, seen)
        for part, micros, seen in connection.execute(
            select(columns.part, columns.amount_micros, columns.seen_at).where(
                columns.provider == PLATFORM, columns.profile_id == profile_id, columns.currency == "USD"
            )
        )
    }
    synced = connection.execute(
        select(account.last_synced_at).where(account.provider == PLATFORM, account.profile_id == profile_id)
    ).scalar()
    if "upcoming" not in told or synced is None or told["upcoming"][1] - synced > _SYNCED:
        return
    planned = int(told["upcoming"][0])
    counted = [row for row in paid if row.state in LIVE]
    if not counted or any(row.lines_read_at is None for row in counted):
        return
    mine = and_(events.platform == PLATFORM, events.profile_id == profile_id, events.past_balance.is_(False))
    net = int(connection.execute(select(func.coalesce(func.sum(events.net_micros), 0)).where(mine)).scalar_one())
    # What was earned as an affiliate joins the ledger by a payout's line; until then only the plan lists it.
    unsold = int(told["upcoming_credits"][0]) if "upcoming_credits" in told else 0
    balance = net - sum(row.balance_micros or 0 for row in counted) + unsold
    # Days that are negative aren't planned, and take from the balance all the same; so does what is estimated.
    last = max((row.period_end for row in counted if row.period_end), default=counted[-1].created_at.date())
    days = connection.execute(
        select(func.sum(events.net_micros)).where(mine, events.occurred_on > last).group_by(events.occurred_on)
    ).scalars()
    slack = -sum(int(day) for day in days if day < 0)
    slack += int(
        connection.execute(
            select(func.coalesce(func.sum(func.abs(events.fee_micros)), 0)).where(mine, events.fee_exact.is_(False))
        ).scalar_one()
    )
    dollars = _dollars(connection, profile_id)
    slack += sum(_unsettled(row, dollars, counted) for row in counted)
    tolerance = slack if balance < planned else balance - planned
    reason = "more is planned to be paid than the ledger less the payouts"
    yield Identity("planned_within_balance", "balance", "upcoming", "USD", planned, balance, tolerance, reason)


def _years(connection: Connection, profile_id: str) -> Iterator[Identity]:
    table = gumroad_earnings.c
    first = connection.execute(select(func.min(_SALES.partition_day)).where(_SALES.profile_id == profile_id)).scalar()
    rows = connection.execute(
        select(table.year, table.currency, table.net_micros).where(table.profile_id == profile_id).order_by(table.year)
    )
    for year, currency, net in rows.all():
        if first is None or first > date(year, 1, 1):
            # The year was not loaded from its beginning, so nothing can be said of it.
            continue
        found = connection.execute(
            select(
                func.coalesce(
                    func.sum(_SALES.price_micros - _SALES.fee_micros - func.coalesce(_SALES.affiliate_micros, 0)), 0
                )
            ).where(
                _SALES.profile_id == profile_id,
                _SALES.kind == "sale",
                _SALES.refunded.is_(False),
                _SALES.chargedback.is_(False),
                # Gumroad compares times with dates: the last day of the year falls out.
                _SALES.partition_day >= date(year, 1, 1),
                _SALES.partition_day < date(year, 12, 31),
            )
        ).scalar_one()
        reason = "sales of the year aren't what Gumroad's earnings say"
        yield Identity("year_equals_earnings", "month", str(year), currency, net, int(found), reason=reason)
