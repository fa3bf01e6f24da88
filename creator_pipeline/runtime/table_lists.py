"""The lists of an account, and how a list is read: whole, or bit by bit over many nights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from creator_pipeline.core.errors import DataError, RejectedError, TransientError
from creator_pipeline.core.json_fields import FieldReader, Json
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.runtime.table_rows import Row, RowMaker
from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change
from creator_pipeline.store.source import Source
from creator_pipeline.store.table_streams import ParentRow, TableStream
from creator_pipeline.store.unreadable import Unreadable

_TICK = timedelta(milliseconds=1)
ALL = ParentRow({})
"""In place of a parent, where one list has all rows of an account."""


class NoTableError(RejectedError):
    """The server doesn't know the list."""


class NoParentError(RejectedError):
    """There is no such object whose rows were asked for."""


class Lists(Protocol):
    """The lists of one account, as the platform's client gives them."""

    def pages(self, path: str, asked: Mapping[str, str], list_key: str) -> Iterator[list[Json]]:
        """The pages of a list, asked for one by one.

        Args:
            path: with what names the parent.
            asked: parameters.
            list_key: of the answers.

        Raises:
            NoTableError: the server doesn't know the list.
            NoParentError: there is no such parent.
            AuthError: the token may not read it.
            DataError: an answer isn't a page of the list.
        """
        ...

    def one(self, path: str, object_key: str) -> Json | None:
        """One object; None where there is none.

        Args:
            path: with its id.
            object_key: of the answer.
        """
        ...

    def usage(self) -> Mapping[str, int | float]:
        """Requests and waiting so far."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """One profile's account, whose tables are read.

    Attributes:
        source: the platform.
        lists: of the account.
        fields: reads the platform's objects.
        ring: hashes addresses.
        connect: what a person does to connect the account again.
    """

    warehouse: Warehouse
    source: Source
    profile_id: str
    lists: Lists
    fields: FieldReader
    ring: KeyRing
    connect: str = ""

    def maker(self, stream: TableStream, moment: datetime) -> RowMaker:
        """What makes the rows of a table."""
        with self.warehouse.read() as connection:
            forgotten = erasure.forgotten(connection)
        return RowMaker(stream, self.fields, self.ring, forgotten, self.profile_id, moment)


OpenAccount = Callable[[Any], AbstractContextManager[Account]]
"""(request of a load) to the account."""


@dataclass(slots=True)
class TableRead:
    """What a reading of a table came to.

    Attributes:
        refused: why the account doesn't give the table; None where it does.
        lists: that were read.
        odd: objects that could not be read. Their rows stay as they were.
        new_keys: of objects, that the declaration doesn't name.
    """

    refused: Unreadable | None = None
    lists: int = 0
    change: Change = field(default_factory=Change)
    odd: list[Unreadable] = field(default_factory=list[Unreadable])
    new_keys: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Listed:
    """A list as it was read.

    Attributes:
        spans: times of creation, both ends exclusive, of which all rows were read; of all times where there are none.
        mark: where the next turn goes on; empty where the list was read to its end.
    """

    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict[tuple[Any, ...], Row])
    odd: dict[str, Unreadable] = field(default_factory=dict[str, Unreadable])
    pages: int = 0
    spans: list[tuple[datetime | None, datetime | None]] = field(
        default_factory=list[tuple[datetime | None, datetime | None]]
    )
    mark: str = ""

    def covers(self, stream: TableStream, row: Row) -> bool:
        """Whether the row should have been among those that were read."""
        if not self.spans:
            return True
        at = row[stream.newest_first]
        return any((after is None or at > after) and (before is None or at < before) for after, before in self.spans)


def add_page(
    stream: TableStream, maker: RowMaker, parent: ParentRow, page: Sequence[Json], listed: Listed, found: TableRead
) -> list[Row]:
    """Add the rows of a page; returns them without those that can't be read.

    Args:
        stream: of the list.
        maker: of its rows.
        parent: of the list.
        page: its objects.
        listed: what they are added to.
        found: where new keys are told.
    """
    known, added = stream.known_keys, list[Row]()
    for item in page:
        found.new_keys |= item.keys() - known
        try:
            row = maker.row(item, parent.values)
        except DataError as error:
            name = str(item.get("id"))
            listed.odd[name] = Unreadable(stream.name, name, error.message, error.hint)
            continue
        listed.rows[maker.key(row)] = row
        added.append(row)
    return added


def whole(account: Account, stream: TableStream, maker: RowMaker, parent: ParentRow, found: TableRead) -> Listed:
    """Read a list to its end.

    Args:
        account: whose list.
        stream: of the list.
        maker: of its rows.
        parent: of the list.
        found: where new keys are told.
    """
    try:
        return _read(account, stream, maker, parent, found, stream.asked)
    except TransientError:
        if not stream.in_pages:
            raise
        return _read(account, stream, maker, parent, found, {**stream.asked, **stream.in_pages})


def _read(
    account: Account,
    stream: TableStream,
    maker: RowMaker,
    parent: ParentRow,
    found: TableRead,
    parameters: Mapping[str, str],
) -> Listed:
    listed = Listed()
    asked = {name.format(**parent.values): value for name, value in parameters.items()}
    for page in account.lists.pages(stream.path.format(**parent.values), asked, stream.list_key):
        listed.pages += 1
        add_page(stream, maker, parent, page, listed, found)
    return listed


def bit_by_bit(
    account: Account,
    stream: TableStream,
    maker: RowMaker,
    stored: Mapping[tuple[Any, ...], Row],
    mark: str,
    found: TableRead,
) -> Listed:
    """Read the newest pages up to one that brings nothing, and a few of those that were read longest ago.

    Args:
        account: whose list.
        stream: of the list, which is told newest first.
        maker: of its rows.
        stored: its rows that are there, by key.
        mark: where the last turn ended; empty where it was at the end of the list.
        found: where new keys are told.
    """
    listed, created = Listed(), stream.newest_first
    oldest: datetime | None = None
    for page in account.lists.pages(stream.path, stream.asked, stream.list_key):
        listed.pages += 1
        rows = add_page(stream, maker, ALL, page, listed, found)
        oldest = min((row[created] for row in rows), default=oldest)
        if oldest and all(_same(stream, stored.get(maker.key(row)), row) for row in rows):
            break
    else:
        return listed
    if not stored.keys() - listed.rows.keys():
        # Nothing is older than what was read.
        return listed
    before = min(oldest + _TICK, datetime.fromisoformat(mark)) if mark else oldest + _TICK
    listed.spans.append((oldest, None))
    asked = {**stream.asked, "created_before": before.isoformat()}
    reached, turned = before, 0
    assert stream.turns is not None  # noqa: S101 - what is read bit by bit takes turns
    for page in account.lists.pages(stream.path, asked, stream.list_key):
        listed.pages, turned = listed.pages + 1, turned + 1
        rows = add_page(stream, maker, ALL, page, listed, found)
        reached = min((row[created] for row in rows), default=reached)
        if turned == stream.turns.pages and reached < before - _TICK:
            listed.spans.append((reached, before))
            # Rows of the last moment may go on behind the page.
            listed.mark = (reached + _TICK).isoformat()
            return listed
    listed.spans.append((None, before))
    return listed


def _same(stream: TableStream, stored: Row | None, row: Row) -> bool:
    # A person who was taken out of a stored row is no change of it.
    blank = {name for name in stream.of_buyer if stored and stored[name] is None}
    names = [one.name for one in stream.fields if one.name not in blank]
    return stored is not None and all(stored[name] == row[name] for name in names)
