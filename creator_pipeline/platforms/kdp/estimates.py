"""What pages that have no money yet may be worth, at a rate of one's choice. Nothing of it is stored or added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import NamedTuple

from sqlalchemy import Connection, select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.money import MICROS
from creator_pipeline.platforms.kdp.columns import MARKETPLACE_CURRENCY, normal
from creator_pipeline.platforms.kdp.views import KENP_ESTIMATES

EVERY = "*"
"""Marketplace of an own rate for all that have none."""


class PageEstimate(NamedTuple):
    """Pages of a month at a marketplace.

    Attributes:
        rate: of a page, in units of the currency; None where none is known.
        rate_source: the month that the rate is of, ``own``, or why there is none.
        micros: pages by rate; None without a rate.
        finality: ``estimate``, always.
    """

    profile_id: str
    month: date
    marketplace: str
    pages: int
    rate: Decimal | None
    rate_source: str
    micros: int | None
    currency: str | None
    finality: str = "estimate"


def own_rates(words: Sequence[str]) -> dict[str, Decimal]:
    """Rates as people give them: ``Amazon.com=0.0045``, or ``0.0045`` for every marketplace, by marketplace.

    Args:
        words: one for each marketplace.

    Raises:
        ConfigError: one can't be read, or is no rate.
    """
    found = dict[str, Decimal]()
    for word in words:
        shop, _, text = word.rpartition("=")
        try:
            rate = Decimal(text)
        except ArithmeticError:
            rate = Decimal("NaN")
        if not rate.is_finite() or not 0 < rate < 100:
            raise ConfigError(f"{word} is no rate of a page.", hint="Write --rate Amazon.com=0.0045, or --rate 0.0045.")
        found[normal(shop) if shop else EVERY] = rate
    return found


def estimates(
    connection: Connection,
    profile_ids: Sequence[str],
    own: Mapping[str, Decimal] | None = None,
    drop: Decimal = Decimal(0),
) -> list[PageEstimate]:
    """Pages without money of profiles, by month and marketplace.

    Args:
        connection: reads the warehouse.
        profile_ids: whose.
        own: rates in place of last month's, of :func:`own_rates`.
        drop: share that last month's rates are lowered by: 0.05 for five in a hundred. Own rates stay.
    """
    table, rates = KENP_ESTIMATES.table.c, own or {}
    asked = select(KENP_ESTIMATES.table).where(table.profile_id.in_(profile_ids))
    rows = connection.execute(asked.order_by(table.profile_id, table.month, table.marketplace)).all()
    found = list[PageEstimate]()
    for row in rows:
        shop = normal(row.marketplace)
        head = (row.profile_id, row.month, row.marketplace, row.pages)
        rate = rates.get(shop, rates.get(EVERY))
        if rate is not None:
            currency = row.currency or MARKETPLACE_CURRENCY.get(shop)
            found.append(PageEstimate(*head, rate, "own", _micros(row.pages * rate * MICROS), currency))
        elif row.rate is None:
            found.append(PageEstimate(*head, None, "no final rate of three months", None, None))
        else:
            micros = row.estimated_micros if not drop else _micros(row.estimated_micros * (1 - drop))
            source = f"{row.rate_month:%Y-%m}" + (f" less {drop:%}" if drop else "")
            found.append(PageEstimate(*head, row.rate * (1 - drop), source, micros, row.currency))
    return found


def _micros(amount: Decimal) -> int:
    with localcontext() as context:
        context.prec = 40
        return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
