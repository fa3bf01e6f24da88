"""The Payments report: bank money, never revenue. Parent rows are payments, rows below them their breakdown."""

from __future__ import annotations

from collections.abc import Sequence

from creator_pipeline.platforms.kdp.cells import Cell, Mark, absent, currency, day_or_month, decimal_mark, micros, text
from creator_pipeline.platforms.kdp.columns import normal
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.model import Facts, Figures, Row, slice_name
from creator_pipeline.platforms.kdp.refusals import OWN_FILE, BadCell, Findings
from creator_pipeline.platforms.kdp.table import Table


def read_payments(table: Table, layout: Layout, findings: Findings) -> tuple[list[Row], int]:
    """One row per payment, and the number of breakdown rows below them.

    A payment's micros are the accrued royalty in the first of the two Currency columns; the payout may be text
    (``Pending info from Bank``) and is not read.
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
            findings.add(
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
            findings.add(
                "quarantine",
                bad.hint,
                sheet=table.name or None,
                row=source_row,
                found=bad.found,
                expected=bad.expected,
            )
    return rows, details


def _payment(cells: Sequence[Cell], layout: Layout, source_row: int, tab: str, mark: Mark | None) -> Row:
    at = layout.at
    day, _ = day_or_month(cells[at["period_start"]])
    shop = text(cells[at["marketplace"]])
    money = currency(cells[at["currency"]])
    number = cells[at["payment_number"]]
    payment = str(int(number)) if isinstance(number, float) and number.is_integer() else text(number)
    month = day.isoformat()[:7]
    facts = Facts(
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
    return Row(source_row, Figures(0, 0, 0, 0, micros(cells[at["accrued"]], mark)), facts)
