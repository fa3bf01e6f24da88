"""How rows and tables are shown in the UI: column schemas, totals, previews without personal data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from sqlalchemy import Table

from creator_pipeline.core.money import to_text
from creator_pipeline.ledger.events import LedgerEvent

PREVIEW_ROWS = 10
OWNERS = ["team:data"]


def column_schema(table: Table, origins: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Definition metadata: the columns with their descriptions, made from ``tables.py``.

    Args:
        table: of the asset.
        origins: column to the columns that it is made of, in words.
    """
    made_of = {name: f". Of {told}" for name, told in (origins or {}).items()}
    columns = [
        dg.TableColumn(
            name=column.name,
            type=column.type.__class__.__name__.lower(),
            description=f"{column.comment or ''}{made_of.get(column.name, '')}" or None,
            constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), unique=False),
        )
        for column in table.c
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": table.name,
    }


def _escaped(value: object) -> str:
    text = "" if value is None else str(value)
    text = text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
    return text if len(text) <= 60 else f"{text[:57]}…"


def preview(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MetadataValue[Any]:
    """A markdown table; whoever calls picks columns that tell nothing about a buyer."""
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(map(_escaped, row)) for row in rows]
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


def plotted(totals: Mapping[str, str]) -> dict[str, float]:
    """The same amounts as numbers, for the plots of the UI only, which draws no text. The text beside them is exact."""
    return {f"plot_{name}": float(text) for name, text in totals.items()}


def ledger_totals(events: Iterable[LedgerEvent]) -> Mapping[str, str]:
    """Gross, fees and net of the rows as text, one entry for each currency."""
    sums: dict[tuple[str, str], int] = {}
    for event in events:
        for name, amount in (("gross", event.gross_micros), ("fee", event.fee_micros), ("net", event.net_micros)):
            key = (event.currency, name)
            sums[key] = sums.get(key, 0) + amount
    return {f"{name}_{currency}": to_text(amount, currency) for (currency, name), amount in sorted(sums.items())}


def ledger_preview(events: Sequence[LedgerEvent]) -> dg.MetadataValue[Any]:
    """The first rows of a partition of the ledger."""
    return preview(
        ("occurred_at", "event", "product", "quantity", "gross", "fee", "net", "currency"),
        (
            (
                f"{event.occurred_at:%Y-%m-%d %H:%M}",
                event.event_type,
                event.product_name,
                event.quantity,
                to_text(event.gross_micros, event.currency),
                to_text(event.fee_micros, event.currency),
                to_text(event.net_micros, event.currency),
                event.currency,
            )
            for event in events[:PREVIEW_ROWS]
        ),
    )
