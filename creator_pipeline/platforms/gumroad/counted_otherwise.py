"""Sales that Gumroad's totals of a day count otherwise than its list of sales does.

The totals leave out what completes a commission, and count a pre-order on the day on which it was authorized and not on
that on which it was charged. A sale doesn't say that it completes a commission; it is then the second payment of one
buyer for one product. So a sale is taken for left out only where the figures of its day come out to the cent with that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from creator_pipeline.core.money import MICROS_PER_CENT
from creator_pipeline.platforms.gumroad.models import SaleRow
from creator_pipeline.store.tables import gumroad_sales

_MOST_SUMS = 20_000
"""Sums that are tried for one day: a day with more repeated payments than that isn't explained."""
_AT_ONCE = 500
_ONE_DAY = timedelta(days=1)


class Sold(NamedTuple):
    """A sale of the list, in US cents; ``refunded`` is None where it isn't known."""

    sale_id: str
    cents: int
    refunded: int | None


class Evidence(NamedTuple):
    """What stored sales say of how the totals count them.

    Attributes:
        completions: ids of sales whose buyer had paid for the product before.
        preorders: ids of charges of pre-orders.
        authorized: pre-orders by the day, in UTC, on which they were authorized.
    """

    completions: frozenset[str]
    preorders: frozenset[str]
    authorized: Mapping[date, Sequence[Sold]]

    def authorized_on(self, day: date, own: Iterable[str]) -> list[Sold]:
        """Those that may have been authorized on a day of the seller, and are charged on another (not in ``own``)."""
        skipped = set(own)
        near = (self.authorized.get(day + _ONE_DAY * step, ()) for step in (-1, 0, 1))
        return [sold for found in near for sold in found if sold.sale_id not in skipped]


class Explanation(NamedTuple):
    """Sales of the day that the totals leave out, and sales of other days that they count on this one."""

    left_out: tuple[Sold, ...] = ()
    brought: tuple[Sold, ...] = ()

    def describe(self) -> str:
        """For people."""
        parts: list[str] = []
        if self.left_out:
            total = sum(sold.cents for sold in self.left_out) / 100
            parts.append(f"{total:.2f} of {_named(self.left_out)} are not in Gumroad's totals of the day")
        if self.brought:
            total = sum(sold.cents for sold in self.brought) / 100
            parts.append(f"{total:.2f} of {_named(self.brought)} are charged on another day")
        return " and ".join(parts)


def _named(sales: Sequence[Sold]) -> str:
    shown = ", ".join(sold.sale_id for sold in sales[:3])
    return f"sale {shown}" if len(sales) == 1 else f"{len(sales)} sales ({shown}{', …' if len(sales) > 3 else ''})"


def sold(row: SaleRow) -> Sold:
    """A row as the totals see it."""
    refunded = None if row.refunded_micros is None else row.refunded_micros // MICROS_PER_CENT
    return Sold(row.id, row.price_micros // MICROS_PER_CENT, refunded)


def explain(
    sales: Sequence[Sold], authorized: Sequence[Sold], evidence: Evidence, gross: int, refunded: int | None
) -> Explanation | None:
    """How the totals of a day come from its sales; None where they don't.

    Args:
        sales: of the day, as the list has them.
        authorized: pre-orders that were authorized on the day and charged on another.
        evidence: what the sales say.
        gross: of the totals, in US cents.
        refunded: of the totals, in US cents; None where the refunds of the sales aren't all known.
    """
    preorders = [one for one in sales if one.sale_id in evidence.preorders]
    completions = [one for one in sales if one.sale_id in evidence.completions and one not in preorders]
    more = sum(one.cents for one in sales) - gross
    more_refunded = None if refunded is None else sum(one.refunded or 0 for one in sales) - refunded
    # How pre-orders are counted was read, not seen: moved to the other day, left out, or as they are.
    for left_out, brought in ((preorders, authorized), (preorders, ()), ((), authorized), ((), ())):
        rest = more - sum(one.cents for one in left_out) + sum(one.cents for one in brought)
        rest_refunded = None
        if more_refunded is not None:
            rest_refunded = more_refunded - sum(one.refunded or 0 for one in left_out)
        found = _adding_up(completions, rest, rest_refunded)
        if found is not None:
            return Explanation((*left_out, *found), tuple(brought))
    return None


def _adding_up(sales: Sequence[Sold], cents: int, refunded: int | None) -> tuple[Sold, ...] | None:
    """The fewest of the sales that come to these amounts; None where none do."""
    sums: dict[tuple[int, int], tuple[Sold, ...]] = {(0, 0): ()}
    # Those of which nothing went back come first: they leave the refunds of the others alone.
    for one in sorted(sales, key=lambda one: (one.refunded != 0, one.cents, one.sale_id)):
        for (total, back), chosen in list(sums.items()):
            key = total + one.cents, 0 if refunded is None else back + (one.refunded or 0)
            if key[0] <= cents and (key not in sums or len(sums[key]) > len(chosen) + 1):
                sums[key] = (*chosen, one)
        if len(sums) > _MOST_SUMS:
            return None
    return sums.get((cents, refunded or 0))


def evidence_of(connection: Connection, profile_id: str, rows: Sequence[SaleRow]) -> Evidence:
    """What is stored, and what is about to be (these rows), says of how the totals count the rows.

    Args:
        connection: to read with.
        profile_id: whose sales.
        rows: of the days in question.
    """
    first = _first_payments(connection, profile_id, rows)
    completions = frozenset(
        row.id
        for row in rows
        if row.buyer_hash and not row.subscription_id and first[row.buyer_hash, row.product_id] < row.created_at
    )
    authorized: dict[date, dict[str, Sold]] = defaultdict(dict)
    columns = gumroad_sales.c
    stored = connection.execute(
        select(gumroad_sales).where(
            columns.profile_id == profile_id, columns.raw.like('%"preorder_authorization_time"%')
        )
    )
    for row in (*(SaleRow(*found) for found in stored), *rows):
        day = _authorized_on(row)
        if day is not None:
            authorized[day][row.id] = sold(row)
    return Evidence(
        completions,
        frozenset(row.id for row in rows if _is_preorder(row)),
        {day: list(found.values()) for day, found in authorized.items()},
    )


def _first_payments(
    connection: Connection, profile_id: str, rows: Sequence[SaleRow]
) -> dict[tuple[str, str | None], datetime]:
    columns, found = gumroad_sales.c, dict[tuple[str, str | None], datetime]()
    buyers = sorted({row.buyer_hash for row in rows if row.buyer_hash})
    stored: list[Any] = [
        (row.buyer_hash, row.product_id, row.created_at) for row in rows if row.buyer_hash and row.price_micros
    ]
    for start in range(0, len(buyers), _AT_ONCE):
        stored += connection.execute(
            select(columns.buyer_hash, columns.product_id, func.min(columns.created_at))
            .where(
                columns.profile_id == profile_id,
                columns.buyer_hash.in_(buyers[start : start + _AT_ONCE]),
                columns.price_micros > 0,
                columns.kind == "sale",
            )
            .group_by(columns.buyer_hash, columns.product_id)
        ).all()
    for buyer, product_id, created_at in stored:
        known = found.get((buyer, product_id))
        found[buyer, product_id] = created_at if known is None else min(known, created_at)
    return defaultdict(lambda: datetime.max.replace(tzinfo=UTC), found)


def _is_preorder(row: SaleRow) -> bool:
    return "is_preorder_authorization" in row.raw or "preorder_authorization_time" in row.raw


def _authorized_on(row: SaleRow) -> date | None:
    if "preorder_authorization_time" not in row.raw:
        return None
    try:
        return datetime.fromisoformat(str(orjson.loads(row.raw).get("preorder_authorization_time"))).date()
    except ValueError:
        return None
