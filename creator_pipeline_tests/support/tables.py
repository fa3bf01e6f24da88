"""What a warehouse holds, as one value that can be compared."""

from __future__ import annotations

import hashlib

from sqlalchemy import Table, select

from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import daily_revenue, gumroad_products, gumroad_sales, sales_events

SPINE = (gumroad_products, gumroad_sales, sales_events, daily_revenue)
STAMPS = frozenset({"ingested_at", "first_seen_at"})


def rows(warehouse: Warehouse, table: Table, *, stamps: bool = False) -> list[tuple[object, ...]]:
    """Every row, in the order of its key; the moments of loading only where they are asked for."""
    columns = [column for column in table.c if stamps or column.name not in STAMPS]
    with warehouse.read() as connection:
        found = connection.execute(select(*columns).order_by(*table.primary_key)).all()
    return [tuple(row) for row in found]


def digests(warehouse: Warehouse, *, stamps: bool = False) -> dict[str, str]:
    """A hash of each table of the spine. With ``stamps``, one that a row written again would change."""
    return {
        table.name: hashlib.sha256(repr(rows(warehouse, table, stamps=stamps)).encode()).hexdigest() for table in SPINE
    }
