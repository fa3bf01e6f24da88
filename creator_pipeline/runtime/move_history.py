"""What of Dagster's storage goes along when an installation moves to PostgreSQL.

Its runs and their logs stay where they are: the new storage begins with none. What later work depends on goes along:
the partitions of profiles and files, which of them have landed and when, which schedules and sensors are switched on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg
from sqlalchemy.exc import OperationalError

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.runtime.dagster_internals import moving
from creator_pipeline.runtime.storage import postgres_storage

if TYPE_CHECKING:
    from creator_pipeline.runtime.dagster_internals import DagsterStorage

BEAT_SECONDS = 60.0
"""Dagster's daemons tell of themselves every 30 s."""
_AT_WORK = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_EVENTS = 500


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
        count = 0
        for name in partitions:
            keys = list(old.get_dynamic_partitions(name))
            new.event_log_storage.add_dynamic_partitions(name, keys)
            count += len(keys)
        landed = sum(_move_asset(old, new, key) for key in old.all_asset_keys())
        switches = sum(moving.add_switch(new, state) for state in old.all_instigator_state())
        return MovedHistory(count, landed, switches)
    except OperationalError as error:
        cause = str(error.orig).strip().splitlines()[0]
        raise ConfigError(f"Dagster's new storage can't be reached: {cause}", hint="Check --dagster-to.") from None


def _move_asset(old: dg.DagsterInstance, new: DagsterStorage, key: dg.AssetKey) -> int:
    """The newest event of each partition, with its time and figures. It belongs to no run: those are left behind."""
    newest = moving.newest_of_partitions(old, key)
    there = new.event_log_storage.get_materialized_partitions(key)
    ids = sorted(at for partition, at in newest.items() if partition not in there)
    if not newest and new.event_log_storage.get_latest_materialization_events([key]).get(key) is None:
        last = old.get_latest_materialization_event(key)
        moving.store_of_no_run(new, [] if last is None else [last])
        return int(last is not None)
    for some in (ids[at : at + _EVENTS] for at in range(0, len(ids), _EVENTS)):
        moving.store_of_no_run(new, moving.events_numbered(old, key, some))
    return len(ids)
