"""Links that begin the connecting of an account, and the memory of the states that were used."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from creator_pipeline.core import signing
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.retention import STATES
from creator_pipeline.store.tables import webhook_events
from creator_pipeline.store.upserts import insert_into

LINK_SECONDS = 3600
_LINK = "oauth-link.v1"


class Link(NamedTuple):
    """Who is connected. ``replace``: an operator said that the account may be another one than before."""

    profile_id: str
    replace: bool


def start_link(ring: KeyRing, public_url: str, platform: str, profile_id: str, *, replace: bool = False) -> str:
    """The address a seller opens to connect a profile; good for an hour. Its page says which profile it is.

    Args:
        ring: signs it.
        public_url: of the gateway.
        platform: its name.
        profile_id: who is connected.
        replace: the account may be another one than the profile's sales are of.
    """
    signed = signing.sign(ring, _LINK, [profile_id, replace])
    return f"{public_url}/oauth/{platform}/connect?profile_id={profile_id}&link={signed}"


def read_link(ring: KeyRing, link: str) -> Link | None:
    """What a link is for; None where it is old or forged."""
    word = signing.read(ring, _LINK, link, LINK_SECONDS)
    if isinstance(word, str):
        return Link(word, replace=False)  # of a release before
    return None if word is None else Link(str(word[0]), replace=bool(word[1]))


def is_used(warehouse: Warehouse, nonce: str) -> bool:
    """Whether a state was used."""
    table = webhook_events.c
    with warehouse.read() as connection:
        asked = select(table.delivery_id).where(table.provider == STATES, table.delivery_id == nonce)
        return connection.execute(asked).first() is not None


def use_once(connection: Connection, nonce: str, profile_id: str) -> bool:
    """Whether a state is used for the first time; remembered until its signature is too old by far.

    Args:
        connection: of the transaction in which that matters.
        nonce: of the state.
        profile_id: who is connected.
    """
    row = {
        "provider": STATES,
        "delivery_id": nonce,
        "received_at": now(),
        "verified": True,
        "profile_id": profile_id,
        "payload": "{}",
        "status": "done",
        "repeats": 0,
    }
    statement = insert_into(connection, webhook_events).values(row).on_conflict_do_nothing()
    return connection.execute(statement).rowcount == 1
