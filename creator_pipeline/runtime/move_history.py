"""What of Dagster's storage goes along when an installation moves to PostgreSQL.

Its runs and their logs stay where they are: the new storage begins with none. What later work depends on goes along:
the partitions of profiles and files, which of them have landed and when, which schedules and sensors are switched on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import dagster as dg
from sqlalchemy.exc import OperationalError

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.runtime.storage import postgres_storage

if TYPE_CHECKING:
    from creator_pipeline.runtime.dagster_internals import DagsterStorage, InstigatorState

BEAT_SECONDS = 60.0
"""Dagster's daemons tell of themselves every 30 s."""
_AT_WORK = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_LANDED = dg.DagsterEventType.ASSET_MATERIALIZATION
_EVENTS = 500
_NO_RUN = ""


class MovedHistory(NamedTuple):
    """Numbers of what is in the new storage now: partition keys, events of what has landed, schedules and sensors."""

    partitions: int
    landed: int
    switches: int


def require_quiet(instance: dg.DagsterInstance) -> None:
    """Refuse while somebody works.

    Raises:
        ConfigError: the daemon is alive, or runs are queued or at work; names them.
    """
    beats = instance.get_daemon_heartbeats().values()
    if beats and (age := time.time() - max(beat.timestamp for beat in beats)) < BEAT_SECONDS:
        raise ConfigError(
            f"dagster-daemon is at work: it told of itself {max(age, 0):.0f} s ago.",
            hint="Stop it, the code server and the gateway, then try again in a minute.",
        )
    runs = instance.get_runs(dg.RunsFilter(statuses=list(_AT_WORK)))
    if runs:
        names = ", ".join(f"{run.job_name} {run.run_id[:8]}" for run in runs[:5])
        raise ConfigError(f"Runs are not over: {names}.", hint="Wait for them, or terminate them in the UI.")


def move_history(old: dg.DagsterInstance, url: str, partitions: Iterable[str]) -> MovedHistory:
    """Bring the new storage what later work depends on; what is there stays, so it may be called again.

    Args:
        old: the instance that is left.
        url: of the PostgreSQL database of the new one.
        partitions: names of the dynamic partitions.

    Raises:
        ConfigError: the new storage has runs already, or can't be reached.
    """
    try:
        new = postgres_storage(url)
        if new.run_storage.get_runs_count():
            raise ConfigError("Dagster's new storage has runs already.", hint="--dagster-to names an empty database.")
        events: Any = new.event_log_storage
        count = 0
        for name in partitions:
            keys = list(old.get_dynamic_partitions(name))
            events.add_dynamic_partitions(name, keys)
            count += len(keys)
        landed = sum(_move_asset(old, events, key) for key in old.all_asset_keys())
        return MovedHistory(count, landed, _move_switches(old, new))
    except OperationalError as error:
        cause = str(error.orig).strip().splitlines()[0]
        raise ConfigError(f"Dagster's new storage can't be reached: {cause}", hint="Check --dagster-to.") from None


def _move_asset(old: dg.DagsterInstance, new: Any, key: dg.AssetKey) -> int:
    """The newest event of each partition, with its time and figures. It belongs to no run: those are left behind."""
    events: Any = old.event_log_storage
    newest = dict[str, int](events.get_latest_storage_id_by_partition(key, _LANDED))
    there = new.get_materialized_partitions(key)
    ids = sorted(at for partition, at in newest.items() if partition not in there)
    if not newest and new.get_latest_materialization_events([key]).get(key) is None:
        last = old.get_latest_materialization_event(key)
        new.store_event_batch([] if last is None else [_of_no_run(last)])
        return int(last is not None)
    for some in (ids[at : at + _EVENTS] for at in range(0, len(ids), _EVENTS)):
        wanted = dg.EventRecordsFilter(_LANDED, asset_key=key, storage_ids=some)
        records: Sequence[dg.EventLogRecord] = events.get_event_records(wanted, ascending=True)
        new.store_event_batch([_of_no_run(record.event_log_entry) for record in records])
    return len(ids)


def _of_no_run(entry: dg.EventLogEntry) -> dg.EventLogEntry:
    return entry._replace(run_id=_NO_RUN)


def _move_switches(old: dg.DagsterInstance, new: DagsterStorage) -> int:
    count = 0
    for state in old.all_instigator_state():
        storage: Any = new.schedule_storage
        if storage.get_instigator_state(state.instigator_origin_id, state.selector_id) is None:
            storage.add_instigator_state(_from_now_on(state))
            count += 1
    return count


def _from_now_on(state: InstigatorState) -> InstigatorState:
    """A sensor's cursor names events of the old storage; a schedule doesn't make up for what was due before."""
    data: Any = state.instigator_data
    if data is None:
        return state
    if hasattr(data, "cursor"):
        return state.with_data(data._replace(cursor=None, last_run_key=None))
    return state.with_data(data._replace(start_timestamp=time.time(), last_iteration_timestamp=None))
