"""What happens once a seller has said yes at Gumroad: tokens, pings, the first sync."""

from __future__ import annotations

import logging

from creator_pipeline.core.errors import AuthError, PipelineError, RejectedError, TransientError
from creator_pipeline.platforms.first_load import first_load
from creator_pipeline.platforms.gumroad import PLATFORM, oauth, subscriptions
from creator_pipeline.platforms.gumroad.access import account_of, client_of_token
from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.oauth import Grant
from creator_pipeline.platforms.oauth import Connected, Connecting, OAuth, UnfinishedError
from creator_pipeline.settings import Settings
from creator_pipeline.store import accounts, profiles
from creator_pipeline.store.accounts import SellerAccount

_log = logging.getLogger(__name__)


def connect(asked: Connecting) -> Connected:
    """Exchange the code and set everything up. The tokens are stored first; pings can be registered later too.

    Raises:
        AuthError: the code is no good, or a scope is missing; names it.
        OtherAccountError: the account is not the one that the profile's sales are of. Nothing was stored.
        UnfinishedError: Gumroad or the warehouse can't be used any more; the tokens are kept for the next try.
        PipelineError: Gumroad or the warehouse can't be used.
    """
    if asked.kept:
        grant = Grant.unpacked(asked.kept)
    else:
        grant = oauth.exchange(oauth.oauth_app(asked.config), asked.code, asked.verifier)
    try:
        return _set_up(asked, grant)
    except TransientError as error:
        raise UnfinishedError(error, grant.packed()) from None


def _set_up(asked: Connecting, grant: Grant) -> Connected:
    if missing := grant.missing_scopes():
        raise AuthError(
            f"The scope {' and '.join(missing)} was not given, so the sales can't be read.",
            hint="Start again and allow everything that is asked for; it is read only.",
        )
    with client_of_token(asked.config, grant.access_token, until=asked.until) as client:
        # None where the server doesn't tell: pings then are asked of every account.
        account = account_of(client)
        job_id = _store(asked, grant, account)
        name = (account.name or account.id) if account else ""
        try:
            return Connected(job_id, _register(asked, client), "", name)
        except PipelineError as error:
            _log.warning("Registering the pings of %s failed: %s", asked.profile_id, error)
            return Connected(job_id, 0, str(error), name)


def _store(asked: Connecting, grant: Grant, account: SellerAccount | None) -> str:
    job = first_load(asked.config, PLATFORM, asked.profile_id)
    with asked.warehouse.write() as connection:
        if not asked.use_state(connection):
            raise RejectedError("This answer of Gumroad was used already.")
        accounts.claim(connection, PLATFORM.source, asked.profile_id, account, replace=asked.replace)
        profiles.connect(
            connection,
            asked.ring,
            PLATFORM.in_ledger,
            asked.profile_id,
            grant.access_token,
            refresh_token=grant.refresh_token,
            external_account_id=account.id if account else None,
            scopes=" ".join(sorted(grant.scopes)) or None,
        )
        asked.queue.add(connection, [job])
    asked.queue.announce([job])
    return job.id


def _register(asked: Connecting, client: GumroadClient) -> int:
    secret = asked.config.require("GUMROAD_WEBHOOK_SECRET")
    made = subscriptions.register(client, asked.config.public_url, secret, asked.profile_id)
    return made.kept + made.created


def _authorize_url(config: Settings, state: str, verifier: str) -> str:
    return oauth.authorize_url(oauth.oauth_app(config), state, verifier)


OAUTH = OAuth(
    oauth.CALLBACK_PATH,
    oauth.oauth_app,
    _authorize_url,
    connect,
    events=len(RESOURCES),
    where_to_revoke="Gumroad, Settings, Advanced, Authorized applications.",
)
