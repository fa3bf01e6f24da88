"""Whose account a profile's connection is, before anything is read of it; and what goes when it becomes another's."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, delete, select, update

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.ledger.replace import note_changes
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.store import accounts
from creator_pipeline.store.accounts import OtherAccountError, SellerAccount
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import PlatformConnection
from creator_pipeline.store.tables import (
    balance_movements,
    ledger_first_seen,
    payout_lines,
    payouts,
    platform_accounts,
    platform_balances,
    platform_connections,
    platform_totals,
    products,
    sales_events,
    stream_reads,
    subscriptions_daily,
    unexplained,
    unreadable,
)

CLEARED = (
    platform_totals,
    platform_balances,
    balance_movements,
    payouts,
    payout_lines,
    unexplained,
    unreadable,
    stream_reads,
    subscriptions_daily,
    products,
)
"""Tables of all platforms that tell of an account, beside the ledger."""


def confirm(
    warehouse: Warehouse,
    ring: KeyRing,
    platform: Platform,
    access: PlatformConnection,
    ask: Callable[[], SellerAccount | None],
) -> str | None:
    """The account of a connection, once it is known to be the profile's; None where the platform doesn't tell.

    The platform is asked once for each token. Where the account is another one on purpose, what was read of the one
    before goes now.

    Args:
        warehouse: remembers the account.
        ring: decrypts the stored token.
        platform: where the account is.
        access: the connection that is about to be used.
        ask: asks the platform for the account of that token.

    Raises:
        OtherAccountError: the token is of another account. The connection is marked, and nothing may be read.
        PipelineError: the platform can't be asked.
    """
    provider, profile_id, told = platform.in_ledger, access.profile_id, access.external_account_id
    mine = (platform_accounts.c.provider == provider, platform_accounts.c.profile_id == profile_id)
    with warehouse.read() as connection:
        row = connection.execute(select(platform_accounts).where(*mine)).first()
    if row is not None and told == row.account_id and not row.clears:
        return told
    found = SellerAccount(told) if told else ask()
    try:
        with warehouse.write() as connection:
            accounts.claim(connection, platform.source, profile_id, found)
            if found is None:
                return None
            if told is None:
                _keep(connection, ring, access, found.id)
            if connection.execute(select(platform_accounts.c.clears).where(*mine)).scalar_one():
                clear(connection, platform, profile_id)
                connection.execute(update(platform_accounts).where(*mine).values(clears=False))
    except OtherAccountError as error:
        with warehouse.write() as connection:
            accounts.note_hold(connection, provider, profile_id, error.message)
        raise
    return found.id


def clear(connection: Connection, platform: Platform, profile_id: str) -> None:
    """Delete what was read of a profile's account: its tables, totals, payouts, and its rows of the ledger.

    Args:
        connection: a write transaction.
        platform: where the account was.
        profile_id: whose.
    """
    personal, provider = platform.personal.get(), platform.in_ledger
    for table in personal.deleted:
        (owner, *_) = personal.owners.get(table, (table.c.profile_id,))
        connection.execute(delete(table).where(owner == profile_id))
    for table in CLEARED:
        named = table.c.provider if "provider" in table.c else table.c.platform
        connection.execute(delete(table).where(named == provider, table.c.profile_id == profile_id))
    events = sales_events.c
    mine = (events.platform == provider, events.profile_id == profile_id)
    days = set(connection.execute(select(events.occurred_on).where(*mine).distinct()).scalars())
    connection.execute(delete(sales_events).where(*mine))
    seen = ledger_first_seen.c
    connection.execute(delete(ledger_first_seen).where(seen.platform == provider, seen.profile_id == profile_id))
    if days:
        note_changes(connection, provider, profile_id, days)


def _keep(connection: Connection, ring: KeyRing, access: PlatformConnection, account_id: str) -> None:
    """Note the account with the connection, unless its token is another one by now."""
    table = platform_connections.c
    mine = (table.provider == access.provider, table.profile_id == access.profile_id)
    stored = connection.execute(select(table.access_token).where(*mine)).scalar()
    if stored and ring.decrypt(stored) == access.access_token:
        connection.execute(update(platform_connections).where(*mine).values(external_account_id=account_id))
