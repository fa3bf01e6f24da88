"""Collects what the tabs of one file hold, and builds the report from it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from creator_pipeline.platforms.kdp.dates import Grain, month_of_period
from creator_pipeline.platforms.kdp.formats import PRIOR_MONTH, Family
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.models import Report, Row, Totals, next_period, slice_name
from creator_pipeline.platforms.kdp.problems import OWN_FILE, BadCell, ProblemList, ReportError
from creator_pipeline.platforms.kdp.rows import SheetReader, first_of_months
from creator_pipeline.platforms.kdp.table import Table

_NAMED_MONTH = re.compile(r"Prior[_ ]Month[_ ]Royalties-([0-9]{4})-([0-9]{2})-", re.IGNORECASE)


@dataclass(slots=True)
class ReportBuilder:
    """A report while its tabs are read.

    Attributes:
        file: name of the file, for messages.
        problems: what was found wrong so far.
        rows: rows of tabs that count.
        orders: rows of the tabs of orders.
        stated: totals that the file states, by tab.
        days: days that the file covers; of a month its first day.
        grain: whether the dates are months or days; None until a tab says it.
        month: month of the whole file, where its rows have no date.
        series: series that the file covers.
    """

    file: str
    problems: ProblemList = field(default_factory=ProblemList)
    rows: list[Row] = field(default_factory=list[Row])
    orders: list[Row] = field(default_factory=list[Row])
    stated: dict[str, Totals] = field(default_factory=dict[str, Totals])
    days: set[date] = field(default_factory=set[date])
    grain: Grain | None = None
    month: date | None = None
    series: set[str] = field(default_factory=set[str])

    def read_table(self, table: Table, layout: Layout, file_grain: Grain | None = None) -> list[Row]:
        """Read one tab.

        Args:
            table: its rows.
            layout: where its columns are.
            file_grain: whether the dates of the tabs before stand for months or days; None where only the rows tell it.

        Raises:
            ReportError: the tab can't be used.
        """
        if layout.family is PRIOR_MONTH:
            self._read_sales_period(table, layout)
        reader = SheetReader(table, layout, self.problems, self.file, self.month, file_grain)
        rows = reader.read()
        kenp = layout.sheet.kind == "kenp"
        if (
            kenp
            and layout.sheet.date
            and file_grain is None
            and "day" in reader.grains
            and first_of_months(reader.days)
        ):
            # A tab that comes alone doesn't tell its grain; a monthly export has first days of months only.
            rows = [_dated_by_month(row) for row in rows]
            reader.grains = {"month"}
        if layout.sheet.kind != "orders":
            self.days |= reader.days
        if self.grain is None and reader.grains and layout.sheet.kind != "orders":
            self.grain = "day" if "day" in reader.grains else "month"
        return rows

    def _read_sales_period(self, table: Table, layout: Layout) -> None:
        if layout.sales_period is None:
            raise ReportError(
                "The month is missing: no Sales Period above the header.",
                hint="Keep the first row of the tab when saving it as CSV; best is the file as KDP made it.",
                kind=layout.sheet.csv_kind or layout.family.kind,
                file=self.file,
                sheet=table.name or None,
                row=1,
                expected="Sales Period, March 2026",
            )
        try:
            month = month_of_period(layout.sales_period)
        except BadCell as bad:
            raise ReportError(
                "The Sales Period can't be read.",
                hint=OWN_FILE,
                kind=layout.sheet.csv_kind or layout.family.kind,
                file=self.file,
                sheet=table.name or None,
                row=1,
                column="Sales Period",
                found=layout.sales_period,
                expected="March 2026",
            ) from bad
        if self.month is None:
            self._compare_with_name(month, table, layout)
        elif month != self.month:
            self._other_month(layout.sales_period, f"{self.month:%Y-%m}, as the other tabs say", table)
        self.month = self.month or month

    def _compare_with_name(self, month: date, table: Table, layout: Layout) -> None:
        named = _NAMED_MONTH.search(self.file)
        if named and named.groups() != (f"{month:%Y}", f"{month:%m}"):
            self._other_month(layout.sales_period or "", f"{named[1]}-{named[2]}, as the file's name says", table)

    def _other_month(self, found: str, expected: str, table: Table) -> None:
        self.problems.add(
            "quarantine",
            "The file contradicts itself about its month. Upload it as KDP made it, under its own name.",
            sheet=table.name or None,
            row=1,
            column="Sales Period",
            found=found,
            expected=expected,
        )

    def empty_slices(self) -> tuple[str, ...]:
        """Names of the slices between the first and the last day of the file that have no row."""
        if not self.days or self.grain is None:
            return ()
        filled = {row.dimensions.slice for row in self.rows}
        months = {row.dimensions.month for row in self.rows}
        # Months of which the Summary knows sales or pages were not exported.
        filled |= {
            slice_name(series, date.fromisoformat(f"{tab.removeprefix('Summary ')}-01"), "month")
            for tab, sums in self.stated.items()
            if tab.startswith("Summary ") and (sums.units_sold or sums.pages_read)
            for series in self.series
            if tab.removeprefix("Summary ") not in months
        }
        covered: list[str] = []
        day, last = min(self.days), max(self.days)
        while day <= last:
            covered += [slice_name(series, day, self.grain) for series in sorted(self.series)]
            day = next_period(day, self.grain)
        return tuple(name for name in covered if name not in filled)

    def build(
        self, form: Literal["csv", "xlsx"], kind: str, family: Family, snapshot: datetime | None, rows: list[Row]
    ) -> Report:
        """The report of everything that was read.

        Args:
            form: format of the file.
            kind: kind of the report.
            family: kind of download.
            snapshot: when KDP made the file, aware UTC; None where it doesn't say.
            rows: rows of the report, in the order of the file.
        """
        if self.month:
            self.days.add(self.month)
            self.grain = "month"
        start, last = (min(self.days), max(self.days)) if self.days else (None, None)
        if not rows and not self.problems.counts["quarantine"]:
            self.problems.add("note", "The report is valid and empty: nothing was sold or read.")
        return Report(
            file_name=self.file,
            format=form,
            kind=kind,
            finality=family.finality,
            grain=self.grain,
            period_start=start,
            period_end=next_period(last, self.grain or "month") if last else None,
            snapshot_at=snapshot,
            rows=rows,
            empty_slices=self.empty_slices(),
            stated=self.stated,
            problems=self.problems.all(),
        )


def _dated_by_month(row: Row) -> Row:
    name = slice_name("kenp", row.dimensions.day, "month")
    return row._replace(dimensions=row.dimensions._replace(slice=name))
