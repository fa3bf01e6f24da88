"""Parts of an account's money that its token or server doesn't give, as the last reading found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from creator_pipeline.platforms.books import NotReadable
from creator_pipeline.platforms.gumroad import PLATFORM, catalog
from creator_pipeline.platforms.gumroad.answers import NoScopeError
from creator_pipeline.store import unreadable

_PROVIDER = PLATFORM.in_ledger
OLD_SERVER = "This Gumroad is older than its payouts: they can't be read."
NO_LINES = "This Gumroad is older than the lines of its payouts: only their amounts are known."
BRINGS = "Every payout is then explained sale by sale, and fees and refunds are exact to the cent."
GOES_ON = "Sales go on; what goes back of them is estimated."


def not_readable(connection: Connection, profile_id: str) -> Iterator[NotReadable]:
    """Whole parts that can't be read, why, and what to do about it."""
    found = unreadable.unreadable_of(connection, _PROVIDER, profile_id)
    return (NotReadable(one.part, one.detail, one.hint, one.brings) for one in found if not one.object_id)


def refusal(profile_id: str, part: str, error: NoScopeError) -> NotReadable:
    """What a refused call means for a part of the money.

    Args:
        profile_id: whose account.
        part: of the money.
        error: what became of the call.
    """
    asked = error.scope in catalog.SCOPES
    connect = PLATFORM.where_to_connect.format(profile_id=profile_id)
    hint = (
        f"Connect the account again with the scopes {' '.join(catalog.SCOPES)}: {connect}. {GOES_ON}" if asked else ""
    )
    return NotReadable(part, error.message, hint, BRINGS if asked else "")


def remember(connection: Connection, profile_id: str, part: str, found: NotReadable | None, moment: datetime) -> bool:
    """Keep that a part can't be read, or that it can; returns whether that is news.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        part: of the money.
        found: why it can't be read; None where it can.
        moment: of the reading.
    """
    if found is None:
        return unreadable.forget(connection, _PROVIDER, profile_id, [(part, "")])
    one = unreadable.Unreadable(part, "", found.detail, found.hint, found.brings)
    return unreadable.remember(connection, _PROVIDER, profile_id, [one], moment)
