"""A report that was read: typed rows, the slices they belong to, the totals the file states, and its problems."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from creator_pipeline.platforms.kdp.dates import Grain
from creator_pipeline.platforms.kdp.payment_models import Payment
from creator_pipeline.platforms.kdp.problems import Problem

Finality = Literal["final", "estimate"]
NOT_TAUGHT: Mapping[str, str] = {}
"""No header was taught."""
PAYMENTS = "payments"
"""Kind of a Payments report."""
WITHDRAWN = "withdrawn"
"""Status of an upload that a person took back, and state of its files: as if it had never come."""


class Measures(NamedTuple):
    """The numbers of a row.

    Attributes:
        units_sold, units_refunded: as the file says, free copies included. Net is sold minus refunded.
        free_units: those of ``units_sold`` that were given away.
        pages_read: KENP pages.
        royalty_micros: micros of the currency; 0 where the report has no money (estimated KENP: currency None).
    """

    units_sold: int
    units_refunded: int
    free_units: int
    pages_read: int
    royalty_micros: int


class Dimensions(NamedTuple):
    """What a row is about: book, shop, time and kind. Rows with equal dimensions share one object.

    Attributes:
        sheet: name of the tab, ``""`` for CSV.
        kind: ``sales``, ``kenp``, ``orders`` or ``payments``.
        slice: name of the unit that is replaced as a whole; see :func:`slice_name`.
        event_key: (month, format, product id, marketplace, royalty type, transaction, currency), without the account.
            Rows with the same slice and event key add up to one event. Titles, authors and prices are never part of it.
        day: the day, or the first of the month.
        month: ``2026-03``.
        format: ``ebook``, ``paperback``, ``hardcover``, ``audiobook``, ``kenp``; ``print`` where the tab can't tell
            paperback from hardcover.
        counted: whether it is revenue or pages; orders and payments never are.
    """

    sheet: str
    kind: str
    slice: str
    event_key: tuple[str, ...]
    day: date
    month: str
    asin: str | None
    isbn: str | None
    title: str | None
    author: str | None
    marketplace: str | None
    royalty_type: str | None
    transaction: str | None
    format: str | None
    currency: str | None
    counted: bool


class Row(NamedTuple):
    """One source row of a tab. Two rows that are equal are two sales, so both are here.

    Attributes:
        source_row: number of the row in the file, from 1.
    """

    source_row: int
    measures: Measures
    dimensions: Dimensions


@dataclass(slots=True)
class Totals:
    """Sums over rows. Money is in micros, by currency."""

    rows: int = 0
    units_sold: int = 0
    units_refunded: int = 0
    free_units: int = 0
    pages_read: int = 0
    royalty_micros: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def net_units(self) -> int:
        """Sold minus refunded, free copies included."""
        return self.units_sold - self.units_refunded

    def add(self, row: Row) -> None:
        """Add one row."""
        sold, refunded, free, pages, micros = row.measures
        self.rows += 1
        self.units_sold += sold
        self.units_refunded += refunded
        self.free_units += free
        self.pages_read += pages
        code = row.dimensions.currency
        if code is not None:
            self.royalty_micros[code] = self.royalty_micros.get(code, 0) + micros

    def as_dict(self) -> dict[str, object]:
        """The sums for JSON. Money stays in micros."""
        return {
            "rows": self.rows,
            "units_sold": self.units_sold,
            "units_refunded": self.units_refunded,
            "free_units": self.free_units,
            "pages_read": self.pages_read,
            "royalty_micros": dict(sorted(self.royalty_micros.items())),
        }


def total(rows: Iterable[Row]) -> Totals:
    """The sums over ``rows``."""
    sums = Totals()
    for row in rows:
        sums.add(row)
    return sums


@dataclass(frozen=True, slots=True)
class Report:
    """What was read from one file, which is accepted or quarantined.

    Attributes:
        file_name: as its owner gave it; not trusted.
        format: ``csv`` or ``xlsx``, recognized by the first bytes.
        kind: ``estimator_monthly``, ``estimator_daily``, ``prior_month_final``, ``payments``, or ``csv_…`` of one tab.
        finality: None where the file holds no royalties.
        grain: whether the dates are months or days. That of the sales if there are any; None without rows.
        period_start, period_end: first day, and the day after the last one; None without rows.
        snapshot_at: when KDP made the export, aware UTC; None where the file doesn't say.
        rows: rows of the tabs that count, in the order of the file.
        empty_slices: slices that the file covers and has no row of. They replace what was stored.
        stated: totals that the file itself states, by tab; those of the Summary by ``Summary 2026-03``.
        payments: of a Payments report, each with its breakdown.
    """

    file_name: str
    format: Literal["csv", "xlsx"]
    kind: str
    finality: Finality | None
    grain: Grain | None
    period_start: date | None
    period_end: date | None
    snapshot_at: datetime | None
    rows: list[Row]
    empty_slices: tuple[str, ...]
    stated: dict[str, Totals]
    problems: tuple[Problem, ...]
    payments: tuple[Payment, ...] = ()

    @property
    def verdict(self) -> Literal["accept", "quarantine"]:
        """``quarantine`` if one problem needs a person: nothing of such a file counts. Otherwise ``accept``."""
        return "quarantine" if any(problem.level == "quarantine" for problem in self.problems) else "accept"

    def slices(self) -> dict[str, Totals]:
        """The totals of every slice that the file covers, empty ones included."""
        sums: defaultdict[str, Totals] = defaultdict(Totals)
        for row in self.rows:
            sums[row.dimensions.slice].add(row)
        for name in self.empty_slices:
            sums[name] = Totals()
        return dict(sums)

    def of_kind(self, kind: str) -> Iterator[Row]:
        """The rows of one kind."""
        return (row for row in self.rows if row.dimensions.kind == kind)


def slice_name(series: str, day: date, grain: Grain) -> str:
    """The name of a slice: ``kenp:2026-03``, or ``kenp:2026-03-15`` in daily files.

    Sales have two series, ``sales/digital`` and ``sales/print``: a CSV of one tab covers only one of them, and must
    not replace the other's rows.

    Args:
        series: ``sales/digital``, ``sales/print``, ``kenp``, ``orders``, ``orders_placed`` or ``payments``.
        day: any day of the slice.
        grain: whether the slice is a month or a day.
    """
    return f"{series}:{day.isoformat()[: 7 if grain == 'month' else 10]}"


def slice_period(name: str) -> str:
    """The month or day of a slice, as ``2026-03`` or ``2026-03-15``."""
    return name.rpartition(":")[2]


def slice_month(name: str) -> date:
    """The first day of the month that a slice is in."""
    return date.fromisoformat(f"{slice_period(name)[:7]}-01")


def next_period(day: date, grain: Grain) -> date:
    """The day after ``day``, or the first day of the month after it."""
    return day + timedelta(days=1) if grain == "day" else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
