"""Links of mails to a creator's own page: signed, expiring, without an address in them.

A link is good for whoever has the mail, as often as it is opened: mailboxes' scanners open links before people do. It
is tied to the mailbox it was sent to: once the profile's address is another one, former links lead nowhere.
"""

from __future__ import annotations

from sqlalchemy import select

from creator_pipeline.core import signing
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import profiles
from creator_pipeline.store.token_keys import installation_ring

LINK_SECONDS = 8 * 24 * 3600
"""The weekly digest brings the next link before this one ends."""
_PURPOSE = "page-link.v1"


def url(settings: Settings, profile_id: str, address: str) -> str:
    """Where a profile's page opens, for the mailbox of ``address``."""
    ring = installation_ring(settings)
    return f"{settings.public_url}/me/enter/{signing.sign(ring, _PURPOSE, [profile_id, mailbox(ring, address)])}"


def read(ring: KeyRing, token: str) -> tuple[str, str] | None:
    """(profile, mailbox) of a link's token; None where it is old or not ours."""
    word = signing.read(ring, _PURPOSE, token, LINK_SECONDS)
    return None if word is None else (str(word[0]), str(word[1]))


def mailbox(ring: KeyRing, address: str) -> str:
    """Stands for an address in what leaves this installation."""
    return ring.hash_address(address)[:16]


def is_current(warehouse: Warehouse, ring: KeyRing, profile_id: str, told: str) -> bool:
    """Whether the profile exists and its address is still that mailbox.

    Args:
        warehouse: has the profile.
        ring: the keys of this installation.
        profile_id: the link's profile.
        told: the link's mailbox, as :func:`read` returns it.
    """
    with warehouse.read() as connection:
        address = connection.execute(select(profiles.c.email).where(profiles.c.id == profile_id)).scalar()
    return address is not None and mailbox(ring, address) == told
