"""The way to a profile's Whop account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple, cast

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.platforms.accounts import confirm
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.catalog import SMALL_PAGE_SIZE
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.customers import Customers
from creator_pipeline.platforms.whop.tiers import Tiers, parse_tiers
from creator_pipeline.queue.cache import cache_for
from creator_pipeline.runtime.resources import PlatformResource
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.accounts import SellerAccount
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source
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


def account_of_token(config: Settings, token: str) -> SellerAccount | None:
    """Whose key it is; None where that isn't known yet."""
    if (account_id := account_id_of(config, None, token)) is not None:
        return SellerAccount(account_id)
    client = _client(config, token)
    try:
        return _seller(client)
    finally:
        client.close()


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
        ConfigError: the profile doesn't exist or isn't connected, or the key is of another account than its sales.
        AuthError: its connection was revoked.
    """
    ring = installation_ring(config)
    connection = profiles.get_connection(warehouse, ring, PLATFORM.in_ledger, profile_id)
    key = connection.access_token
    told = account_id_of(config, connection.external_account_id, key)
    client = _client(config, key)
    try:
        access = replace(connection, external_account_id=told)
        return WhopAccess(client, confirm(warehouse, ring, PLATFORM, access, lambda: _seller(client)))
    except BaseException:
        client.close()
        raise


def _client(config: Settings, key: str) -> WhopClient:
    # Each operation of a key has a budget of its own at Whop.
    return WhopClient(
        config.whop_api_url,
        key,
        lambda operation: PLATFORM.pace(config, f"{key}:{operation}"),
        customers=Customers(cache_for(config), installation_ring(config), key),
    )


def _seller(client: WhopClient) -> SellerAccount | None:
    account_id = account_of_key(client)
    return None if account_id is None else SellerAccount(account_id)


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
