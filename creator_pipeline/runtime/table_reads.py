"""Reading the declared tables of a platform: which lists are asked for, and what is missing from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from creator_pipeline.core.errors import AuthError, RejectedError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.core.windows import now
from creator_pipeline.runtime import table_store
from creator_pipeline.runtime.table_lists import (
    ALL,
    Account,
    Listed,
    NoParentError,
    NoTableError,
    TableRead,
    add_page,
    bit_by_bit,
    whole,
)
from creator_pipeline.runtime.table_rows import Row, RowMaker
from creator_pipeline.store.load import Change
from creator_pipeline.store.table_streams import ParentRow, TableStream
from creator_pipeline.store.unreadable import Unreadable

BRINGS = "They are then read each night, with all that they hold now."
"""What a consent with the missing scope brings, the same for every table: one mail asks for all of them."""


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
    with account.warehouse.read() as connection:
        stored = table_store.present(connection, stream, account.profile_id, parent)
        mark = table_store.mark_of(connection, stream, account.source.provider, account.profile_id)
    try:
        if stream.newest_first and mark is not None:
            listed = bit_by_bit(account, stream, maker, stored, mark, found)
        else:
            listed = whole(account, stream, maker, parent, found)
    except NoParentError:
        # Its rows go when the parent is known to be gone.
        return
    _store_listed(account, stream, maker, parent, stored, listed, found, allow_shrink=allow_shrink)


def _store_listed(
    account: Account,
    stream: TableStream,
    maker: RowMaker,
    parent: ParentRow,
    stored: Mapping[tuple[Any, ...], Row],
    listed: Listed,
    found: TableRead,
    *,
    allow_shrink: bool,
    turn: bool = True,
) -> None:
    found.lists += 1
    held = {key: row for key, row in stored.items() if listed.covers(stream, row)}
    missed = {key: row for key, row in held.items() if key not in listed.rows and str(key[-1]) not in listed.odd}
    table_store.guard(stream, account.profile_id, len(held), len(held) - len(missed), allow_shrink=allow_shrink)
    gone = _looked_for(account, stream, maker, parent, missed, listed, found) if missed else {}
    found.odd += listed.odd.values()
    rows = [*listed.rows.values(), *(row | {"removed_at": maker.moment} for row in gone.values())]
    read = parent._replace(hint=listed.mark) if stream.newest_first else parent
    found.change += table_store.store_list(
        account.warehouse, stream, account.source.provider, account.profile_id, read, rows, maker.moment, turn=turn
    )


def store_told(account: Account, stream: TableStream, items: Sequence[Json], after: datetime | None) -> TableRead:
    """Store a list that another job read for its own ends.

    Args:
        account: whose table.
        stream: its declaration, without parents.
        items: every object of the list.
        after: the list has only what was created later; None where it is whole.

    Raises:
        DataError: most rows of the list are gone.
        PipelineError: as the platform's client says.
    """
    found, maker, listed = TableRead(), account.maker(stream, now()), Listed(pages=1)
    with account.warehouse.read() as connection:
        stored = table_store.present(connection, stream, account.profile_id, ALL)
    if after is not None:
        listed.spans.append((after, None))
    add_page(stream, maker, ALL, items, listed, found)
    _store_listed(account, stream, maker, ALL, stored, listed, found, allow_shrink=False, turn=after is None)
    return found


def _looked_for(
    account: Account,
    stream: TableStream,
    maker: RowMaker,
    parent: ParentRow,
    missed: Mapping[tuple[Any, ...], Row],
    listed: Listed,
    found: TableRead,
) -> dict[tuple[Any, ...], Row]:
    """Which of the missed rows are gone, in their last state. A page that changed while it was read hides rows too."""
    if stream.single is None:
        if listed.pages < 2:
            return dict(missed)
        again = whole(account, stream, maker, parent, found)
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
