"""Reads the Payments report: payments to the bank, which are no revenue.

The rows below a payment are its breakdown.
"""

from __future__ import annotations

from collections.abc import Sequence

from creator_pipeline.platforms.kdp.cells import Cell, Mark, absent, currency, day_or_month, decimal_mark, micros, text
from creator_pipeline.platforms.kdp.columns import normal
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.models import Dimensions, Measures, Row, slice_name
from creator_pipeline.platforms.kdp.problems import OWN_FILE, BadCell, ProblemList
from creator_pipeline.platforms.kdp.table import Table


def read_payments(table: Table, layout: Layout, problems: ProblemList) -> tuple[list[Row], int]:
    """Read the rows of payments.

    The royalty of a payment is its accrued royalty, in the currency of the first of the two Currency columns. The
    payout may be text (``Pending info from Bank``) and is not read.

    Returns:
        One row for each payment, and the number of rows of their breakdowns.
    """
    rows: list[Row] = []
    details, source_row = 0, table.row
    cells_of = list(table.rows)
    mark = decimal_mark(cells[layout.at["accrued"]] for cells in cells_of if len(cells) == layout.width)
    for cells in cells_of:
        source_row += 1
        if not any(text(cell) for cell in cells):
            continue
        if len(cells) < layout.width:
            problems.add(
                "quarantine",
                OWN_FILE,
                sheet=table.name or None,
                row=source_row,
                found=f"{len(cells)} fields",
                expected=f"{layout.width} fields",
            )
            continue
        if absent(cells[layout.at["period_start"]]):
            details += 1
            continue
        try:
            rows.append(_payment(cells, layout, source_row, table.name, mark))
        except BadCell as bad:
            problems.add_cell(bad, sheet=table.name or None, row=source_row)
    return rows, details


def _payment(cells: Sequence[Cell], layout: Layout, source_row: int, tab: str, mark: Mark | None) -> Row:
    at = layout.at
    day, _ = day_or_month(cells[at["period_start"]])
    shop = text(cells[at["marketplace"]])
    money = currency(cells[at["currency"]])
    number = cells[at["payment_number"]]
    payment = str(int(number)) if isinstance(number, float) and number.is_integer() else text(number)
    month = day.isoformat()[:7]
    dimensions = Dimensions(
        sheet=tab,
        kind="payments",
        slice=slice_name("payments", day, "month"),
        event_key=(month, "payments", "", normal(shop), "", payment, money),
        day=day,
        month=month,
        asin=None,
        isbn=None,
        title=None,
        author=None,
        marketplace=shop,
        royalty_type=None,
        transaction=payment,
        format=None,
        currency=money,
        counted=False,
    )
    return Row(source_row, Measures(0, 0, 0, 0, micros(cells[at["accrued"]], mark)), dimensions)
