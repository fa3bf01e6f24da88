"""What of an account can't be read: whole parts of it, and single objects. It counts nowhere, and is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, select, tuple_

from creator_pipeline.core.odd_objects import NO_ID
from creator_pipeline.store.load import upsert
from creator_pipeline.store.tables import unreadable

_TABLE = unreadable.c


class Unreadable(NamedTuple):
    """A part of an account, or one object of it.

    Attributes:
        part: as ``payouts`` or ``refunds``.
        object_id: the platform's, or a digest where the object has none; empty where it is the whole part.
        detail: why, without secrets.
        hint: what to do about it.
        brings: what connecting again brings the seller; empty where it is no help.
        raw: a single object as it was told, without what is personal.
        asked: what its list was asked for, as JSON; only where the object has no id to be found by.
    """

    part: str
    object_id: str
    detail: str
    hint: str
    brings: str = ""
    raw: str = ""
    asked: str = ""


def remember(
    connection: Connection, provider: str, profile_id: str, found: Iterable[Unreadable], moment: datetime
) -> bool:
    """Keep what can't be read; returns whether any of it is news.

    Args:
        connection: of the transaction.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose account.
        found: what can't be read.
        moment: of the reading.
    """
    unique = {(one.part, one.object_id): one for one in found}
    rows = [
        (provider, profile_id, one.part, one.object_id, one.detail, one.hint, one.brings, moment, one.raw, one.asked)
        for one in unique.values()
    ]
    return upsert(connection, unreadable, rows).any if rows else False


def forget(connection: Connection, provider: str, profile_id: str, read: Iterable[tuple[str, str]]) -> bool:
    """Drop what can be read again; returns whether any of it was kept.

    Args:
        connection: of the transaction.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose account.
        read: (part, object's id) of what was read.
    """
    wanted = set(read)
    return _drop(
        connection, provider, profile_id, [key for key in _keys(connection, provider, profile_id) if key in wanted]
    )


def forget_unseen(
    connection: Connection,
    provider: str,
    profile_id: str,
    seen: Iterable[tuple[str, str]],
    covered: Callable[[Unreadable], bool],
) -> None:
    """Drop objects without an id that their list no longer shows.

    Args:
        connection: of the transaction.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose account.
        seen: (part, key) of what was read now.
        covered: whether what was read now would have shown an object.
    """
    shown = set(seen)
    kept = unreadable_of(connection, provider, profile_id)
    nameless = [one for one in kept if one.object_id.startswith(NO_ID) and (one.part, one.object_id) not in shown]
    _drop(connection, provider, profile_id, [(one.part, one.object_id) for one in nameless if covered(one)])


def _drop(connection: Connection, provider: str, profile_id: str, kept: list[tuple[str, str]]) -> bool:
    if not kept:
        return False
    these = tuple_(_TABLE.part, _TABLE.object_id).in_(kept)
    connection.execute(unreadable.delete().where(_mine(provider, profile_id), these))
    return True


def unreadable_of(connection: Connection, provider: str, profile_id: str) -> list[Unreadable]:
    """What is kept of an account, in order.

    Args:
        connection: to the warehouse.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose account.
    """
    columns = (_TABLE[name] for name in Unreadable._fields)
    asked = select(*columns).where(_mine(provider, profile_id)).order_by(_TABLE.part, _TABLE.object_id)
    return [Unreadable(*row) for row in connection.execute(asked)]


def _keys(connection: Connection, provider: str, profile_id: str) -> list[tuple[str, str]]:
    asked = select(_TABLE.part, _TABLE.object_id).where(_mine(provider, profile_id))
    return [(row.part, row.object_id) for row in connection.execute(asked)]


def _mine(provider: str, profile_id: str) -> ColumnElement[bool]:
    return and_(_TABLE.provider == provider, _TABLE.profile_id == profile_id)
