"""Dagster's storage in PostgreSQL, which writes many events at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from sqlalchemy import Engine, NullPool, create_engine, func, select

from creator_pipeline.runtime.dagster_internals.records import event_rows
from creator_pipeline.runtime.event_batches import BATCHED

if TYPE_CHECKING:
    import dagster as dg

    from creator_pipeline.runtime.dagster_internals import ConfigurableClassData

_PLANNED_LANDED = [kind.value for kind in reversed(BATCHED)]
_STAYS_TRUE = (
    "has_table",
    "has_asset_key_index_cols",
    "has_run_stats_index_cols",
    "has_bulk_actions_selector_cols",
    "has_backfill_id_column",
    "has_backfill_tags_table",
    "has_bulk_action_job_name_column",
    "has_default_pool_limit_col",
    "has_secondary_index_table",
    "has_instigators_table",
    "_has_instigators_table",
)
"""Questions whether Dagster's tables have been migrated so far. It asks the database's catalogue at each event and
tick: two thirds of what a night asked PostgreSQL for, by samples of pg_stat_activity."""


KEPT_CONNECTIONS = 2
"""That a process keeps open between statements; whoever wants more opens one and closes it."""


@lru_cache(maxsize=8)
def _kept_engine(url: str) -> Engine:
    """The engine of this process for a database: each tick of a sensor makes the storage anew."""
    engine = create_engine(
        url, isolation_level="AUTOCOMMIT", pool_size=KEPT_CONNECTIONS, max_overflow=-1, pool_pre_ping=True
    )
    # A connection belongs to the process that opened it; a run is a fork.
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    return engine


class _Kept:
    """For a storage that opens a connection for each statement: most of what a night cost PostgreSQL."""

    _own_engine: Engine

    @property
    def _engine(self) -> Engine:
        return self._own_engine

    @_engine.setter
    def _engine(self, engine: Engine) -> None:
        # Dagster's first one; that of its webserver has a pool.
        unpooled = isinstance(engine.pool, NullPool)
        self._own_engine = _kept_engine(engine.url.render_as_string(hide_password=False)) if unpooled else engine


class PostgresRuns(_Kept, PostgresRunStorage):
    """As Dagster's."""


class PostgresSchedules(_Kept, PostgresScheduleStorage):
    """As Dagster's."""


class BatchingEventLogStorage(_Kept, PostgresEventLogStorage):
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

    def get_latest_asset_partition_materialization_attempts_without_materializations(
        self, asset_key: dg.AssetKey, after_storage_id: int | None = None
    ) -> Mapping[str, tuple[str, int]]:
        """Partitions whose newest planned event no materialization has followed, to the run and the event.

        Dagster's own fetches the newest events of all partitions, by two statements that each look for them anew, and
        then leaves out what has landed afterwards: nearly everything of an asset page's first look.
        """
        events = event_rows().c
        planned, landed = (func.max(events.id).filter(events.dagster_event_type == kind) for kind in _PLANNED_LANDED)
        newest = select(planned).where(
            events.asset_key == asset_key.to_string(),
            events.partition.is_not(None),
            events.dagster_event_type.in_(_PLANNED_LANDED),
        )
        if after_storage_id is not None:
            newest = newest.where(events.id > after_storage_id)
        newest = newest.group_by(events.partition).having(planned > func.coalesce(landed, 0))
        newest = self._add_assets_wipe_filter_to_query(newest, self._get_assets_details([asset_key]), [asset_key])
        with self.index_connection() as connection:
            ids = connection.execute(newest).scalars().all()
            rows = connection.execute(select(events.partition, events.run_id, events.id).where(events.id.in_(ids)))
            return {partition: (run_id, at) for partition, run_id, at in rows}


def _asked_until_true(ask: Callable[..., bool]) -> Callable[..., bool]:
    known = set[str]()

    def answer(*what: Any) -> bool:
        # A name of a table counts, a connection doesn't.
        name = next((one for one in what if isinstance(one, str)), "")
        if name not in known and ask(*what):
            known.add(name)
        return name in known

    return answer


class BatchingStorage(DagsterPostgresStorage):
    """Dagster's storage in PostgreSQL, with batches of events."""

    def __init__(self, postgres_url: str, *, inst_data: ConfigurableClassData | None) -> None:
        self.postgres_url, self.should_autocreate_tables, self._inst_data = postgres_url, True, inst_data
        self._run_storage = PostgresRuns(postgres_url)
        self._event_log_storage = BatchingEventLogStorage(postgres_url)
        self._schedule_storage = PostgresSchedules(postgres_url)
        # Past Dagster's own, which makes these three by itself.
        super(DagsterPostgresStorage, self).__init__()
        for storage in (self._event_log_storage, self._run_storage, self._schedule_storage):
            for name in _STAYS_TRUE:
                if ask := getattr(storage, name, None):
                    setattr(storage, name, _asked_until_true(ask))
