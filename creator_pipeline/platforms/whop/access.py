"""The way to a profile's Whop account."""

from __future__ import annotations

from typing import NamedTuple

from creator_pipeline import settings
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.customers import Customers
from creator_pipeline.platforms.whop.tiers import Tiers, parse_tiers
from creator_pipeline.queue.cache import cache_for
from creator_pipeline.runtime.resources import PlatformResource
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source
from creator_pipeline.store.token_keys import installation_ring

SOURCE = PLATFORM.source


class WhopAccess(NamedTuple):
    """A client of one profile's Whop account, and that account's ``biz_…`` where it is known."""

    client: WhopClient
    account_id: str | None


def account_id_of(config: Settings, external_account_id: str | None) -> str | None:
    """The account of a connection; its own id goes before WHOP_ACCOUNT_ID."""
    named = external_account_id or ""
    return named if named.startswith("biz_") else config.whop_account_id


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
    return WhopAccess(client, account_id_of(config, connection.external_account_id))


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
