"""What ``profiles add`` does with a token: whose account it is, and whether it may be taken."""

from __future__ import annotations

import click
from sqlalchemy import Connection

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.settings import Settings
from creator_pipeline.store import accounts, profiles
from creator_pipeline.store.accounts import SellerAccount
from creator_pipeline.store.engine import Warehouse


def named(account: SellerAccount | None) -> str:
    """The account in brackets; empty where it wasn't asked."""
    return f" (account {account})" if account else ""


def account_of(
    stored: Warehouse, ring: KeyRing, config: Settings, platform: Platform, profile_id: str, token: str
) -> SellerAccount | None:
    """The account of a token, where the profile has one already; None where it can be asked later, too.

    Args:
        stored: knows the profile's account.
        ring: decrypts the stored tokens.
        config: of the installation.
        platform: where the account is.
        profile_id: whose token it is.
        token: in clear.
    """
    if platform.account_of_token is None:
        return None
    with stored.read() as connection:
        known = accounts.known(connection, platform.in_ledger, profile_id)
        same = profiles.holder_of(connection, ring, platform.in_ledger, token) == profile_id
    if known is None or same:
        return None
    try:
        return platform.account_of_token.get()(config, token)
    except TransientError as error:
        text = f"{error.message} Whose account the token is will be asked before anything is read."
        click.echo(text, err=True)
        return None


def connect(
    connection: Connection,
    ring: KeyRing,
    config: Settings,
    platform: Platform,
    profile_id: str,
    given: str,
    account: SellerAccount | None,
) -> bool:
    """Connect by the token that was given, else by the environment's where that is nobody's yet.

    Args:
        connection: a write transaction.
        ring: encrypts the token.
        config: of the installation.
        platform: where the account is.
        profile_id: who is connected.
        given: the token; empty where none was given.
        account: whose token it is, where that was asked.

    Raises:
        ConfigError: the given token is another profile's.
    """
    credential, provider = platform.credential, platform.in_ledger
    if credential is None:
        return False
    token = given or credential.of_environment(config)
    # A profile whose address is changed keeps its connection; only what was asked for replaces it.
    if not token or (not given and profiles.is_connected(connection, provider, profile_id)):
        return False
    holder = profiles.holder_of(connection, ring, provider, token)
    if holder not in (None, profile_id):
        if given:
            raise ConfigError(
                f"This {platform.name} token is {holder}'s: with two profiles its sales would be booked twice.",
                hint=f"Use {holder}, or first: creator-pipeline profiles remove {holder}",
            )
        text = f"{credential.variable} is {holder}'s, so {profile_id} is not connected to {platform.name}."
        click.echo(text, err=True)
        return False
    account_id = None if given else credential.account_of_environment(config)
    account_id = account.id if account else account_id
    profiles.connect(connection, ring, provider, profile_id, token, external_account_id=account_id)
    return True
