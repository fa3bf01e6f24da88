"""Erasing people leaves the money right."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.gumroad.client import GumroadClient
from creator_pipeline.gumroad.sync import load_sales
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.sandbox.server import SandboxServer
from creator_pipeline.store import personal, profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import gumroad_sales, metadata, sales_events


def load(warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing, *names: str) -> None:
    for name in names:
        seller = sandbox.world.gumroad[name]
        with warehouse.write() as connection:
            profiles.add_profile(connection, name, f"{name}@example.com")
            profiles.connect(connection, ring, "gumroad", name, seller.token)
        with GumroadClient(sandbox.gumroad_url, seller.token, LocalPace(10_000_000)) as client:
            list(load_sales(warehouse, client, ring, name, DayWindow(today() - timedelta(days=60), today())))


def money(warehouse: Warehouse) -> tuple[int, int]:
    with warehouse.read() as connection:
        row = connection.execute(select(func.count(), func.sum(sales_events.c.net_micros))).one()
        return int(row[0]), int(row[1])


def everything(warehouse: Warehouse) -> str:
    with warehouse.read() as connection:
        return "\n".join(str(row) for table in metadata.sorted_tables for row in connection.execute(select(table)))


def test_an_erased_profile_is_found_nowhere_and_the_ledger_adds_up_as_before(
    warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing
) -> None:
    """Incident: an erasure that took the year's revenue with it, and left the name in a ledger id."""
    load(warehouse, sandbox, ring, "chen", "bea")
    before = money(warehouse)
    personal.erase_profile(warehouse, "chen")
    assert money(warehouse) == before
    left = everything(warehouse)
    assert "chen@" not in left
    assert "|chen" not in left
    assert ":chen:" not in left
    assert "'chen'" not in left
    assert "|bea" in left


def test_an_erased_buyer_is_forgotten_and_no_amount_changes(
    warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing
) -> None:
    """Incident: a buyer's erasure request ended in a deleted sale."""
    load(warehouse, sandbox, ring, "chen")
    before = money(warehouse)
    with warehouse.read() as connection:
        known = connection.execute(select(gumroad_sales.c.buyer_hash).where(gumroad_sales.c.buyer_hash.is_not(None)))
        buyer = known.scalars().first()
    assert buyer
    assert personal.erase_buyer(warehouse, buyer) >= 1
    assert money(warehouse) == before
    assert buyer not in everything(warehouse)


def test_an_export_holds_every_table_of_the_profile_and_no_secret(
    warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing
) -> None:
    """Incident: an export mailed to its owner held the encrypted token and the rows of somebody else."""
    load(warehouse, sandbox, ring, "chen", "bea")
    rows = list(personal.export_profile(warehouse, "chen"))
    assert {"profiles", "platform_connections", "gumroad_sales", "sales_events"} <= {table for table, _ in rows}
    text = str(rows)
    assert "|bea" not in text
    assert "'bea'" not in text
    assert not any(column in row for _, row in rows for column in personal.SECRET_COLUMNS)
