"""Dagster's storage in PostgreSQL, which writes many events at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from creator_pipeline.runtime.event_batches import BATCHED

if TYPE_CHECKING:
    import dagster as dg

    from creator_pipeline.runtime.dagster_internals import ConfigurableClassData


class BatchingEventLogStorage(PostgresEventLogStorage):
    """Dagster's own has batches of one asset's materializations; here of several assets', and of what a run plans."""

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Write the events of one batch; Dagster calls it with them in their order."""
        batched = [one for one in events if one.dagster_event_type in BATCHED]
        if batched:
            with self._connect() as connection:
                insert = self.prepare_insert_event_batch(batched)
                rows = connection.execute(insert.returning(insert.table.c.id))
                ids = [int(row[0]) for row in rows]
            newest = {one.get_dagster_event().asset_key: at for at, one in enumerate(batched)}
            with self.index_transaction() as connection:
                self._store_asset_event_tags(connection, batched, ids)
                # The row of an asset says what its last event says.
                for at in newest.values():
                    self._store_asset_event(connection, batched[at], ids[at])
        for one in events:
            if one.dagster_event_type not in BATCHED:
                self.store_event(one)


class BatchingStorage(DagsterPostgresStorage):
    """Dagster's storage in PostgreSQL, with batches of events."""

    def __init__(self, postgres_url: str, *, inst_data: ConfigurableClassData | None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = BatchingEventLogStorage(postgres_url)
