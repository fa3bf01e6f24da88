"""Compares the totals that a report states with its rows: tabs that repeat others, orders, and the Summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from creator_pipeline.core.money import MICROS, ZERO_DECIMAL, to_text
from creator_pipeline.platforms.kdp.cells import absent, count, decimal_mark, micros, text
from creator_pipeline.platforms.kdp.columns import CURRENCIES
from creator_pipeline.platforms.kdp.dates import day_or_month
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.models import Row, Totals, next_period, slice_period, total
from creator_pipeline.platforms.kdp.problems import BadCell, ProblemList
from creator_pipeline.platforms.kdp.table import Table

_ROUNDING = 10_000  # micros a row may differ between two tabs that show the same sale with two decimals


def compare_tabs(tab: str, repeated: Sequence[Row], rows: Sequence[Row], problems: ProblemList) -> None:
    """Quarantine a workbook whose tabs contradict the tab that repeats them: a tab was changed, or is missing.

    Args:
        tab: name of the tab that repeats the others.
        repeated: its rows.
        rows: rows of the tabs that count.
        problems: where differences are added.
    """
    for kind in ("sales", "kenp"):
        theirs = total(row for row in repeated if row.dimensions.kind == kind)
        ours = total(row for row in rows if row.dimensions.kind == kind)
        if kind == "kenp" and not theirs.rows:
            continue
        compared = [
            ("net units", str(ours.net_units), str(theirs.net_units), ours.net_units == theirs.net_units),
            ("pages", str(ours.pages_read), str(theirs.pages_read), ours.pages_read == theirs.pages_read),
        ]
        for code in sorted({*ours.royalty_micros, *theirs.royalty_micros}):
            mine, other = ours.royalty_micros.get(code, 0), theirs.royalty_micros.get(code, 0)
            near = abs(mine - other) <= _ROUNDING * max(ours.rows, theirs.rows)
            compared.append((code, to_text(mine, code), to_text(other, code), near))
        for name, found, expected, equal in compared:
            if not equal:
                problems.add(
                    "quarantine",
                    f"The tabs contradict {tab}: a tab is missing or was changed. Upload KDP's own file.",
                    sheet=tab,
                    column=name,
                    found=found,
                    expected=expected,
                )


@dataclass(slots=True)
class Stated(Totals):
    """One month or day of the Summary.

    Attributes:
        units: by column, as far as the columns are known.
        whole: whether every column of the Summary is known.
    """

    units: dict[str, int] = field(default_factory=dict[str, int])
    whole: bool = True


def read_summary(table: Table, layout: Layout, problems: ProblemList) -> dict[date, Totals]:
    """Read the Summary tab.

    Returns:
        Totals by first day of the month, or by day in daily files. Their money contains the estimated KENP royalty.
    """
    months: dict[date, Totals] = {}
    at = layout.at
    body = list(table.rows)
    money_at = {code: at[f"royalty_{code.lower()}"] for code in CURRENCIES if f"royalty_{code.lower()}" in at}
    units_at = {name: place for name, place in at.items() if name.endswith("_units") or name == "kenp"}
    mark = decimal_mark(cells[place] for cells in body for place in money_at.values() if place < len(cells))
    for row, cells in enumerate(body, start=table.row + 1):
        if len(cells) < layout.width or absent(cells[at["date"]]):
            continue
        try:
            day, _ = day_or_month(cells[at["date"]])
            units = {name: 0 if absent(cells[place]) else count(cells[place], mark) for name, place in units_at.items()}
            money = {code: micros(cells[place], mark) for code, place in money_at.items() if not absent(cells[place])}
        except BadCell as bad:
            problems.add(
                "note",
                "The Summary could not be read here; it is only used to check the rows.",
                sheet=table.name,
                row=row,
                found=bad.found or text(cells[0]),
                expected=bad.expected,
            )
            continue
        sums = months.setdefault(day, Stated(whole=not layout.unknown))
        _add(sums, units, money)
    return months


def _add(sums: Totals, units: Mapping[str, int], money: Mapping[str, int]) -> None:
    sums.rows += 1
    sums.units_sold += sum(units.values()) - units.get("kenp", 0)
    sums.free_units += units.get("ebook_free_units", 0)
    sums.pages_read += units.get("kenp", 0)
    for code, amount in money.items():
        sums.royalty_micros[code] = sums.royalty_micros.get(code, 0) + amount
    if isinstance(sums, Stated):
        for name, number in units.items():
            sums.units[name] = sums.units.get(name, 0) + number


class _Compared(NamedTuple):
    """One measure of a month: what the rows come to, from ``least`` to ``most``, and what the Summary says."""

    what: str
    least: int
    most: int | None
    stated: int
    code: str = ""

    @property
    def fewer(self) -> bool:
        """Whether rows are missing."""
        return self.most is not None and self.stated > self.most

    def shown(self, number: int) -> str:
        return to_text(number, self.code) if self.code else str(number)


def check_summary(summary: Mapping[date, Totals], rows: Iterable[Row], problems: ProblemList) -> None:
    """Compare the Summary with the rows, month by month.

    A month that the chosen range may have cut, and of which rows are missing, is noted. Every other difference
    quarantines the report: rows were lost or changed. A Summary with unknown columns proves nothing.
    """
    by_month: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.dimensions.counted:
            by_month[row.dimensions.month].append(row)
    listed: dict[str, Stated] = {}
    for day, sums in summary.items():
        month = listed.setdefault(day.isoformat()[:7], Stated())
        _add(month, sums.units if isinstance(sums, Stated) else {}, sums.royalty_micros)
        month.whole = month.whole and isinstance(sums, Stated) and sums.whole
    first, last = (min(by_month), max(by_month)) if by_month else ("", "")
    for name, stated in sorted(listed.items()):
        # The Summary can list more months than were exported.
        if not first <= name <= last:
            continue
        here = by_month.get(name, [])
        differing = [each for each in _compared(stated, here) if each.fewer or each.stated < each.least]
        cut = name in {first, last} and (len(listed) > 1 or _part_of_month(here))
        by_range = cut and all(each.fewer for each in differing)
        excused = by_range or problems.refused or not stated.whole
        for each in differing:
            why = "the chosen range may cut this month" if by_range else "rows are missing or were changed"
            problems.add(
                "note" if excused else "quarantine",
                f"The Summary of {name} and the rows disagree: {why}.",
                sheet="Summary",
                column=each.what,
                found=each.shown(each.least),
                expected=each.shown(each.stated),
            )


def _compared(stated: Stated, rows: Sequence[Row]) -> Iterator[_Compared]:
    sold, net, money, shown = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    pages = 0
    for row in rows:
        dimensions, measures = row.dimensions, row.measures
        if dimensions.kind == "kenp":
            pages += measures.pages_read
            continue
        form = "ebook" if dimensions.format == "ebook" else "audio" if dimensions.format == "audiobook" else "print"
        sold[form] += measures.units_sold
        net[form] += measures.units_sold - measures.units_refunded
        money[dimensions.currency or ""] += measures.royalty_micros
        shown[dimensions.currency or ""] += 1
    units = stated.units
    if {"ebook_paid_units", "ebook_free_units"} <= units.keys():
        # Whether refunds are taken off isn't known.
        ebooks = units["ebook_paid_units"] + units["ebook_free_units"]
        yield _Compared("e-book units", net["ebook"], max(net["ebook"], sold["ebook"]), ebooks)
    if {"paperback_net_units", "hardcover_net_units"} <= units.keys():
        printed = units["paperback_net_units"] + units["hardcover_net_units"]
        yield _Compared("print units", net["print"], net["print"], printed)
    if "audiobook_net_units" in units:
        yield _Compared("audiobook units", net["audio"], net["audio"], units["audiobook_net_units"])
    if "kenp" in units:
        yield _Compared("pages", pages, pages, units["kenp"])
    for code, amount in sorted(stated.royalty_micros.items()):
        slack = max(_ROUNDING * max(1, shown[code]), MICROS if code in ZERO_DECIMAL else 0)
        if abs(amount - money[code]) > slack:
            # The Summary holds the estimated royalty of pages too, of which the rows say nothing.
            yield _Compared(f"royalty in {code}", money[code], None if pages else money[code], amount, code)


def _part_of_month(rows: Sequence[Row]) -> bool:
    """Whether rows of a daily report leave out days at the beginning or the end of their month."""
    days = [row.dimensions.day for row in rows if len(slice_period(row.dimensions.slice)) == len("2026-03-15")]
    return bool(days) and (min(days).day > 1 or next_period(max(days), "day").day > 1)


def check_orders(orders: Iterable[Row], rows: Iterable[Row], problems: ProblemList) -> None:
    """Note months of which Orders Processed has other paid units than the rows."""
    ordered: defaultdict[str, int] = defaultdict(int)
    sold: defaultdict[str, int] = defaultdict(int)
    for row in orders:
        if row.dimensions.slice.startswith("orders:"):
            ordered[row.dimensions.month] += row.measures.units_sold - row.measures.free_units
    for row in rows:
        if row.dimensions.kind == "sales" and not row.measures.free_units:
            sold[row.dimensions.month] += row.measures.units_sold - row.measures.units_refunded
    for month in sorted(ordered):
        if ordered[month] != sold[month]:
            problems.add(
                "note",
                f"Orders Processed of {month} counts other paid units than the royalty tabs (shipped later?).",
                sheet="Orders Processed",
                found=str(ordered[month]),
                expected=str(sold[month]),
            )
