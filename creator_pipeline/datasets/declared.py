"""Which tables are handed out, and which of their columns. None of them holds anything about a buyer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, SelectBase, Table, select, union_all

from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.contract import Shared
from creator_pipeline.store.tables import (
    daily_revenue,
    payout_lines,
    payouts,
    products,
    sales_events,
    subscriptions_daily,
    unexplained,
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table that is handed out.

    Attributes:
        name: of the frame and of the exported table.
        about: what a row is, for people.
        statement: gives the rows; called when they are read.
        key: columns that name a row, which is also their order.
        day: column of the day or the moment that a row is of; empty where a row is of no time.
    """

    name: str
    about: str
    statement: Callable[[], SelectBase]
    key: tuple[str, ...]
    day: str = ""


def shared(name: str) -> list[Shared]:
    """What the platforms have of a table."""
    return [platform.shared[name].get() for platform in PLATFORMS if name in platform.shared]


def _all_of(table: Table, *, but: tuple[str, ...] = (), platform: str = "platform") -> SelectBase:
    """Columns of a table; the one that holds the platform is called so everywhere."""
    return select(*(_named(column, platform) for column in table.c if column.name not in but))


def _named(column: Column[Any], platform: str) -> ColumnElement[Any]:
    return column.label("platform") if column.name == platform and platform != "platform" else column


def _ledger() -> SelectBase:
    return _all_of(sales_events)


def _daily_revenue() -> SelectBase:
    return _all_of(daily_revenue)


def _payouts() -> SelectBase:
    return _all_of(payouts, but=("raw", "differs", "lines_read_at"), platform="provider")


def _payout_lines() -> SelectBase:
    return _all_of(payout_lines, but=("sale_id", "reason"), platform="provider")


def _products_sold() -> SelectBase:
    return _all_of(products)


def _subscriptions_daily() -> SelectBase:
    return _all_of(subscriptions_daily)


def _unexplained() -> SelectBase:
    return _all_of(unexplained, platform="provider")


def _of_platforms(name: str) -> SelectBase:
    statements = [each.statement for each in shared(name)]
    return union_all(*statements) if len(statements) > 1 else statements[0]


LEDGER = Dataset(
    "ledger",
    "A row of the ledger. Money that went back is its own negative row: a sum over any range is the truth.",
    _ledger,
    ("id",),
    "occurred_on",
)
DAILY_REVENUE = Dataset(
    "daily_revenue",
    "The ledger per day, profile, platform and currency.",
    _daily_revenue,
    ("occurred_on", "profile_id", "platform", "currency"),
    "occurred_on",
)
PAYOUTS = Dataset("payouts", "A payment to the bank.", _payouts, ("platform", "profile_id", "payout_id"), "created_at")
PRODUCTS = Dataset(
    "products",
    "A product of a platform that lists them, as it was last read.",
    lambda: _of_platforms("products"),
    ("platform", "profile_id", "product_id"),
)
SUBSCRIPTIONS = Dataset(
    "subscriptions",
    "A membership that a profile sells, as it was last read.",
    lambda: _of_platforms("subscriptions"),
    ("platform", "profile_id", "subscription_id"),
)
PRODUCTS_SOLD = Dataset(
    "products_sold",
    "Each thing that a profile sold on a platform, with the work that it is an edition of.",
    _products_sold,
    ("profile_id", "platform", "product_id"),
)
SUBSCRIPTIONS_DAILY = Dataset(
    "subscriptions_daily",
    "Subscriptions by day, and their monthly recurring revenue; the formula is in docs/subscriptions.md.",
    _subscriptions_daily,
    ("day", "profile_id", "platform", "currency"),
    "day",
)
PAYOUT_LINES = Dataset(
    "payout_lines",
    "What a payout is made of.",
    _payout_lines,
    ("platform", "profile_id", "payout_id", "line"),
    "occurred_on",
)
UNEXPLAINED = Dataset(
    "unexplained",
    "Money that the books don't explain.",
    _unexplained,
    ("platform", "profile_id", "scope", "key", "currency", "reason"),
)
DATASETS = (
    *(LEDGER, DAILY_REVENUE, PAYOUTS, PRODUCTS, SUBSCRIPTIONS),
    *(PRODUCTS_SOLD, SUBSCRIPTIONS_DAILY, PAYOUT_LINES, UNEXPLAINED),
)
