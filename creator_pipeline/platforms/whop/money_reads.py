"""Which parts of the money of an account can be read: without one of them the others, and the payments, go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, select

from creator_pipeline.core.errors import AuthError
from creator_pipeline.platforms.books import NotReadable
from creator_pipeline.platforms.whop import money_catalog as catalog
from creator_pipeline.platforms.whop.answers import NotFoundError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.models import account_of
from creator_pipeline.store.load import upsert
from creator_pipeline.store.tables import whop_money_reads

T = TypeVar("T")
NO_CALL = "Whop's server has no such call in this version, or the account isn't there"
NO_ACCOUNT = "the account's id (biz_…) isn't known"
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
        """What ``read`` brings; None where the key may not, or the server can't.

        Args:
            part: key of :data:`money_catalog.OPERATIONS`.
            read: asks the API.

        Raises:
            AuthError: the key itself is refused.
        """
        try:
            found = read()
        except NotFoundError:
            self.refused[part] = NO_CALL
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
    columns = whop_money_reads.c
    stored = connection.execute(select(columns.part, columns.read_at).where(columns.profile_id == profile_id))
    known = dict(stored.all())
    rows = [
        (profile_id, part, moment if part in reads.read else known.get(part), reads.refused.get(part))
        for part in parts
        if part in reads.read or part in reads.refused
    ]
    upsert(connection, whop_money_reads, rows)


def readable_parts(connection: Connection, profile_id: str) -> dict[str, datetime]:
    """When each part that can be read was read last."""
    columns = whop_money_reads.c
    found = connection.execute(
        select(columns.part, columns.read_at).where(
            columns.profile_id == profile_id, columns.refused.is_(None), columns.read_at.is_not(None)
        )
    )
    return {part: read_at for part, read_at in found if read_at is not None}


def not_readable(connection: Connection, profile_id: str) -> Iterator[NotReadable]:
    """The tables that the account's key or server doesn't give, as of the last reading."""
    columns = whop_money_reads.c
    found = connection.execute(
        select(columns.part, columns.refused)
        .where(columns.profile_id == profile_id, columns.refused.is_not(None))
        .order_by(columns.part)
    )
    for part, detail in found:
        lacks = f"Give the key {catalog.PERMISSIONS[part]} under Developer, API keys."
        yield NotReadable(part, detail, _HINTS.get(detail, lacks))
