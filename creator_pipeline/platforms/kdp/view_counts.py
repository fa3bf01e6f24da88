"""How many rows of KDP's views come from each upload: what their partitions are told to hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from creator_pipeline import settings
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS
from creator_pipeline.platforms.kdp.views import VIEWS
from creator_pipeline.store.table_views import TableView

Counts = Mapping[tuple[TableView, str], int]
"""(view, partition) to rows."""


class Counted(NamedTuple):
    """A partition of a view as it stands now.

    Attributes:
        rows: of the view that come from the upload.
    """

    view: TableView
    partition: str
    rows: int


def counts(connection: Connection, profiles: Iterable[str]) -> Counts:
    """Rows of each view that ``STREAMS`` switches on, by the partition of the upload that counts.

    Args:
        connection: to the warehouse.
        profiles: whose reports.
    """
    config, names, found = settings.load(), sorted(set(profiles)), dict[tuple[TableView, str], int]()
    for view in VIEWS:
        if not config.stream_on(view.asset):
            continue
        table = view.table.c
        asked = select(table.upload_id, func.count()).where(table.profile_id.in_(names)).group_by(table.upload_id)
        for upload_id, rows in connection.execute(asked):
            found[view, upload_id[:PARTITION_DIGITS]] = rows
    return found


def changed(before: Counts, after: Counts, read: Iterable[str]) -> Iterator[Counted]:
    """Partitions that were read, and others whose rows are more or fewer than before.

    Args:
        before: as :func:`counts` gave it before an upload was ingested or withdrawn.
        after: as it gives it now.
        read: partitions that are told in any case, where a view has or had rows of them.
    """
    known = set(read)
    for key in sorted(before.keys() | after.keys(), key=lambda one: (one[0].name, one[1])):
        if key[1] in known or before.get(key) != after.get(key):
            yield Counted(*key, after.get(key, 0))
