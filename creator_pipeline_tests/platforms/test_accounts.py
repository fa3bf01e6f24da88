"""Whose account is read into a profile, through Gumroad's own client at the sandbox.

Incident: a token of account B replaced profile A's ledger, 226 rows by 552, and nothing said so.
"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms import PLATFORMS, accounts
from creator_pipeline.platforms.gumroad.access import SOURCE, gumroad_client
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.store import accounts as stored_accounts
from creator_pipeline.store import profiles
from creator_pipeline.store.accounts import OtherAccountError, SellerAccount
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.erasure import RENAMED
from creator_pipeline.store.tables import (
    closed_ledger,
    closed_months,
    ledger_changes,
    ledger_first_seen,
    metadata,
    platform_accounts,
    platform_connections,
    sales_events,
    webhook_events,
)
from creator_pipeline_tests.support.accounts import book
from creator_pipeline_tests.support.installation import WINDOW
from creator_pipeline_tests.support.sandbox import SandboxServer


def load(warehouse: Warehouse, ring: KeyRing, profile_id: str = "alice") -> None:
    with gumroad_client(settings.load(), warehouse, profile_id) as client:
        list(load_sales(warehouse, client, ring, profile_id, WINDOW))


def sales(warehouse: Warehouse, profile_id: str = "alice") -> set[str]:
    events = sales_events.c
    with warehouse.read() as connection:
        return set(connection.execute(select(events.external_id).where(events.profile_id == profile_id)).scalars())


def connect(warehouse: Warehouse, ring: KeyRing, token: str, profile_id: str = "alice") -> None:
    with warehouse.write() as connection:
        profiles.connect(connection, ring, "gumroad", profile_id, token)


def status(warehouse: Warehouse) -> tuple[str, str | None]:
    table = platform_connections.c
    with warehouse.read() as connection:
        row = connection.execute(select(table.status, table.last_error).where(table.profile_id == "alice")).one()
    return row.status, row.last_error


def disconnect(warehouse: Warehouse, profile_id: str) -> None:
    table = platform_connections
    with warehouse.write() as connection:
        connection.execute(table.delete().where(table.c.profile_id == profile_id))


def test_a_token_of_another_account_reads_nothing_until_a_person_says_so(
    gumroad_warehouse: Warehouse, gumroad_sandbox: SandboxServer, ring: KeyRing
):
    """The rows of the one account are exchanged for those of the other, as if it had always been so."""
    world = gumroad_sandbox.world.gumroad
    load(gumroad_warehouse, ring)
    before = sales(gumroad_warehouse)
    assert before
    disconnect(gumroad_warehouse, "chen")
    connect(gumroad_warehouse, ring, world["chen"].token)
    for _ in range(2):
        with pytest.raises(OtherAccountError, match=world["chen"].user_id) as refused:
            load(gumroad_warehouse, ring)
    assert "--allow-shrink" not in str(refused.value)
    assert sales(gumroad_warehouse) == before
    state, why = status(gumroad_warehouse)
    assert state == "error"
    assert world["alice"].user_id in (why or "")

    connect(gumroad_warehouse, ring, world["alice"].token)
    load(gumroad_warehouse, ring)
    assert status(gumroad_warehouse) == ("active", None)
    assert sales(gumroad_warehouse) == before


def test_what_was_read_of_the_account_before_goes_when_another_one_is_meant(
    gumroad_warehouse: Warehouse, gumroad_sandbox: SandboxServer, ring: KeyRing
):
    """Two accounts' sales in one ledger, where the windows that were read again end."""
    chen = gumroad_sandbox.world.gumroad["chen"]
    load(gumroad_warehouse, ring)
    load(gumroad_warehouse, ring, "chen")
    of_chen = sales(gumroad_warehouse, "chen")
    disconnect(gumroad_warehouse, "chen")
    with gumroad_warehouse.write() as connection:
        book(connection, "alice", "gumroad", "long ago")
        book(connection, "alice", "whop", "pay_1")
        found = SellerAccount(chen.user_id, chen.name)
        stored_accounts.claim(connection, SOURCE, "alice", found, replace=True)
        profiles.connect(connection, ring, "gumroad", "alice", chen.token, external_account_id=chen.user_id)
        connection.execute(ledger_changes.delete())
    load(gumroad_warehouse, ring)
    assert sales(gumroad_warehouse) == of_chen | {"pay_1"}
    with gumroad_warehouse.read() as connection:
        assert connection.execute(select(ledger_changes.c.occurred_on)).first() is not None
        known = connection.execute(select(platform_accounts).where(platform_accounts.c.profile_id == "alice")).one()
    assert (known.account_id, known.clears) == (chen.user_id, False)


def test_the_account_is_remembered_when_the_connection_is_removed(
    gumroad_warehouse: Warehouse, gumroad_sandbox: SandboxServer, ring: KeyRing
):
    """Remove and add again: the way around that looks like a new start, and has the old ledger."""
    world = gumroad_sandbox.world.gumroad
    load(gumroad_warehouse, ring)
    for name in ("alice", "chen"):
        disconnect(gumroad_warehouse, name)
    connect(gumroad_warehouse, ring, world["chen"].token)
    with pytest.raises(OtherAccountError):
        load(gumroad_warehouse, ring)


def test_an_account_is_one_profile_s_only(gumroad_warehouse: Warehouse, gumroad_sandbox: SandboxServer, ring: KeyRing):
    """Every sale counted twice, by two tokens of one seller."""
    load(gumroad_warehouse, ring)
    second = gumroad_sandbox.world.gumroad["alice"].grant({"view_sales", "view_profile"}).token
    connect(gumroad_warehouse, ring, second, "chen")
    with pytest.raises(OtherAccountError, match="another profile's already") as refused:
        load(gumroad_warehouse, ring, "chen")
    assert refused.value.holder == "alice"
    assert sales(gumroad_warehouse, "chen") == set()


def test_an_account_s_id_that_was_mistyped_is_corrected_and_closed_months_stand(warehouse: Warehouse):
    """Nobody may be asked about an account that nothing was read of; and nothing may be taken from closed books."""
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        for wrong in ("acct_1", "acct_2"):
            stored_accounts.claim(connection, SOURCE, "alice", SellerAccount(wrong))
        book(connection, "alice", "gumroad", "s1")
        month = {"profile_id": "alice", "month": "2026-10", "statement": "{}"}
        moment = connection.execute(select(platform_accounts.c.since)).scalar_one()
        connection.execute(closed_months.insert().values(**month, closed_at=moment))
        with pytest.raises(ConfigError, match="closed months"):
            stored_accounts.claim(connection, SOURCE, "alice", SellerAccount("acct_3"), replace=True)
        assert stored_accounts.known(connection, "gumroad", "alice") == ("acct_2", None)


def test_every_table_that_tells_of_an_account_is_cleared_or_says_why_not():
    """A new table whose rows of the account before stay."""
    cleared = {*accounts.CLEARED, *(table for one in PLATFORMS for table in one.personal.get().deleted)}
    # The ledger and what is made of it; closed months are refused; and what no account is told by.
    handled = {*RENAMED, ledger_first_seen, closed_ledger, platform_accounts, platform_connections, webhook_events}
    telling = {
        table
        for table in metadata.sorted_tables
        if "profile_id" in table.c and {"provider", "platform"} & {column.name for column in table.c}
    }
    assert telling - cleared - handled == set()
