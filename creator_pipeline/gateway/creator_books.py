"""The books of a profile as its page shows them: the running month and the one before, each figure with its rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection

from creator_pipeline.core.money import grouped, to_text
from creator_pipeline.core.windows import today
from creator_pipeline.ledger import by_payouts, statement
from creator_pipeline.ledger.closing import first_day, month_of
from creator_pipeline.ledger.movements import Entry, entries
from creator_pipeline.ledger.statement import LABELS, Account
from creator_pipeline.platforms import sources
from creator_pipeline.store.source import label_of

ROWS = 40
"""Rows that a figure opens into; the rest is counted."""
_ALWAYS = frozenset({"opening", "closing"})


class BookRow(NamedTuple):
    """A row behind a figure."""

    day: str
    text: str
    amount: str
    estimated: bool


class Figure(NamedTuple):
    """A line of a statement. ``more`` counts the rows that are left out."""

    label: str
    amount: str
    rows: list[BookRow]
    more: int


class AccountBooks(NamedTuple):
    """A platform and currency in a month.

    Attributes:
        by_payouts: days whose sales rest on payouts only.
    """

    name: str
    figures: list[Figure]
    unexplained: str
    estimated: str
    by_payouts: str


class MonthBooks(NamedTuple):
    """A month, named ``November 2026``."""

    name: str
    closed: bool
    accounts: list[AccountBooks]


def read_books(connection: Connection, profile_id: str) -> list[MonthBooks]:
    """The running month and the one before, without those in which nothing happened."""
    last = today()
    months = [month_of(last), month_of(last.replace(day=1) - timedelta(days=1))]
    found = [_month(connection, profile_id, month) for month in months]
    return [month for month in found if month.accounts]


def _month(connection: Connection, profile_id: str, month: str) -> MonthBooks:
    kept = statement.frozen(connection, profile_id, month)
    told = kept or statement.as_json(profile_id, month, statement.statements(connection, profile_id, month))
    rows: dict[tuple[Account, str], list[Entry]] = defaultdict(list)
    for entry in entries(connection, profile_id, month):
        rows[(entry.platform, entry.currency), entry.kind].append(entry)
    days = by_payouts.days_by_payouts(connection, profile_id, month)
    accounts = [
        _account((platform, currency), figures, rows, by_payouts.as_spans(days.get(platform, ())))
        for platform, currencies in told["platforms"].items()
        for currency, figures in currencies.items()
    ]
    return MonthBooks(f"{first_day(month):%B %Y}", kept is not None, accounts)


def _account(
    account: Account, figures: Mapping[str, Any], rows: Mapping[tuple[Account, str], Sequence[Entry]], days: str
) -> AccountBooks:
    """Of a month.

    Args:
        account: platform and currency.
        figures: as text.
        rows: behind the figures.
        days: that rest on payouts only.
    """
    platform, currency = account
    shown: list[Figure] = []
    for name, label in LABELS.items():
        amount = figures.get(name, "0.00")
        if name in {"unexplained", "estimated"} or (not amount.strip("-0.") and name not in _ALWAYS):
            continue
        behind = rows.get((account, name), ())
        shown.append(
            Figure(label, grouped(amount), [_row(entry) for entry in behind[:ROWS]], max(0, len(behind) - ROWS))
        )
    open_, guessed = (
        grouped(figures[name]) if figures[name].strip("0.") else "" for name in ("unexplained", "estimated")
    )
    return AccountBooks(f"{label_of(sources(), platform)} {currency}", shown, open_, guessed, days)


def _row(entry: Entry) -> BookRow:
    late = f" (of {entry.belongs_to})" if entry.belongs_to else ""
    amount = grouped(to_text(entry.amount_micros, entry.currency))
    return BookRow(entry.day.isoformat(), f"{entry.text}{late}", amount, bool(entry.estimated_micros))
