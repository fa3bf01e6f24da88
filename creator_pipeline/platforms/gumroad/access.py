"""The way to a profile's Gumroad account."""

from __future__ import annotations

import math

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError, ConfigError, DataError, RejectedError
from creator_pipeline.core.http import Renew
from creator_pipeline.mail.render import one_line
from creator_pipeline.platforms.accounts import confirm
from creator_pipeline.platforms.gumroad import PLATFORM, oauth
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.runtime.resources import PlatformResource
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.accounts import SellerAccount
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source
from creator_pipeline.store.token_keys import installation_ring

SOURCE = PLATFORM.source


def gumroad_client(config: Settings, warehouse: Warehouse, profile_id: str) -> GumroadClient:
    """A client of one profile's Gumroad account.

    Raises:
        ConfigError: the profile doesn't exist or isn't connected, or the token is of another account than its sales.
        AuthError: its connection was revoked.
    """
    ring = installation_ring(config)
    connection = profiles.get_connection(warehouse, ring, PLATFORM.in_ledger, profile_id)
    client = client_of_token(config, connection.access_token, renew=_renewal(config, warehouse, profile_id))
    try:
        confirm(warehouse, ring, PLATFORM, connection, lambda: account_of(client))
    except BaseException:
        client.close()
        raise
    return client


def account_of(client: GumroadClient) -> SellerAccount | None:
    """Whose token it is; None where the server doesn't tell, or not to this token.

    Raises:
        AuthError: the token is revoked.
        TransientError: Gumroad can't answer now.
    """
    try:
        user = client.user()
    except AuthError as error:
        if error.revoked:
            raise
        return None
    except (RejectedError, DataError):
        return None
    told, name = user.get("user_id") or user.get("id"), user.get("name")
    return (
        SellerAccount(str(told), one_line(name) if isinstance(name, str) and name.strip() else None) if told else None
    )


def account_of_token(config: Settings, token: str) -> SellerAccount | None:
    """:func:`account_of` for a token."""
    with client_of_token(config, token) as client:
        return account_of(client)


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
