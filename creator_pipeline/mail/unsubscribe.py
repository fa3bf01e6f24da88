"""Links that turn a category of notices off: signed, without an address in them, good for as long as a key is.

``GET`` shows :func:`read`'s answer and changes nothing; ``POST`` calls :func:`turn_off` (RFC 8058).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, union

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.mail.kinds import CATEGORIES
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, email_suppressions, profiles
from creator_pipeline.store.token_keys import installation_ring
from creator_pipeline.store.upserts import insert_new

if TYPE_CHECKING:
    from itsdangerous import URLSafeSerializer

ALL = "*"
_HASHED = "~"
_SALT = "unsubscribe.v1"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a link is about.

    Attributes:
        address: whose mails; never shown in full to whoever holds the link.
        category: a key of :data:`creator_pipeline.mail.kinds.CATEGORIES`.
        words: the category for people.
        wanted: for each category, whether it is still sent.
    """

    address: str
    category: str
    words: str
    wanted: dict[str, bool]

    @property
    def masked(self) -> str:
        """``a…@example.com``."""
        return masked(self.address)


def masked(address: str) -> str:
    """``a…@example.com``."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}…@{domain}"


def token(settings: Settings, category: str, *, address: str, profile_id: str | None) -> str:
    """The same for the same reader and category, so that a payload with it is the same at each attempt.

    Args:
        settings: name the keys.
        category: a key of :data:`creator_pipeline.mail.kinds.CATEGORIES`.
        address: the reader's; only its hash is used, and only where there is no profile.
        profile_id: the reader's; None for a reader without a profile.
    """
    ring = installation_ring(settings)
    return _signer(ring).dumps({"u": profile_id or _HASHED + ring.hash_address(address), "k": category})


def url(settings: Settings, made: str) -> str:
    """Where a token's page is."""
    return f"{settings.public_url}/unsubscribe/{made}"


def read(warehouse: Warehouse, settings: Settings, made: str) -> Choice | None:
    """What a token is about; None where it is forged, mistyped, or its reader is gone. Changes nothing."""
    from itsdangerous import BadData

    ring = installation_ring(settings)
    try:
        said: Any = _signer(ring).loads(made)
        reader, category = str(said["u"]), str(said["k"])
    except (BadData, KeyError, TypeError, UnicodeError):
        return None
    if category not in CATEGORIES:
        return None
    with warehouse.read() as connection:
        address = _address(connection, ring, reader)
        if address is None:
            return None
        return Choice(address, category, CATEGORIES[category], wanted(connection, address))


def turn_off(warehouse: Warehouse, settings: Settings, made: str, *, everything: bool = False) -> bool:
    """Turn a category of notices off for the token's reader; False for a bad token. May be repeated.

    Args:
        warehouse: has the suppressions.
        settings: name the keys.
        made: from :func:`token`.
        everything: turn off every category of notices, not only the token's.
    """
    choice = read(warehouse, settings, made)
    if choice is None:
        return False
    row = {
        "email": choice.address.casefold(),
        "category": ALL if everything else choice.category,
        "reason": "unsubscribed",
        "created_at": now(),
    }
    with warehouse.write() as connection:
        insert_new(connection, email_suppressions, row)
    return True


def why_suppressed(connection: Connection, address: str, category: str) -> str | None:
    """Why an address gets no mail of this category; None where it may.

    An address that bounces or complained gets none at all. What a person turned off stops notices only: who can't
    reset a password any more is locked out.
    """
    table = email_suppressions
    rows = connection.execute(select(table.c.category, table.c.reason).where(table.c.email == address.casefold())).all()
    for row in rows:
        if row.category == ALL and row.reason != "unsubscribed":
            return f"The address {'bounces' if row.reason == 'bounced' else row.reason} (suppressed)."
        if category in CATEGORIES and row.category in {category, ALL}:
            return f"The reader turned {'all notices' if row.category == ALL else category + ' notices'} off."
    return None


def wanted(connection: Connection, address: str) -> dict[str, bool]:
    """For each category of notices, whether this address gets it."""
    return {category: why_suppressed(connection, address, category) is None for category in CATEGORIES}


def choose(connection: Connection, address: str, wishes: Mapping[str, bool]) -> None:
    """Turn each category on or off for an address, all of them at once; one that bounces stays blocked."""
    table, email = email_suppressions, address.casefold()
    turned_off = (table.c.email == email, table.c.reason == "unsubscribed")
    connection.execute(delete(table).where(*turned_off, table.c.category.in_([*CATEGORIES, ALL])))
    for category in CATEGORIES:
        if not wishes.get(category, False):
            row = {"email": email, "category": category, "reason": "unsubscribed", "created_at": now()}
            insert_new(connection, table, row)


def _signer(ring: KeyRing) -> URLSafeSerializer:
    from itsdangerous import URLSafeSerializer

    # The library's own defaults are SHA-1 and a plain concatenation.
    return URLSafeSerializer(
        ring.purpose_key("unsubscribe"),
        salt=_SALT,
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )


def _address(connection: Connection, ring: KeyRing, reader: str) -> str | None:
    if not reader.startswith(_HASHED):
        return connection.execute(select(profiles.c.email).where(profiles.c.id == reader)).scalar()
    # A reader without a profile: rare, so reading all known addresses is cheaper than a table for them.
    known = connection.execute(union(select(email_messages.c.to), select(profiles.c.email))).scalars()
    return next((address for address in known if ring.hash_address(address) == reader[1:]), None)
