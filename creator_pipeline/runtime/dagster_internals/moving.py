"""What Dagster has no public way for when its history goes to another storage: events and switches as they were.

Its public calls report an event as one of this moment, and switch a schedule on only in the code location that has it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from creator_pipeline.runtime.dagster_internals.records import RUNLESS_RUN_ID

if TYPE_CHECKING:
    from creator_pipeline.runtime.dagster_internals import DagsterStorage, InstigatorState


def store_of_no_run(storage: DagsterStorage, entries: Sequence[dg.EventLogEntry]) -> None:
    """Store events with their own time, as events that were reported from outside any run: their runs stay behind."""
    storage.event_log_storage.store_event_batch([one._replace(run_id=RUNLESS_RUN_ID) for one in entries])


def newest_of_partitions(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, int]:
    """Partition to the number of the event with which it landed last."""
    events: Any = instance.event_log_storage
    return dict(events.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION))


def events_numbered(instance: dg.DagsterInstance, key: dg.AssetKey, numbers: Sequence[int]) -> list[dg.EventLogEntry]:
    """Events by which an asset landed, by their numbers, the oldest first."""
    events: Any = instance.event_log_storage
    wanted = dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION, asset_key=key, storage_ids=list(numbers))
    return [record.event_log_entry for record in events.get_event_records(wanted, ascending=True)]


def add_switch(storage: DagsterStorage, state: InstigatorState) -> bool:
    """Let a schedule or sensor be on or off as in another storage; whether the storage didn't know it yet."""
    schedules: Any = storage.schedule_storage
    if schedules.get_instigator_state(state.instigator_origin_id, state.selector_id) is not None:
        return False
    schedules.add_instigator_state(from_now_on(state))
    return True


def from_now_on(state: InstigatorState) -> InstigatorState:
    """A sensor's cursor names events of the old storage; a schedule doesn't make up for what was due before."""
    data: Any = state.instigator_data
    if data is None:
        return state
    if hasattr(data, "cursor"):
        return state.with_data(data._replace(cursor=None, last_run_key=None))
    return state.with_data(data._replace(start_timestamp=time.time(), last_iteration_timestamp=None))
