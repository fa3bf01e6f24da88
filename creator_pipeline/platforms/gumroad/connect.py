"""What happens once a seller has said yes: tokens, pings, the first sync."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

from creator_pipeline.core import signing
from creator_pipeline.core.errors import AuthError, PipelineError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now, today
from creator_pipeline.gateway.services import Services
from creator_pipeline.platforms.gumroad import oauth, subscriptions
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.oauth import Grant
from creator_pipeline.queue.jobs import NewJob
from creator_pipeline.queue.pace import pace_for
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.retention import STATES
from creator_pipeline.store.tables import webhook_events
from creator_pipeline.store.upserts import insert_into

LINK_SECONDS = 3600
_LINK = "oauth-link.v1"
_USED = STATES
_log = logging.getLogger(__name__)


class Connected(NamedTuple):
    """What was made. ``problem`` says why there are no pings, where ``hooks`` is 0."""

    job_id: str
    hooks: int
    problem: str


def start_link(ring: KeyRing, public_url: str, profile_id: str) -> str:
    """The address a seller opens to connect a profile; good for an hour."""
    signed = signing.sign(ring, _LINK, profile_id)
    return f"{public_url}/oauth/gumroad/start?profile_id={profile_id}&link={signed}"


def profile_of_link(ring: KeyRing, link: str) -> str | None:
    """The profile a link is for; None where it is old or forged."""
    word = signing.read(ring, _LINK, link, LINK_SECONDS)
    return word if isinstance(word, str) else None


def use_once(warehouse: Warehouse, nonce: str, profile_id: str) -> bool:
    """Whether a state is used for the first time; remembered until its signature is too old by far."""
    row = {
        "provider": _USED,
        "delivery_id": nonce,
        "received_at": now(),
        "verified": True,
        "profile_id": profile_id,
        "payload": "{}",
        "status": "done",
        "repeats": 0,
    }
    with warehouse.write() as connection:
        statement = insert_into(connection, webhook_events).values(row).on_conflict_do_nothing()
        return connection.execute(statement).rowcount == 1


def connect_gumroad(house: Services, profile_id: str, code: str, verifier: str) -> Connected:
    """Exchange the code and set everything up. The tokens are stored first; pings can be registered later too.

    Raises:
        AuthError: the code is no good, or a scope is missing; names it.
        PipelineError: Gumroad or the warehouse can't be used.
    """
    grant = oauth.exchange(oauth.oauth_app(house.config), code, verifier)
    if missing := grant.missing_scopes():
        raise AuthError(
            f"The scope {' and '.join(missing)} was not given, so the sales can't be read.",
            hint="Start again and allow everything that is asked for; it is read only.",
        )
    pace = pace_for(house.config, "gumroad", grant.access_token)
    with GumroadClient(house.config.gumroad_api_url, grant.access_token, pace) as client:
        job_id = _store(house, profile_id, grant, str(client.user()["user_id"]))
        try:
            return Connected(job_id, _register(house, client, profile_id), "")
        except PipelineError as error:
            _log.warning("Registering the pings of %s failed: %s", profile_id, error)
            return Connected(job_id, 0, str(error))


def _store(house: Services, profile_id: str, grant: Grant, account_id: str) -> str:
    # Half-open, today included.
    until = today() + timedelta(days=1)
    span = {"from": house.config.pipeline_start_date.isoformat(), "to": until.isoformat()}
    job = NewJob(profile_id, "gumroad", "initial_sync", span, id=uuid4().hex)
    with house.warehouse.write() as connection:
        profiles.connect(
            connection,
            house.ring,
            "gumroad",
            profile_id,
            grant.access_token,
            refresh_token=grant.refresh_token,
            external_account_id=account_id,
            scopes=" ".join(sorted(grant.scopes)) or None,
        )
        house.queue.add(connection, [job])
    house.queue.announce([job])
    return job.id


def _register(house: Services, client: GumroadClient, profile_id: str) -> int:
    secret = house.config.require("GUMROAD_WEBHOOK_SECRET")
    made = subscriptions.register(client, house.config.public_url, secret, profile_id)
    return made.kept + made.created
