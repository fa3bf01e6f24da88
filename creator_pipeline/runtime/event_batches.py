"""Many events in one write. Dagster's storage writes each by itself, in three transactions; a range of days has two to
four of them for each day, which took longer than to read the days' sales."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster_postgres.event_log import PostgresEventLogStorage

BATCH_SIZE = 500
"""Events of one statement: about a megabyte."""
_TOGETHER = (dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)


class BatchingEventLogStorage(PostgresEventLogStorage):
    """Dagster's own has batches of one asset's materializations; here of several assets', and of what a run plans."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Called by Dagster with the events of one batch, in their order."""
        together = [one for one in events if one.dagster_event_type in _TOGETHER]
        if together:
            with self._connect() as connection:
                insert = self.prepare_insert_event_batch(together).returning(SqlEventLogStorageTable.c.id)
                ids = [int(row[0]) for row in connection.execute(insert)]
            newest = {one.get_dagster_event().asset_key: at for at, one in enumerate(together)}
            with self.index_transaction() as connection:
                self._store_asset_event_tags(connection, together, ids)
                # The row of an asset says what its last event says.
                for at in newest.values():
                    self._store_asset_event(connection, together[at], ids[at])
        for one in events:
            if one.dagster_event_type not in _TOGETHER:
                self.store_event(one)
