"""The ledger's rows of a load are made of what was just stored, without reading it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from sqlalchemy import insert, select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.platforms.gumroad import ledger_store
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.models import SaleRow, ledger_sale
from creator_pipeline.platforms.gumroad.sync import load_sales, rebuild_ledger
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import erased_buyers, gumroad_sales, sales_events
from creator_pipeline_tests.support.sandbox import SandboxServer, World

TODAY = date(2026, 11, 28)
EVER = DayWindow(TODAY - timedelta(days=60), TODAY + timedelta(days=1))
STAMPS = {"ingested_at", "first_seen_at"}


def ledger(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """Every row, but for when it was written."""
    columns = [column for column in sales_events.c if column.name not in STAMPS]
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(sales_events.c.id))]


def test_what_was_written_is_what_would_be_read(
    warehouse: Warehouse, ring: KeyRing, client_of: Callable[..., GumroadClient]
) -> None:
    """Guards: a ledger that says of a load what the table doesn't, until it is made anew from the table.

    A buyer is forgotten: of the sale's JSON nothing is left, which is where the fee of a sale that cost one is told.
    """
    world = World.invented(7, today=TODAY, sizes={"alice": 100}, whop_sizes={}, days=50)
    free = next(row for row in world.gumroad["alice"].rows if row.counts and row.price and not row.refunded)
    free.fee = 0
    with SandboxServer(world) as server, client_of(server) as client:
        with warehouse.write() as connection:
            profiles.add_profile(connection, "alice", "alice@example.com")
        list(load_sales(warehouse, client, ring, "alice", EVER))
        with warehouse.write() as connection:
            buyer = select(gumroad_sales.c.buyer_hash).where(gumroad_sales.c.id == free.id)
            address = connection.execute(buyer).scalar_one()
            connection.execute(insert(erased_buyers).values(address_hash=address, erased_at=now()))
        list(load_sales(warehouse, client, ring, "alice", EVER))
    with warehouse.read() as connection:
        rows = [SaleRow(*row) for row in connection.execute(select(gumroad_sales))]
        read = {
            sale_id: sale
            for some in ledger_store.chunks(row.id for row in rows)
            for sale_id, sale in ledger_store._stored_sales(connection, "alice", some).items()
        }
    assert len(rows) >= 100
    assert {row.id: ledger_sale(row) for row in rows} == read
    assert not read[free.id].fee_told
    assert {row.refunded_micros != 0 for row in rows} == {True, False}
    loaded = ledger(warehouse)
    assert not rebuild_ledger(warehouse, "alice", EVER).ledger_change.any
    assert ledger(warehouse) == loaded
