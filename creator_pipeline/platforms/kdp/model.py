"""What a read report is: typed rows, its slices, its own totals, and what was found wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from creator_pipeline.platforms.kdp.cells import Grain
from creator_pipeline.platforms.kdp.refusals import Problem

Finality = Literal["final", "estimate"]


class Figures(NamedTuple):
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


class Facts(NamedTuple):
    """Everything else, one object for all rows alike.

    Attributes:
        sheet: name of the tab, ``""`` for CSV.
        kind: ``sales``, ``kenp``, ``orders`` or ``payments``.
        slice: the unit that is replaced (:func:`slice_name`).
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
    """One source row of a tab that counts; exact copies are real sales and are all here.

    Attributes:
        source_row: as a spreadsheet counts, from 1.
    """

    source_row: int
    figures: Figures
    facts: Facts

    def as_dict(self) -> dict[str, object]:
        """Flat: ``source_row`` and all figures and facts by their names."""
        return {"source_row": self.source_row, **self.figures._asdict(), **self.facts._asdict()}


@dataclass(slots=True)
class Totals:
    """Sums over rows; money in micros per currency."""

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
        """One row more."""
        sold, refunded, free, pages, micros = row.figures
        self.rows += 1
        self.units_sold += sold
        self.units_refunded += refunded
        self.free_units += free
        self.pages_read += pages
        code = row.facts.currency
        if code is not None:
            self.royalty_micros[code] = self.royalty_micros.get(code, 0) + micros

    def as_dict(self) -> dict[str, object]:
        """For JSON; money stays in micros."""
        return {
            "rows": self.rows,
            "units_sold": self.units_sold,
            "units_refunded": self.units_refunded,
            "free_units": self.free_units,
            "pages_read": self.pages_read,
            "royalty_micros": dict(sorted(self.royalty_micros.items())),
        }


def total(rows: Iterable[Row]) -> Totals:
    """Sums over all of ``rows``."""
    sums = Totals()
    for row in rows:
        sums.add(row)
    return sums


@dataclass(frozen=True, slots=True)
class Report:
    """One accepted or quarantined file.

    Attributes:
        file_name: as given; never trusted.
        format: ``csv`` or ``xlsx``, by the first bytes.
        kind: ``estimator_monthly``, ``estimator_daily``, ``prior_month_final``, ``payments``, or ``csv_…`` of one tab.
        finality: None where the file holds no royalties.
        grain: of the sales, else of what there is; None where there are no rows.
        period_start, period_end: half-open days; None where there are no rows.
        snapshot_at: when KDP made the export (aware UTC), where the workbook says so.
        rows: all rows of the tabs that count, in the order of the file.
        empty_slices: slices the file covers without a row in them: they replace what was stored.
        control: the file's own totals, by tab; Summary by ``Summary 2026-03``.
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
    control: dict[str, Totals]
    problems: tuple[Problem, ...]

    @property
    def verdict(self) -> Literal["accept", "quarantine"]:
        """``quarantine`` as soon as one problem needs a person; nothing of such a file may count."""
        return "quarantine" if any(problem.level == "quarantine" for problem in self.problems) else "accept"

    def slices(self) -> dict[str, Totals]:
        """Sums of every slice the file covers, the empty ones included."""
        sums: defaultdict[str, Totals] = defaultdict(Totals)
        for row in self.rows:
            sums[row.facts.slice].add(row)
        for name in self.empty_slices:
            sums[name] = Totals()
        return dict(sums)

    def of_kind(self, kind: str) -> Iterator[Row]:
        """The rows of one kind."""
        return (row for row in self.rows if row.facts.kind == kind)


def slice_name(measure: str, day: date, grain: Grain) -> str:
    """``kenp:2026-03`` or, in daily files, ``kenp:2026-03-15``.

    Sales have two measures, ``sales/digital`` and ``sales/print``: a CSV of one tab covers only one of them, and must
    not replace the other's rows.
    """
    return f"{measure}:{day.isoformat()[: 7 if grain == 'month' else 10]}"


def next_period(day: date, grain: Grain) -> date:
    """The day after, or the first of the month after."""
    return day + timedelta(days=1) if grain == "day" else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
