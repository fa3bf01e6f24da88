"""Erasing people leaves the money right."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.ledger.rollup import both_sums, roll_up
from creator_pipeline.platforms import personal
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.store import erasure, profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import daily_revenue, gumroad_sales, metadata, sales_events, whop_subscriptions
from creator_pipeline_tests.support.filling import NOBODYS, address, fill
from creator_pipeline_tests.support.sandbox import SandboxServer

PERIOD = DayWindow(today() - timedelta(days=60), today())


def load(warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing, *names: str) -> None:
    for name in names:
        seller = sandbox.world.gumroad[name]
        with warehouse.write() as connection:
            profiles.add_profile(connection, name, f"{name}@example.com")
            profiles.connect(connection, ring, "gumroad", name, seller.token)
        with GumroadClient(sandbox.gumroad_url, seller.token, LocalPace(10_000_000)) as client:
            list(load_sales(warehouse, client, ring, name, PERIOD))


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
    erasure.erase_profile(warehouse, "chen", personal())
    assert money(warehouse) == before
    left = everything(warehouse)
    assert "chen@" not in left
    assert "|chen" not in left
    assert ":chen:" not in left
    assert "'chen'" not in left
    assert "|bea" in left


def test_every_table_is_erased_and_exported_and_nobody_else_is_touched(warehouse: Warehouse) -> None:
    """Incident: a table added in spring, and a profile's books in it after an erasure in summer."""
    with warehouse.write() as connection:
        fill(connection, "mallory")
        fill(connection, "bea")
    of_bea = [row for row in everything(warehouse).splitlines() if "bea" in row.lower()]
    exported = {table for table, _ in erasure.export_profile(warehouse, "mallory", personal())}
    assert exported == set(metadata.tables) - NOBODYS
    assert "bea" not in str(list(erasure.export_profile(warehouse, "mallory", personal()))).lower()
    assert {
        t.name
        for t in (
            *(table for one in personal().values() for table in (*one.deleted, *one.kept)),
            *erasure.DELETED,
            *erasure.RENAMED,
            *erasure.OTHERS,
        )
    } == set(metadata.tables)
    erasure.erase_profile(warehouse, "mallory", personal())
    left = everything(warehouse)
    assert "mallory" not in left.lower()
    assert [row for row in left.splitlines() if "bea" in row.lower()] == of_bea


def test_who_shares_an_address_keeps_its_mails_and_wishes(warehouse: Warehouse) -> None:
    """Incident: one of two shops of one person was erased, and the other's unsubscription with it."""
    with warehouse.write() as connection:
        fill(connection, "mallory")
        profiles.add_profile(connection, "bea", address("mallory").lower())
    counts = erasure.erase_profile(warehouse, "mallory", personal())
    assert counts["email_suppressions"] == 0
    assert counts["email_messages"] == 1
    assert address("mallory").lower() in everything(warehouse)


def test_an_erased_profile_that_came_back_is_erased_once_more(
    warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing
) -> None:
    """Incident: the second erasure failed on the ids of the first, or left the same sales twice."""
    load(warehouse, sandbox, ring, "chen")
    roll_up(warehouse)
    before = money(warehouse)
    erasure.erase_profile(warehouse, "chen", personal())
    load(warehouse, sandbox, ring, "chen")
    roll_up(warehouse)
    erasure.erase_profile(warehouse, "chen", personal())
    roll_up(warehouse)
    assert money(warehouse) == before
    with warehouse.read() as connection:
        ledger, rolled = both_sums(connection)
        owners = set(connection.execute(select(daily_revenue.c.profile_id)).scalars())
    assert ledger == rolled
    assert owners == {erasure.pseudonym("chen")}


def test_a_run_that_had_begun_does_not_bring_an_erased_profile_back(
    warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing
) -> None:
    """Incident: the nightly run read a profile's token, the profile was erased, and its sales were there again, twice."""
    load(warehouse, sandbox, ring, "chen")
    before = money(warehouse)
    seller = sandbox.world.gumroad["chen"]
    with GumroadClient(sandbox.gumroad_url, seller.token, LocalPace(10_000_000)) as client:
        run = load_sales(warehouse, client, ring, "chen", PERIOD)
        erasure.erase_profile(warehouse, "chen", personal())
        with pytest.raises(ConfigError, match="nothing was written"):
            list(run)
    assert money(warehouse) == before


def test_an_erasure_waits_for_a_transaction_that_writes_for_the_profile(warehouse: Warehouse) -> None:
    """Incident: rows committed a moment after the erasure had looked for them."""
    with warehouse.write() as connection:
        fill(connection, "mallory")
    with warehouse.write() as connection:
        lock_profile(connection, "mallory")
        eraser = threading.Thread(target=erasure.erase_profile, args=(warehouse, "mallory", personal()))
        eraser.start()
        time.sleep(0.2)
        assert eraser.is_alive()
        fill_again = {"id": "late", "account_profile_id": "mallory", "plan_name": "late of mallory"}
        connection.execute(update(whop_subscriptions).values(fill_again))
    eraser.join()
    assert "mallory" not in everything(warehouse)


def buyer_of(warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing, name: str) -> str:
    """An address that bought something that is stored."""
    with warehouse.read() as connection:
        known = set(connection.execute(select(gumroad_sales.c.buyer_hash)).scalars())
    addresses = (sale.buyer.email for sale in sandbox.world.gumroad[name].sales.values())
    return next(address for address in addresses if ring.hash_address(address) in known)


def test_an_erased_buyer_is_forgotten_for_good_and_no_amount_changes(
    warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing
) -> None:
    """Incident: an erasure request ended in a deleted sale; and a forgotten buyer was back after the next night."""
    load(warehouse, sandbox, ring, "chen")
    before = money(warehouse)
    buyer = buyer_of(warehouse, sandbox, ring, "chen")
    # A later ring, whose oldest key will be dropped: the hash becomes another one.
    newer = new_key()
    later = KeyRing([newer, ring._keys[0]])
    assert erasure.erase_buyer(warehouse, buyer.upper(), later.hashes_of(buyer), personal()) >= 1
    assert money(warehouse) == before
    for keys in (ring, later, KeyRing([newer])):
        load(warehouse, sandbox, keys, "chen")
        with warehouse.read() as connection:
            columns = gumroad_sales.c
            stored = connection.execute(select(columns.buyer_hash, columns.country, columns.raw)).all()
        assert keys.hash_address(buyer) not in {row.buyer_hash for row in stored}
        assert any(row == (None, None, "{}") for row in stored)
        assert money(warehouse) == before


def test_a_buyer_who_is_a_profile_is_not_half_erased(warehouse: Warehouse, ring: KeyRing) -> None:
    """Incident: the erasure of a buyer ended a seller's own paid plan."""
    with warehouse.write() as connection:
        fill(connection, "mallory")
    with pytest.raises(ConfigError, match="mallory"):
        erasure.erase_buyer(warehouse, "MALLORY@example.com", ring.hashes_of("mallory@example.com"), personal())
    assert "of-mallory" in everything(warehouse)


def test_mails_to_a_buyer_go_with_the_buyer(warehouse: Warehouse, ring: KeyRing) -> None:
    """Incident: a forgotten buyer's address, in the clear, in the outbox."""
    with warehouse.write() as connection:
        fill(connection, "mallory")
        connection.execute(text("UPDATE profiles SET email = 'elsewhere@example.com'"))
    erasure.erase_buyer(warehouse, "mallory@EXAMPLE.com", ring.hashes_of("mallory@example.com"), personal())
    assert "mallory@example.com" not in everything(warehouse).lower()


def test_an_export_holds_every_table_of_the_profile_and_no_secret(
    warehouse: Warehouse, sandbox: SandboxServer, ring: KeyRing
) -> None:
    """Incident: an export mailed to its owner held the encrypted token and the rows of somebody else."""
    load(warehouse, sandbox, ring, "chen", "bea")
    rows = list(erasure.export_profile(warehouse, "chen", personal()))
    assert {"profiles", "platform_connections", "gumroad_sales", "sales_events"} <= {table for table, _ in rows}
    text = str(rows)
    assert "|bea" not in text
    assert "'bea'" not in text
    assert not any(column in row for _, row in rows for column in erasure.SECRET_COLUMNS)
