"""Reading the declared tables of a platform: which lists are asked for, and what is missing from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from creator_pipeline.core.errors import AuthError, DataError, RejectedError
from creator_pipeline.core.json_fields import FieldReader, Json
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.runtime import table_store
from creator_pipeline.runtime.table_rows import Row, RowMaker
from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change
from creator_pipeline.store.source import Source
from creator_pipeline.store.table_streams import ParentRow, TableStream
from creator_pipeline.store.unreadable import Unreadable

BRINGS = "They are then read each night, with all that they hold now."
"""What a consent with the missing scope brings, the same for every table: one mail asks for all of them."""
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
class _Listed:
    """A list, read whole."""

    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict[tuple[Any, ...], Row])
    odd: dict[str, Unreadable] = field(default_factory=dict[str, Unreadable])
    pages: int = 0


def read_table(account: Account, stream: TableStream, *, allow_shrink: bool = False) -> TableRead:
    """Read a table of an account and store it, list by list; what was read stays where a later list fails.

    Args:
        account: whose table.
        stream: its declaration.
        allow_shrink: accept that most rows of a list are gone.

    Raises:
        DataError: most rows of a list are gone, or an answer is no page of it.
        PipelineError: as the platform's client says.
    """
    found, moment = TableRead(), now()
    maker = account.maker(stream, moment)
    with account.warehouse.read() as connection:
        parents = list(stream.parents.rows(connection, account.profile_id)) if stream.parents else [ALL]
        due = table_store.due(connection, stream, account.source.provider, account.profile_id, parents, moment)
    try:
        for parent in due:
            _read_list(account, stream, maker, parent, found, allow_shrink=allow_shrink)
    except (NoTableError, AuthError) as error:
        if isinstance(error, AuthError) and error.revoked:
            raise
        found.refused = _refusal(account, stream, error)
    if stream.parents:
        names = {tuple(parent.values[name] for name in stream.parents.columns) for parent in parents}
        found.change += table_store.without_parents(
            account.warehouse, stream, account.source.provider, account.profile_id, names, moment
        )
    return found


def _read_list(
    account: Account, stream: TableStream, maker: RowMaker, parent: ParentRow, found: TableRead, *, allow_shrink: bool
) -> None:
    try:
        listed = _whole(account, stream, maker, parent, found)
    except NoParentError:
        # Its rows go when the parent is known to be gone.
        return
    found.lists += 1
    with account.warehouse.read() as connection:
        stored = table_store.present(connection, stream, account.profile_id, parent)
    missed = {key: row for key, row in stored.items() if key not in listed.rows and str(key[-1]) not in listed.odd}
    table_store.guard(stream, account.profile_id, len(stored), len(stored) - len(missed), allow_shrink=allow_shrink)
    gone = _looked_for(account, stream, maker, parent, missed, listed, found) if missed else {}
    found.odd += listed.odd.values()
    rows = [*listed.rows.values(), *(row | {"removed_at": maker.moment} for row in gone.values())]
    found.change += table_store.store_list(
        account.warehouse, stream, account.source.provider, account.profile_id, parent, rows, maker.moment
    )


def _whole(account: Account, stream: TableStream, maker: RowMaker, parent: ParentRow, found: TableRead) -> _Listed:
    listed, known = _Listed(), stream.known_keys
    for page in account.lists.pages(stream.path.format(**parent.values), stream.asked, stream.list_key):
        listed.pages += 1
        for item in page:
            found.new_keys |= item.keys() - known
            try:
                row = maker.row(item, parent.values)
            except DataError as error:
                name = str(item.get("id"))
                listed.odd[name] = Unreadable(stream.name, name, error.message, error.hint)
                continue
            listed.rows[maker.key(row)] = row
    return listed


def _looked_for(
    account: Account,
    stream: TableStream,
    maker: RowMaker,
    parent: ParentRow,
    missed: Mapping[tuple[Any, ...], Row],
    listed: _Listed,
    found: TableRead,
) -> dict[tuple[Any, ...], Row]:
    """Which of the missed rows are gone, in their last state. A page that changed while it was read hides rows too."""
    if stream.single is None:
        if listed.pages < 2:
            return dict(missed)
        again = _whole(account, stream, maker, parent, found)
        listed.rows |= {key: again.rows[key] for key in missed if key in again.rows}
        return {key: row for key, row in missed.items() if key not in again.rows}
    gone: dict[tuple[Any, ...], Row] = {}
    for key, row in missed.items():
        item = account.lists.one(stream.single.path.format(id=key[-1]), stream.single.object_key)
        if item is None:
            gone[key] = row
        elif stream.single.still_there(item):
            listed.rows[key] = maker.row(item, parent.values)
        else:
            gone[key] = maker.row(item, parent.values)
    return gone


def refresh_rows(account: Account, stream: TableStream, ids: Sequence[str]) -> Change:
    """Read single rows again, as a webhook names them. One that is unknown here and has no parent's value is left.

    Args:
        account: whose table.
        stream: its declaration, with ``single``.
        ids: of the platform.

    Raises:
        DataError: an object isn't what it should be.
        PipelineError: as the platform's client says.
    """
    maker, change = account.maker(stream, now()), Change()
    for name in dict.fromkeys(ids) if stream.single else ():
        assert stream.single is not None  # noqa: S101 - asked for above
        item = account.lists.one(stream.single.path.format(id=name), stream.single.object_key)
        if item is not None:
            there = stream.single.still_there(item)
            change += table_store.store_one(account.warehouse, stream, maker.row(item, {}), there=there)
    return change


def _refusal(account: Account, stream: TableStream, error: RejectedError | AuthError) -> Unreadable:
    if isinstance(error, NoTableError):
        return Unreadable(stream.name, "", f"This {account.source.label} doesn't know this list.", "")
    detail = f"The token lacks the scope {stream.scope}." if stream.scope else error.message
    hint = f"Connect the account again: {account.connect}. The other tables go on."
    return Unreadable(stream.name, "", detail, hint, BRINGS)
