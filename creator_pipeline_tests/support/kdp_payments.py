"""Payments reports: the fixtures, reports written on the spot, and what the tables of payouts say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from creator_pipeline.platforms.kdp.models import Report
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import payout_lines, payouts
from creator_pipeline_tests.support import paths
from creator_pipeline_tests.support.kdp_samples import as_csv, workbook

FOLDER = paths.FIXTURES / "kdp_payments"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
PENDING = FOLDER / "KDP_Payments_00000000-1111-4222-8333-555555500011.xlsx"
PAID = FOLDER / "KDP_Payments_00000000-1111-4222-8333-555555500012.xlsx"
AS_CSV = FOLDER / "KDP_Payments_saved_as.csv"
ROYALTIES = sorted(FOLDER.glob("KDP_Prior_Month_Royalties-2026-0[67]-*.xlsx"))
HEADER = (
    *("Sales Period - Start Date", "Sales Period - End Date", "Marketplace", "Payment Number", "Detail", "Date"),
    *("Payment Method", "Currency", "Accrued Royalty", "Tax Withholding", "Adjustments", "Net Earnings", "Source"),
    *("FX Rate", "Currency", "Payout Amount", "Payment Status"),
)

Cells = list[object]


def payment(
    shop: str = "Amazon.de",
    number: object = 1.0,
    *,
    accrued: float = 10.0,
    tax: float = 0.0,
    adjustments: object = 0.0,
    net: float | None = None,
    status: str = "Paid",
    payout: object = None,
    currency: str = "EUR",
    rate: str = "",
    bank: str = "EUR",
    day: str = "2026-09-29",
    period: tuple[str, str] = ("2026-07-01", "2026-07-31"),
    method: str = "EFT",
) -> Cells:
    """The row of a payment; net earnings and payout are what follows from the others."""
    earned = accrued - tax + (adjustments if isinstance(adjustments, float) else 0) if net is None else net
    amount = earned if payout is None else payout
    money: Cells = [currency, accrued, tax, adjustments, earned]
    return [*period, shop, number, "", day, method, *money, "", rate, bank, amount, status]


def below(
    accrued: float = 10.0, *, tax: float = 0.0, month: str = "2026-07", source: str = "Sales", currency: str = "EUR"
) -> Cells:
    """A row of a payment's breakdown."""
    return ["", "", "", "", month, "", "", currency, accrued, tax, "", accrued - tax, source, "", "", "", ""]


def book(*rows: Sequence[object], created: str | None = None, header: Sequence[object] = HEADER) -> bytes:
    """A workbook of these rows."""
    return workbook({"Payments": [header, *rows]}, created)


def read(*rows: Sequence[object], header: Sequence[object] = HEADER) -> Report:
    return parse(book(*rows, header=header), "KDP_Payments_x.xlsx")


def csv(*rows: Sequence[object], delimiter: str = ",") -> bytes:
    return as_csv([HEADER, *([str(cell) for cell in row] for row in rows)], delimiter=delimiter)


def saved(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def stored(warehouse: Warehouse, table: Table, profile_id: str = "alice") -> list[dict[str, Any]]:
    """Rows of a profile, without the moments of loading."""
    moments = {"first_seen_at", "ingested_at"}
    columns = [column for column in table.c if column.name not in moments]
    with warehouse.read() as connection:
        rows = connection.execute(
            select(*columns).where(table.c.profile_id == profile_id).order_by(*table.primary_key)
        ).mappings()
        return [dict(row) for row in rows]


def heads(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    """Payouts by their ids."""
    return {row["payout_id"]: row for row in stored(warehouse, payouts)}


def lines(warehouse: Warehouse, payout_id: str) -> list[dict[str, Any]]:
    return [row for row in stored(warehouse, payout_lines) if row["payout_id"] == payout_id]
