"""The figures as pandas frames: ``from creator_pipeline import frames``; see docs/frames.md.

Money is ``decimal128``, never a float; times are aware UTC; days are dates. Nothing here says anything about a buyer.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.datasets import arrow, declared
from creator_pipeline.fx import revenue
from creator_pipeline.fx.rates import rounded
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import sales_events

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["daily_revenue", "ledger", "payouts", "products", "revenue_in", "rounded", "subscriptions"]

Day = date | str
"""A date, or ``YYYY-MM-DD``."""


def ledger(
    *,
    profile: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    platform: str | None = None,
    warehouse: Warehouse | None = None,
) -> pd.DataFrame:
    """Rows of the ledger, by ``occurred_on``.

    Args:
        profile: only this profile's.
        since: first UTC day.
        until: the UTC day after the last one.
        platform: only this platform's, as the ledger calls it.
        warehouse: that of ``DATABASE_URL`` where none is given.

    Raises:
        ConfigError: a day can't be read.
    """
    return _frame(declared.LEDGER, profile, platform, warehouse, since, until)


def daily_revenue(
    *,
    profile: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    platform: str | None = None,
    warehouse: Warehouse | None = None,
) -> pd.DataFrame:
    """The roll-up per day, profile, platform and currency, as of the last run of ``daily_revenue``.

    Args:
        profile: only this profile's.
        since: first UTC day.
        until: the UTC day after the last one.
        platform: only this platform's, as the ledger calls it.
        warehouse: that of ``DATABASE_URL`` where none is given.

    Raises:
        ConfigError: a day can't be read.
    """
    return _frame(declared.DAILY_REVENUE, profile, platform, warehouse, since, until)


def payouts(
    *,
    profile: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    platform: str | None = None,
    warehouse: Warehouse | None = None,
) -> pd.DataFrame:
    """Payments to the bank, by the UTC day of ``created_at``. Those that count have the ``state`` ``paid``.

    Args:
        profile: only this profile's.
        since: first UTC day.
        until: the UTC day after the last one.
        platform: only this platform's, as the ledger calls it.
        warehouse: that of ``DATABASE_URL`` where none is given.

    Raises:
        ConfigError: a day can't be read.
    """
    return _frame(declared.PAYOUTS, profile, platform, warehouse, since, until)


def products(
    *, profile: str | None = None, platform: str | None = None, warehouse: Warehouse | None = None
) -> pd.DataFrame:
    """Products of the platforms that list them, those that are gone too (``removed_at``)."""
    return _frame(declared.PRODUCTS, profile, platform, warehouse)


def subscriptions(
    *, profile: str | None = None, platform: str | None = None, warehouse: Warehouse | None = None
) -> pd.DataFrame:
    """Memberships that a profile sells, as they were last read; nothing tells who holds them."""
    return _frame(declared.SUBSCRIPTIONS, profile, platform, warehouse)


def revenue_in(
    base: str | None = None,
    *,
    profile: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    platform: str | None = None,
    warehouse: Warehouse | None = None,
) -> pd.DataFrame:
    """Net amounts of the ledger in one currency: ``net_in_base`` to six decimals, and whose rate of which day it is.

    A row without a rate has no amount, and ``missing`` says why. Round a total, not its rows: :func:`rounded`.

    Args:
        base: the currency; ``BASE_CURRENCY`` where it is left out.
        profile: only this profile's.
        since: first UTC day.
        until: the UTC day after the last one.
        platform: only this platform's, as the ledger calls it.
        warehouse: that of ``DATABASE_URL`` where none is given.

    Raises:
        ConfigError: a day or the currency can't be read.
    """
    import pandas as pd

    config, columns = settings.load(), sales_events.c
    first, end = _day("since", since), _day("until", until)
    asked = [(columns.profile_id, profile), (columns.platform, platform)]
    conditions = [column == value for column, value in asked if value is not None]
    conditions += [columns.occurred_on >= first] if first else []
    conditions += [columns.occurred_on < end] if end else []
    with (warehouse or open_warehouse(config.warehouse_url)).read() as connection:
        lines = revenue.revenue_in(connection, base or config.require("BASE_CURRENCY"), conditions)
    return revenue.as_table(lines).to_pandas(types_mapper=pd.ArrowDtype)


def _frame(
    dataset: declared.Dataset,
    profile: str | None,
    platform: str | None,
    warehouse: Warehouse | None,
    since: Day | None = None,
    until: Day | None = None,
) -> pd.DataFrame:
    import pandas as pd

    first, end = _day("since", since), _day("until", until)
    only = [(name, value) for name, value in (("profile_id", profile), ("platform", platform)) if value is not None]
    with (warehouse or open_warehouse(settings.load().warehouse_url)).read() as connection:
        found = arrow.rows(connection, dataset, since=first, until=end, only=only)
    return arrow.as_table(dataset, found).to_pandas(types_mapper=pd.ArrowDtype)


def _day(name: str, given: Day | None) -> date | None:
    """A day as a date.

    Raises:
        ConfigError: it is no date.
    """
    try:
        return date.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise ConfigError(f"{name}={given!r} is no day.", hint="Write it as 2026-11-22, or give a date.") from None
