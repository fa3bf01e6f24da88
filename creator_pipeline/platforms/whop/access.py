"""The way to a profile's Whop account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple, cast

from sqlalchemy import select, update

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.catalog import SMALL_PAGE_SIZE
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.customers import Customers
from creator_pipeline.platforms.whop.tiers import Tiers, parse_tiers
from creator_pipeline.queue.cache import cache_for
from creator_pipeline.runtime.resources import PlatformResource
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.locks import lock
from creator_pipeline.store.source import Source
from creator_pipeline.store.tables import platform_connections
from creator_pipeline.store.token_keys import installation_ring

SOURCE = PLATFORM.source


class WhopAccess(NamedTuple):
    """A client of one profile's Whop account, and that account's ``biz_…`` where it is known."""

    client: WhopClient
    account_id: str | None


def account_id_of(config: Settings, external_account_id: str | None, key: str) -> str | None:
    """The account of a connection: its own id, else WHOP_ACCOUNT_ID where its key is WHOP_API_KEY.

    Args:
        config: of the installation.
        external_account_id: of the connection.
        key: of the connection, in clear.
    """
    named = external_account_id or ""
    if named.startswith("biz_"):
        return named
    own = config.whop_api_key
    return config.whop_account_id if own is not None and own.get_secret_value().strip() == key else None


def account_of_key(client: WhopClient) -> str | None:
    """The account that what a key may read is of; None where there is nothing yet, or it is of several.

    Args:
        client: of the key; asked for a page of one list after another, until one has something.
    """
    lists: list[Callable[[], Iterator[Json]]] = [client.payments, client.memberships, client.plans]
    for listed in lists:
        named = {_account_in(item) for item in islice(listed(), SMALL_PAGE_SIZE)} - {None}
        if named:
            return named.pop() if len(named) == 1 else None
    return None


def _account_in(item: Json) -> str | None:
    account = item.get("account")
    told = cast("Json", account).get("id") if isinstance(account, dict) else item.get("account_id")
    return told if isinstance(told, str) and told.startswith("biz_") else None


def learn_account(warehouse: Warehouse, profile_id: str, client: WhopClient) -> str | None:
    """Ask the key for its account, and keep it with the connection; None where that isn't known yet.

    Args:
        warehouse: where the connection is.
        profile_id: whose connection.
        client: of its key.

    Raises:
        ConfigError: the account is another profile's already, so that its sales would be booked twice.
    """
    account_id = account_of_key(client)
    if account_id is None:
        return None
    columns = platform_connections.c
    mine = columns.provider == PLATFORM.in_ledger
    with warehouse.write() as connection:
        lock(connection, f"whop account {account_id}")
        asked = select(columns.profile_id).where(
            mine, columns.external_account_id == account_id, columns.profile_id != profile_id
        )
        holder = connection.execute(asked).scalar()
        if holder is not None:
            raise ConfigError(
                f"The Whop key of {profile_id} is of the account {account_id}, which is {holder}'s already: its sales "
                "would be booked twice.",
                hint=f"Connect {profile_id} with the key of its own account, or remove one of the two profiles.",
            )
        connection.execute(
            update(platform_connections)
            .where(mine, columns.profile_id == profile_id, columns.external_account_id.is_(None))
            .values(external_account_id=account_id)
        )
    return account_id


def check_account(client: WhopClient, account_id: str | None) -> None:
    """Refuse an account that isn't the key's: Whop answers it with empty lists, which look like no sales.

    Args:
        client: of the key.
        account_id: that was asked for.

    Raises:
        ConfigError: the key is of another account.
    """
    found = account_of_key(client) if account_id else None
    if found and found != account_id:
        raise ConfigError(
            f"The Whop key is of the account {found}, not of {account_id}: its lists are empty.",
            hint="Correct WHOP_ACCOUNT_ID, or connect the profile again with the key of its own account.",
        )


def whop_access(config: Settings, warehouse: Warehouse, profile_id: str) -> WhopAccess:
    """The way to one profile's Whop account.

    Raises:
        ConfigError: the profile doesn't exist or isn't connected.
        AuthError: its connection was revoked.
    """
    connection = profiles.get_connection(warehouse, installation_ring(config), PLATFORM.in_ledger, profile_id)
    key = connection.access_token
    # Each operation of a key has a budget of its own at Whop.
    client = WhopClient(
        config.whop_api_url,
        key,
        lambda operation: PLATFORM.pace(config, f"{key}:{operation}"),
        customers=Customers(cache_for(config), installation_ring(config), key),
    )
    account_id = account_id_of(config, connection.external_account_id, key)
    if account_id is None:
        try:
            account_id = learn_account(warehouse, profile_id, client)
        except BaseException:
            client.close()
            raise
    return WhopAccess(client, account_id)


class WhopResource(PlatformResource):
    """Clients of the connected Whop accounts, and what their plans mean here."""

    def source(self) -> Source:
        """Whop."""
        return SOURCE

    def access(self, warehouse: Warehouse, profile_id: str) -> WhopAccess:
        """See :func:`whop_access`."""
        return whop_access(settings.load(), warehouse, profile_id)

    def tiers(self) -> Tiers:
        """Tier of each plan, of WHOP_TIERS and WHOP_PAST_DUE_ACCESS."""
        config = settings.load()
        return parse_tiers(config.whop_tiers, past_due=config.whop_past_due_access)
