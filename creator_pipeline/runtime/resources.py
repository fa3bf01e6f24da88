"""Resources: the warehouse, and a client for each platform. Settings are read when used, so flags act at once."""

from __future__ import annotations

from typing import NamedTuple

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.http import Renew
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad import oauth
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.customers import Customers
from creator_pipeline.platforms.whop.tiers import Tiers, parse_tiers
from creator_pipeline.queue.cache import cache_for
from creator_pipeline.queue.pace import pace_for
from creator_pipeline.runtime import liveness
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.token_keys import installation_ring


def gumroad_client(config: Settings, warehouse: Warehouse, profile_id: str) -> GumroadClient:
    """A client of one profile's Gumroad account.

    Raises:
        ConfigError: the profile doesn't exist or isn't connected.
        AuthError: its connection was revoked.
    """
    connection = profiles.get_connection(warehouse, installation_ring(config), "gumroad", profile_id)
    pace = pace_for(config, "gumroad", connection.access_token)
    return GumroadClient(
        config.gumroad_api_url, connection.access_token, pace, renew=_renewal(config, warehouse, profile_id)
    )


def _renewal(config: Settings, warehouse: Warehouse, profile_id: str) -> Renew | None:
    """The way to a new token; None without an OAuth application: tokens of a settings page can't be refreshed."""
    try:
        app = oauth.oauth_app(config)
    except ConfigError:
        return None
    return lambda refused: oauth.refresh(warehouse, installation_ring(config), app, profile_id, refused)


class WhopAccess(NamedTuple):
    """A client of one profile's Whop account, and that account's ``biz_…`` where it is known."""

    client: WhopClient
    account_id: str | None


def whop_access(config: Settings, warehouse: Warehouse, profile_id: str) -> WhopAccess:
    """The way to one profile's Whop account; its own id goes before WHOP_ACCOUNT_ID.

    Raises:
        ConfigError: the profile doesn't exist or isn't connected.
        AuthError: its connection was revoked.
    """
    connection = profiles.get_connection(warehouse, installation_ring(config), "whop", profile_id)
    key, named = connection.access_token, connection.external_account_id or ""
    # Each operation of a key has a budget of its own at Whop.
    client = WhopClient(
        config.whop_api_url,
        key,
        lambda operation: pace_for(config, "whop", f"{key}:{operation}"),
        customers=Customers(cache_for(config), installation_ring(config), key),
    )
    return WhopAccess(client, named if named.startswith("biz_") else config.whop_account_id)


def require_enabled(config: Settings, source: str) -> None:
    """Refuse to work while a source's feature flag is off."""
    if not config.enabled(source):
        raise ConfigError(
            f"ENABLE_{source.upper()} is off: nothing is read from {source}.",
            hint="What arrives meanwhile is kept. Set it to true to go on.",
        )


class WarehouseResource(dg.ConfigurableResource):  # pyright: ignore[reportMissingTypeArgument] - Dagster's own idiom
    """The warehouse of ``DATABASE_URL``. A run that uses it is marked with its process before its first step."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Called by Dagster before the first step of a run, and for each look of a sensor."""
        if context.run is not None and context.instance is not None:
            liveness.mark(context.instance, context.run.run_id)

    def open(self) -> Warehouse:
        """Connect and migrate on first use."""
        return open_warehouse(settings.load().warehouse_url)


class GumroadResource(dg.ConfigurableResource):  # pyright: ignore[reportMissingTypeArgument] - Dagster's own idiom
    """Clients of the connected Gumroad accounts."""

    def client(self, warehouse: Warehouse, profile_id: str) -> GumroadClient:
        """See :func:`gumroad_client`."""
        return gumroad_client(settings.load(), warehouse, profile_id)

    def ring(self) -> KeyRing:
        """The keys that hash buyers' addresses."""
        return installation_ring(settings.load())

    def require_enabled(self) -> None:
        """Refuse while ``ENABLE_GUMROAD`` is off."""
        require_enabled(settings.load(), "gumroad")


class WhopResource(dg.ConfigurableResource):  # pyright: ignore[reportMissingTypeArgument] - Dagster's own idiom
    """Clients of the connected Whop accounts, and what their plans mean here."""

    def access(self, warehouse: Warehouse, profile_id: str) -> WhopAccess:
        """See :func:`whop_access`."""
        return whop_access(settings.load(), warehouse, profile_id)

    def ring(self) -> KeyRing:
        """The keys that hash buyers' addresses."""
        return installation_ring(settings.load())

    def tiers(self) -> Tiers:
        """Tier of each plan, of WHOP_TIERS and WHOP_PAST_DUE_ACCESS."""
        config = settings.load()
        return parse_tiers(config.whop_tiers, past_due=config.whop_past_due_access)

    def require_enabled(self) -> None:
        """Refuse while ``ENABLE_WHOP`` is off."""
        require_enabled(settings.load(), "whop")
