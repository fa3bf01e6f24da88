"""Which parts of the money of an account can be read: without one of them the others, and the payments, go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, select

from creator_pipeline.core.errors import AuthError, DataError
from creator_pipeline.platforms.books import NotReadable
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop import money_catalog as catalog
from creator_pipeline.platforms.whop.answers import NotFoundError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.models import account_of
from creator_pipeline.store import unreadable
from creator_pipeline.store.load import upsert
from creator_pipeline.store.tables import whop_money_reads

T = TypeVar("T")
NO_CALL = "Whop's server has no such call in this version, or the account isn't there"
ODD = "Whop's answer can't be read:"
"""Begins why a part isn't read whose answer lacks something. What is stored of it stays."""
NO_ACCOUNT = "the account's id (biz_…) isn't known"
_ALONE = frozenset(("ledger_accounts", "financial_reports"))
"""Parts on which no other one rests."""
_HINTS = {
    NO_CALL: "Nothing here, where the server is an old one; else check the account's id (biz_…).",
    NO_ACCOUNT: "Set WHOP_ACCOUNT_ID, or connect the profile with its account.",
}


@dataclass
class Reads:
    """What came of the readings of one run, by part.

    Attributes:
        refused: why a part can't be read.
        read: parts that were read.
    """

    refused: dict[str, str] = field(default_factory=dict[str, str])
    read: set[str] = field(default_factory=set[str])

    def of(self, part: str, read: Callable[[], T]) -> T | None:
        """What ``read`` brings; None where the key may not, the server can't, or the answer can't be read.

        Args:
            part: key of :data:`money_catalog.OPERATIONS`.
            read: asks the API.

        Raises:
            AuthError: the key itself is refused.
            DataError: an answer of the feed or of the payouts lacks what matters.
        """
        try:
            found = read()
        except NotFoundError:
            self.refused[part] = NO_CALL
        except DataError as error:
            if part not in _ALONE:
                raise
            self.refused[part] = f"{ODD} {error.message}"
        except AuthError as error:
            if error.revoked:
                raise
            self.refused[part] = f"the key lacks {catalog.PERMISSIONS[part]}"
        else:
            self.read.add(part)
            return found
        return None


def account_known(reads: Reads, client: WhopClient, account_id: str | None, *parts: str) -> str | None:
    """The account's id; of a key that came without it, as a membership names it.

    Args:
        reads: learns it where it isn't known.
        client: of the account.
        account_id: ``biz_…``, where it is known.
        parts: that can't be read without.
    """
    if account_id is None:
        membership = next(client.memberships(), None)
        account_id = account_of(membership) if membership else None
    if account_id is None:
        reads.refused |= dict.fromkeys(parts, NO_ACCOUNT)
    return account_id


def store_reads(connection: Connection, profile_id: str, reads: Reads, parts: Iterable[str], moment: datetime) -> None:
    """Remember what could be read.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        reads: of this run.
        parts: that this run is about.
        moment: of the run.
    """
    upsert(connection, whop_money_reads, [(profile_id, part, moment) for part in parts if part in reads.read])
    provider = PLATFORM.in_ledger
    unreadable.forget(connection, provider, profile_id, [(part, "") for part in reads.read])
    refused = [
        unreadable.Unreadable(part, "", reads.refused[part], hint_of(part, reads.refused[part]))
        for part in parts
        if part in reads.refused
    ]
    unreadable.remember(connection, provider, profile_id, refused, moment)


def hint_of(part: str, why: str) -> str:
    """What to do about a part that can't be read.

    Args:
        part: key of :data:`money_catalog.OPERATIONS`.
        why: as it was kept.
    """
    if why.startswith(ODD):
        return "It is read again each night. Update this package, or tell its authors."
    return _HINTS.get(why, f"Give the key {catalog.PERMISSIONS[part]} under Developer, API keys.")


def readable_parts(connection: Connection, profile_id: str) -> dict[str, datetime]:
    """When each part that can be read was read last."""
    columns = whop_money_reads.c
    refused = {one.table for one in not_readable(connection, profile_id)}
    found = connection.execute(select(columns.part, columns.read_at).where(columns.profile_id == profile_id))
    return {part: read_at for part, read_at in found if part not in refused}


def not_readable(connection: Connection, profile_id: str) -> Iterator[NotReadable]:
    """The tables that the account's key or server doesn't give, as of the last reading."""
    found = unreadable.unreadable_of(connection, PLATFORM.in_ledger, profile_id)
    for one in found:
        if not one.object_id:
            hint = one.hint or (hint_of(one.part, one.detail) if one.part in catalog.PERMISSIONS else "")
            yield NotReadable(one.part, one.detail, hint)
