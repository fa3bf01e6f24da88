"""Objects of Whop that can't be read: they are kept as such, and their neighbours go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.store import unreadable as store
from creator_pipeline.store.unreadable import Unreadable

T = TypeVar("T")

HINT = "Look at it in Whop's dashboard. It is read again each night, and counts as soon as it can be read."


def unreadable(part: str, item: Json, error: DataError) -> Unreadable:
    """An object with what is missing.

    Args:
        part: its list, as ``refunds``.
        item: as the API tells it.
        error: what reading it raised.
    """
    lacks = f"no usable {error.column}" if error.column else error.message
    wanted = f"; expected {error.expected}" if error.expected else ""
    return Unreadable(part, str(item.get("id")), f"{lacks}{wanted}", HINT)


def good(part: str, items: Iterable[Json], read: Callable[[Json], T], odd: list[Unreadable]) -> Iterator[T]:
    """What ``read`` makes of each object; one that can't be read is told in ``odd``.

    Args:
        part: their list.
        items: as the API tells them.
        read: raises DataError.
        odd: takes what can't be read.
    """
    for item in items:
        try:
            yield read(item)
        except DataError as error:
            odd.append(unreadable(part, item, error))


def keep_odd(
    connection: Connection,
    profile_id: str,
    odd: Iterable[Unreadable],
    read: Iterable[tuple[str, str]],
    moment: datetime,
) -> None:
    """Keep what can't be read, and drop what can again.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        odd: what can't.
        read: (list, id) of what can, or is gone.
        moment: of the reading.
    """
    store.forget(connection, PLATFORM.in_ledger, profile_id, read)
    store.remember(connection, PLATFORM.in_ledger, profile_id, odd, moment)
