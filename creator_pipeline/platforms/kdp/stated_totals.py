"""Compares the totals that a report states with its rows: tabs that repeat others, orders, and the Summary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.cells import absent, count, decimal_mark, micros, text
from creator_pipeline.platforms.kdp.columns import CURRENCIES
from creator_pipeline.platforms.kdp.dates import day_or_month
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.models import Row, Totals, total
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


def read_summary(table: Table, layout: Layout, problems: ProblemList) -> dict[date, Totals]:
    """Read the Summary tab.

    Returns:
        Totals by first day of the month, or by day in daily files. Their money contains the estimated KENP royalty.
    """
    months: dict[date, Totals] = {}
    at = layout.at
    body = list(table.rows)
    money_at = {code: at[f"royalty_{code.lower()}"] for code in CURRENCIES if f"royalty_{code.lower()}" in at}
    mark = decimal_mark(cells[place] for cells in body for place in money_at.values() if place < len(cells))
    for row, cells in enumerate(body, start=table.row + 1):
        if len(cells) < layout.width or absent(cells[at["date"]]):
            continue
        try:
            day, _ = day_or_month(cells[at["date"]])
            units = {
                name: count(cells[at[name]], mark)
                for name in (
                    "ebook_paid_units",
                    "ebook_free_units",
                    "ebook_net_units",
                    "paperback_net_units",
                    "hardcover_net_units",
                    "audiobook_net_units",
                    "kenp",
                )
                if name in at and not absent(cells[at[name]])
            }
            sums = months.setdefault(day, Totals())
            sums.rows += 1
            sums.units_sold += sum(units.values()) - units.get("kenp", 0)
            sums.free_units += units.get("ebook_free_units", 0)
            sums.pages_read += units.get("kenp", 0)
            for code, place in money_at.items():
                if not absent(cells[place]):
                    sums.royalty_micros[code] = sums.royalty_micros.get(code, 0) + micros(cells[place], mark)
        except BadCell as bad:
            problems.add(
                "note",
                "The Summary could not be read here; it is only used to check the rows.",
                sheet=table.name,
                row=row,
                found=bad.found or text(cells[0]),
                expected=bad.expected,
            )
    return months


def check_summary(summary: dict[date, Totals], rows: Iterable[Row], problems: ProblemList) -> None:
    """Note months of which the Summary has other units than the rows: the chosen range may have cut them."""
    units: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row.dimensions.kind == "sales":
            units[row.dimensions.month] += row.measures.units_sold - row.measures.units_refunded
    listed: defaultdict[str, int] = defaultdict(int)
    for day, sums in summary.items():
        listed[day.isoformat()[:7]] += sums.units_sold
    for month, expected in sorted(listed.items()):
        if units[month] != expected:
            problems.add(
                "note",
                f"The Summary of {month} counts other units than the rows: the chosen range may cut this month.",
                sheet="Summary",
                found=str(units[month]),
                expected=str(expected),
            )


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
