"""The way to a profile's Gumroad account."""

from __future__ import annotations

import math

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.http import Renew
from creator_pipeline.platforms.gumroad import PLATFORM, oauth
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.runtime.resources import PlatformResource
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source
from creator_pipeline.store.token_keys import installation_ring

SOURCE = PLATFORM.source


def gumroad_client(config: Settings, warehouse: Warehouse, profile_id: str) -> GumroadClient:
    """A client of one profile's Gumroad account.

    Raises:
        ConfigError: the profile doesn't exist or isn't connected.
        AuthError: its connection was revoked.
    """
    connection = profiles.get_connection(warehouse, installation_ring(config), PLATFORM.in_ledger, profile_id)
    return client_of_token(config, connection.access_token, renew=_renewal(config, warehouse, profile_id))


def client_of_token(
    config: Settings, token: str, *, renew: Renew | None = None, until: float = math.inf
) -> GumroadClient:
    """A client with a token, at the token's pace.

    Args:
        config: names the API and the pace.
        token: of the account.
        renew: returns a new token in place of one that is refused.
        until: moment of ``time.monotonic`` after which it asks nothing more.
    """
    return GumroadClient(config.gumroad_api_url, token, PLATFORM.pace(config, token), renew=renew, until=until)


def _renewal(config: Settings, warehouse: Warehouse, profile_id: str) -> Renew | None:
    """The way to a new token; None without an OAuth application: tokens of a settings page can't be refreshed."""
    try:
        app = oauth.oauth_app(config)
    except ConfigError:
        return None
    return lambda refused: oauth.refresh(warehouse, installation_ring(config), app, profile_id, refused)


class GumroadResource(PlatformResource):
    """Clients of the connected Gumroad accounts."""

    def source(self) -> Source:
        """Gumroad."""
        return SOURCE

    def client(self, warehouse: Warehouse, profile_id: str) -> GumroadClient:
        """See :func:`gumroad_client`."""
        return gumroad_client(settings.load(), warehouse, profile_id)
