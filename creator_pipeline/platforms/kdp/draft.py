"""A report while its tabs are read: rows so far, the days they cover, the month the file stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from creator_pipeline.platforms.kdp.cells import Grain, day_or_month
from creator_pipeline.platforms.kdp.formats import PRIOR_MONTH, Family
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.model import Report, Row, Totals, next_period, slice_name
from creator_pipeline.platforms.kdp.refusals import OWN_FILE, BadCell, Findings, ReportError
from creator_pipeline.platforms.kdp.rows import SheetReader, first_of_months
from creator_pipeline.platforms.kdp.table import Table

_NAMED_MONTH = re.compile(r"Prior[_ ]Month[_ ]Royalties-([0-9]{4})-([0-9]{2})-", re.IGNORECASE)


@dataclass(slots=True)
class Draft:
    """A report while its tabs are read."""

    file: str
    findings: Findings = field(default_factory=Findings)
    rows: list[Row] = field(default_factory=list[Row])
    orders: list[Row] = field(default_factory=list[Row])
    control: dict[str, Totals] = field(default_factory=dict[str, Totals])
    days: set[date] = field(default_factory=set[date])
    grain: Grain | None = None
    month: date | None = None
    measures: set[str] = field(default_factory=set[str])

    def read(self, table: Table, layout: Layout, kenp_grain: Grain | None = None) -> list[Row]:
        if layout.family is PRIOR_MONTH:
            self.take_month(table, layout)
        reader = SheetReader(table, layout, self.findings, self.file, self.month, kenp_grain)
        rows = reader.read()
        kenp = layout.sheet.kind == "kenp"
        if (
            kenp
            and layout.sheet.date
            and kenp_grain is None
            and "day" in reader.grains
            and first_of_months(reader.days)
        ):
            # A tab of its own doesn't say: firsts of months only is what a monthly export looks like.
            rows = [
                row._replace(facts=row.facts._replace(slice=slice_name("kenp", row.facts.day, "month"))) for row in rows
            ]
            reader.grains = {"month"}
        if layout.sheet.kind != "orders":
            self.days |= reader.days
        if self.grain is None and reader.grains and layout.sheet.kind != "orders":
            self.grain = "day" if "day" in reader.grains else "month"
        return rows

    def take_month(self, table: Table, layout: Layout) -> None:
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
            month, grain = day_or_month(layout.sales_period)
            if grain != "month":
                raise BadCell(layout.sales_period, "a month")
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
        self.findings.add(
            "quarantine",
            "The file contradicts itself about its month. Download this month's report again.",
            sheet=table.name or None,
            row=1,
            column="Sales Period",
            found=found,
            expected=expected,
        )

    def empty_slices(self) -> tuple[str, ...]:
        """Slices between the first and the last day of the file that have no row."""
        if not self.days or self.grain is None:
            return ()
        filled = {row.facts.slice for row in self.rows}
        covered: list[str] = []
        day, last = min(self.days), max(self.days)
        while day <= last:
            covered += [slice_name(measure, day, self.grain) for measure in sorted(self.measures)]
            day = next_period(day, self.grain)
        return tuple(name for name in covered if name not in filled)

    def report(
        self, form: Literal["csv", "xlsx"], kind: str, family: Family, snapshot: datetime | None, rows: list[Row]
    ) -> Report:
        if self.month:
            self.days.add(self.month)
            self.grain = "month"
        start, last = (min(self.days), max(self.days)) if self.days else (None, None)
        if not rows:
            self.findings.add("note", "The report is valid and empty: nothing was sold or read.")
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
            control=self.control,
            problems=self.findings.closed(),
        )
