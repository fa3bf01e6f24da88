"""Assets of declared tables: each a partition for each profile, with its column schema, counts and check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError, RejectedError
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.runtime import table_store
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.describe import PREVIEW_ROWS, preview
from creator_pipeline.runtime.keys import asset_key, named_key
from creator_pipeline.runtime.partitions import profile_partitions
from creator_pipeline.runtime.profile_jobs import Work
from creator_pipeline.runtime.step_checks import StepCheck, Verdict
from creator_pipeline.runtime.stream_assets import snapshot_asset
from creator_pipeline.runtime.streams import Request, Snapshot, SnapshotStream
from creator_pipeline.runtime.table_lists import Account, OpenAccount, TableRead
from creator_pipeline.runtime.table_reads import read_table, refresh_rows
from creator_pipeline.store import unreadable
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source
from creator_pipeline.store.table_streams import TableStream

READABLE = "table_readable"
_COLUMNS_SHOWN = 6


@dataclass
class _Tally:
    """What the check of a table needs of the profiles of a run."""

    refused: list[str] = field(default_factory=list[str])
    odd: list[str] = field(default_factory=list[str])
    read: int = 0

    def add(self, part: tuple[str, TableRead]) -> None:
        """Count a profile."""
        profile_id, read = part
        self.read += 1
        if read.refused:
            self.refused.append(f"{profile_id}: {read.refused.detail} {read.refused.hint}".strip())
        self.odd += [f"{profile_id} {one.object_id}: {one.detail}" for one in read.odd]

    def verdicts(self) -> Iterator[Verdict]:
        """What came out; nothing where nothing was read."""
        if self.read:
            good = not self.refused and not self.odd
            yield Verdict(READABLE, good, {"not_readable": self.refused, "odd": self.odd})


def table_stream(source: Source, stream: TableStream, account: OpenAccount) -> SnapshotStream[Any]:
    """What the factory of assets takes.

    Args:
        source: the platform.
        stream: the declaration.
        account: opens a profile's account.
    """
    key = asset_key(source.name, stream.name)

    def load(request: Request[Any]) -> Snapshot:
        if not settings.load().stream_on(stream.asset):
            return Snapshot(0, {}, landed=False)
        with account(request) as opened:
            read = read_table(opened, stream, allow_shrink=request.allow_shrink)
            usage = opened.lists.usage()
        remember(request.warehouse, source, request.profile_id, stream, read)
        if read.refused:
            return Snapshot(0, {}, (request.profile_id, read), landed=False)
        with request.warehouse.read() as connection:
            there, gone = table_store.counts(connection, stream, request.profile_id)
            shown = table_store.first_rows(connection, stream, request.profile_id, PREVIEW_ROWS)
        columns = [one.name for one in stream.fields if one.name not in stream.of_buyer][:_COLUMNS_SHOWN]
        figures = {
            **read.change.metadata(),
            **usage,
            "lists_read": read.lists,
            "rows_gone": gone,
            "preview": preview(columns, ([row[name] for name in columns] for row in shown)),
        }
        new = {f"{stream.name} field": read.new_keys}
        return Snapshot(there, figures, (request.profile_id, read), new)

    return SnapshotStream(
        source=source,
        name=f"{source.name}_{stream.name}",
        key=key,
        table=stream.table,
        description=description(stream),
        profiles=profile_partitions(source),
        load=load,
        tally=_Tally,
        checks=(
            StepCheck(
                key,
                READABLE,
                "The token and the server give the table, and every object of it could be read.",
                "The other tables go on. An object that can't be read keeps its row as it was.",
            ),
        ),
        declared=stream.declared,
        page="tables.md",
        follows=[named_key(stream.parents.follows)] if stream.parents and stream.parents.follows else [],
    )


def refresh_table(work: Work, stream: TableStream, account: Account, ids: Sequence[str]) -> None:
    """Read again the rows that webhooks named, and log the table's partition. What can't be read waits for the night.

    Args:
        work: of the job.
        stream: of the rows.
        account: whose table.
        ids: of the platform.
    """
    if not ids or not settings.load().stream_on(stream.asset):
        return
    before = account.lists.usage()
    try:
        change = refresh_rows(account, stream, ids)
    except (AuthError, RejectedError) as error:
        if isinstance(error, AuthError) and error.revoked:
            raise
        work.context.log.warning("%s of %s was not read: %s", stream.asset, work.profile_id, error)
        return
    with work.warehouse.read() as connection:
        there, gone = table_store.counts(connection, stream, work.profile_id)
    # Its own part of what the run has asked: the sales of the same account were read before.
    usage = {name: round(value - before.get(name, 0), 3) for name, value in account.lists.usage().items()}
    figures = {**change.metadata(), **usage, "rows_gone": gone}
    work.outcome.materialized(asset_key(stream.platform, stream.name), work.profile_id, there, figures)


def description(stream: TableStream) -> str:
    """Of the asset: what a row is, and how the table is read."""
    return f"{stream.about} {how_read(stream)}"


def how_read(stream: TableStream) -> str:
    """How a table is read, in words."""
    rule = stream.parents
    gone = "What is gone keeps its row and gets `removed_at`."
    if stream.single:
        gone = "What the list lacks is read once more by itself, and keeps its row with `removed_at`."
    if stream.turns or stream.told_by:
        return f"{_in_turn(stream)} {gone}"
    if rule is None:
        return f"Read whole each night. {gone}"
    if rule.again is None:
        return f"Read whole each night, a list for each row of `{rule.follows}`. {gone}"
    return (
        f"A list for each row of `{rule.follows}`, read when that row changed, else after "
        f"{number(rule.again.days, 'day')}, at most {rule.a_night} such a night. {gone}"
    )


def _in_turn(stream: TableStream) -> str:
    told = f"Stored from what `{stream.told_by}` reads each night" if stream.told_by else ""
    if stream.turns is None:
        return f"{told}; read whole where that didn't happen."
    sides = f", a list for each {stream.parents.columns[0]}" if stream.parents else ""
    turn = f"takes turns with the others, {stream.turns.a_night} lists a night{sides}"
    long = (
        f" A long list is read as far as it is new and {number(stream.turns.pages, 'page')} of what is old."
        if stream.newest_first
        else ""
    )
    return f"{told}; beside that it {turn}.{long}" if told else f"{turn.capitalize()}.{long}"


def how_fresh(stream: TableStream) -> str:
    """How old what a table says can be at most, in words, where no night is missed."""
    turns, rule = stream.turns, stream.parents
    at_once = "at once what a webhook names; " if stream.webhooks else ""
    if turns:
        told = f"each night what `{stream.told_by}` finds; " if stream.told_by else ""
        more = ", of a long list once more for each further page" if stream.newest_first else ""
        return f"{at_once}{told}the rest each {turns.nights} nights{more}"
    if rule and rule.again:
        return f"{at_once}a night after the change where `{rule.follows}` tells it; else one list a night in turn"
    return f"{at_once}a night"


def requests_a_night(stream: TableStream) -> str:
    """Requests that an account takes where nothing changed, in words."""
    if stream.turns:
        more = number(stream.turns.pages, "page")
        return f"{stream.turns.a_night} for all that take turns; {more} more for one that is long"
    if stream.told_by:
        return "none"
    if stream.parents is None:
        return "1 a page"
    each = "1 a list" if stream.in_pages else "1 a list and page"
    return each if stream.parents.again is None else f"at most {stream.parents.a_night}"


def remember(warehouse: Warehouse, source: Source, profile_id: str, stream: TableStream, read: TableRead) -> None:
    """Keep why a table or an object of it can't be read, or that it can.

    Args:
        warehouse: where it is kept.
        source: the platform.
        profile_id: whose account.
        stream: of the table.
        read: what the reading came to.
    """
    found = [read.refused] if read.refused else read.odd
    names = {one.object_id for one in found}
    with warehouse.write() as connection:
        stored = unreadable.unreadable_of(connection, source.provider, profile_id)
        mine = [(one.part, one.object_id) for one in stored if one.part == stream.name]
        # A list that wasn't read tonight says nothing about its odd objects.
        over = [key for key in mine if key[1] not in names and (not key[1] or read.lists)]
        if over:
            unreadable.forget(connection, source.provider, profile_id, over)
        if found:
            unreadable.remember(connection, source.provider, profile_id, found, now())


def table_assets(
    source: Source, streams: Sequence[TableStream], account: OpenAccount
) -> tuple[dg.AssetsDefinition, Any]:
    """The assets of a platform's declared tables, read in one step, and the job ``PLATFORM_tables`` that runs it.

    Args:
        source: the platform.
        streams: its declarations, parents before what they list.
        account: opens a profile's account.
    """
    made = snapshot_asset(*(table_stream(source, one, account) for one in streams), name=f"{source.name}_tables_read")
    job = asset_job(
        f"{source.name}_tables",
        (asset_key(source.name, one.name) for one in streams),
        f"The declared tables of a profile: {', '.join(one.name for one in streams)}.",
    )
    return made, job
