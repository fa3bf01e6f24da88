"""Looks at Dagster's own record: sensors, schedules, partitions and runs that ended badly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from creator_pipeline.core.windows import contiguous, now
from creator_pipeline.mail.wording import source_name
from creator_pipeline.monitoring.health import HOUSE, Look, Problem
from creator_pipeline.platforms.kdp import assets as kdp
from creator_pipeline.platforms.kdp.inbox_checks import without_verdict
from creator_pipeline.runtime.dagster_internals import next_execution
from creator_pipeline.runtime.hooks import source_of
from creator_pipeline.runtime.tags import PROFILE_TAG
from creator_pipeline.store.engine import Warehouse

if TYPE_CHECKING:
    from creator_pipeline.runtime.dagster_internals import InstigatorState

SILENT_SECONDS = 600.0
"""A sensor that says nothing for so long, and for ten of its intervals, is dead."""
SCHEDULE_GRACE = timedelta(hours=1)
"""How late a schedule may tick: the daemon catches up after a restart."""
_ERROR_CHARACTERS = 300
_overtaken: set[str] = set()
"""Runs that ended badly and whose partitions have all been tried again since: they never matter again. A memo of this
process, as is :data:`_planned`: neither is needed for a true answer."""
_planned: dict[str, list[tuple[dg.AssetKey, str]]] = {}
"""What runs that ended badly had planned: it doesn't change any more."""
_PLANNED, _LANDED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION
_CHUNK = 1_000
_BAD = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_CLEANING = "Read the run's log in the UI, fix the cause, then start the job again there."


def looks(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, warehouse: Warehouse) -> list[Look]:
    """All of this file."""
    return [
        Look("sensor/", lambda: sensors(instance, repository)),
        Look("schedule/", lambda: schedules(instance, repository)),
        Look("partitions/", lambda: partitions(instance, repository, warehouse)),
        Look("job/", lambda: jobs(instance, repository)),
        Look("workers/", lambda: workers(instance)),
    ]


def sensors(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[Problem]:
    """Sensors that are on and fail, or say nothing. One that a person switched off is no problem."""
    intervals = {sensor.name: sensor.minimum_interval_seconds or 30 for sensor in repository.sensor_defs}
    for state in _running(instance):
        if state.name not in intervals:
            continue
        if failing := _failing(instance, state):
            yield _broken("sensor", state.name, failing)
            continue
        last = _last_tick(instance, state)
        silent = max(SILENT_SECONDS, 10.0 * intervals[state.name])
        if last is not None and (now() - last).total_seconds() > silent:
            text = f"Sensor {state.name} has said nothing since {last:%Y-%m-%d %H:%M} UTC."
            hint = "Restart dagster-daemon; does its code location load (UI, Deployment)?"
            yield Problem(f"sensor/{state.name}", f"Sensor {state.name}", text, hint)


def schedules(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[Problem]:
    """Schedules that are on and fail, or passed over the last time they were due."""
    known = {schedule.name: schedule for schedule in repository.schedule_defs}
    for state in _running(instance):
        schedule = known.get(state.name)
        if schedule is None:
            continue
        if failing := _failing(instance, state):
            yield _broken("schedule", state.name, failing)
            continue
        last = _last_tick(instance, state)
        if last is None:
            continue  # switched on and not due yet, as far as can be told
        due = next_execution(schedule, last)
        if now() > due + SCHEDULE_GRACE:
            text = f"Schedule {state.name} was due at {due:%Y-%m-%d %H:%M} UTC and did not run."
            hint = "Restart dagster-daemon; what it missed: the weekly look-back, or creator-pipeline backfill."
            yield Problem(f"schedule/{state.name}", f"Schedule {state.name}", text, hint)


def _running(instance: dg.DagsterInstance) -> Iterator[InstigatorState]:
    """Schedules and sensors that are on; Dagster refuses a schedule and a sensor of one name."""
    return (state for state in instance.all_instigator_state() if state.is_running)


def _failing(instance: dg.DagsterInstance, state: InstigatorState) -> str | None:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    if not ticks or not ticks[0].is_failure:
        return None
    return ticks[0].error.message.strip() if ticks[0].error else "no reason was kept"


def _last_tick(instance: dg.DagsterInstance, state: InstigatorState) -> datetime | None:
    # A sensor's skipped ticks are purged and, while nothing happens, the newest one is only moved on.
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    moments = [ticks[0].timestamp, ticks[0].tick_data.end_timestamp or 0.0] if ticks else []
    data = state.instigator_data
    moments += [getattr(data, name, None) or 0.0 for name in ("last_tick_timestamp", "last_tick_start_timestamp")]
    newest = max(moments, default=0.0)
    return datetime.fromtimestamp(newest, UTC) if newest else None


def _broken(kind: str, name: str, error: str) -> Problem:
    last = error.splitlines()[-1] if error else ""
    text = f"{kind.capitalize()} {name} fails: {last[:_ERROR_CHARACTERS]}"
    hint = f"Read its ticks in the UI under Automation, {name}; it tries again by itself once the cause is fixed."
    return Problem(f"{kind}/{name}", f"{kind.capitalize()} {name}", text, hint)


def partitions(
    instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, warehouse: Warehouse
) -> Iterator[Problem]:
    """Partitions whose last attempt failed, by source and profile, with the command that clears them."""
    bad = [one for one in instance.get_run_ids(dg.RunsFilter(statuses=_BAD)) if one not in _overtaken]
    left: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    graph, blamed = repository.asset_graph, set[str]()
    for key, attempts in sorted(_failed(instance, bad).items(), key=lambda one: one[0].to_user_string()):
        definition = graph.get(key).partitions_def if graph.has(key) else None
        if definition is None:
            continue
        failed, blamed = list(attempts), blamed | set(attempts.values())
        if key in (kdp.ROYALTIES, kdp.EVENTS):
            failed = without_verdict(warehouse, failed)
        source = key.path[-1] if key.path[0] == "sales_events" else key.path[0]
        daily = isinstance(definition, dg.MultiPartitionsDefinition)
        unit = "days" if daily else key.to_user_string()
        for partition in failed:
            left[source, unit, partition.rpartition("|")[2]].add(partition)
    for run_id in set(bad) - blamed:
        _overtaken.add(run_id)
        _planned.pop(run_id, None)
    for (source, unit, owner), keys in sorted(left.items()):
        yield _partitions_left(source, unit, owner, sorted(keys))


def _failed(instance: dg.DagsterInstance, bad: Sequence[str]) -> dict[dg.AssetKey, dict[str, str]]:
    """Partitions that one of these runs planned as the last and that didn't land, with the run; by asset.

    Reads what these runs planned, and of other events only the newest of the same partitions.
    """
    storage, asked = instance.event_log_storage, defaultdict[dg.AssetKey, set[str]](set)
    for run_id in bad:
        for key, partition in _planned_by(instance, run_id):
            asked[key].add(partition)
    left: dict[dg.AssetKey, dict[str, str]] = {}
    for key, partitions in asked.items():
        planned = storage.get_latest_storage_id_by_partition(key, _PLANNED, partitions)
        landed = storage.get_latest_storage_id_by_partition(key, _LANDED, partitions)
        ids = [found for partition, found in planned.items() if found > landed.get(partition, 0)]
        for start in range(0, len(ids), _CHUNK):
            wanted = dg.EventRecordsFilter(_PLANNED, asset_key=key, storage_ids=ids[start : start + _CHUNK])
            for record in storage.get_event_records(wanted):
                if record.run_id in bad and record.partition_key:
                    left.setdefault(key, {})[record.partition_key] = record.run_id
    return left


def _planned_by(instance: dg.DagsterInstance, run_id: str) -> list[tuple[dg.AssetKey, str]]:
    found = _planned.get(run_id)
    if found is None:
        records = instance.all_logs(run_id, of_type=_PLANNED)
        events = [record.get_dagster_event() for record in records]
        found = [(event.asset_key, event.partition) for event in events if event.asset_key and event.partition]
        _planned[run_id] = found
    return found


def _partitions_left(source: str, unit: str, owner: str, keys: list[str]) -> Problem:
    shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    text = f"{len(keys)} partition{'s' if len(keys) > 1 else ''} of {source} failed: {shown}."
    if unit == "days":
        name, subject = f"partitions/{source}/{owner}", f"Some days of {source_name(source)}"
        spans = contiguous(date.fromisoformat(key.partition("|")[0]) for key in keys)
        first, last = spans[0].start, spans[-1].end - timedelta(days=1)
        hint = f"creator-pipeline backfill {source} --profile {owner} --from {first} --to {last}"
    else:
        name, subject = f"partitions/{unit}/{owner}", unit
        hint = f"dagster asset materialize -m creator_pipeline.definitions --select {unit} --partition {owner}"
    return Problem(name, subject, text, hint, owner, told=True)


def jobs(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[Problem]:
    """Jobs without partitions whose last run failed, by profile. What the queue asked for, the queue tells."""
    for job in repository.get_all_jobs():
        if job.partitions_def is not None or job.name.startswith("__") or job.name.endswith("_refresh"):
            continue
        newest: dict[str, dg.DagsterRun] = {}
        for run in instance.get_runs(dg.RunsFilter(job_name=job.name), limit=100):
            if run.is_finished:
                newest.setdefault(run.tags.get(PROFILE_TAG, HOUSE), run)
        for owner, run in newest.items():
            if run.status == dg.DagsterRunStatus.FAILURE and "dagster/asset_partition_range_start" not in run.tags:
                text = f"The last run of job {job.name} failed: run {run.run_id}."
                told = source_of(run) is not None
                yield Problem(f"job/{job.name}/{owner}", f"Job {job.name}", text, _CLEANING, owner, told=told)


def workers(instance: dg.DagsterInstance) -> Iterator[Problem]:
    """Where runs go to Celery workers: that there is one. Without, what was launched waits, and fails after a while."""
    ask = getattr(instance.run_launcher, "workers", None)
    if ask is not None and not ask():
        text = "No Celery worker answers: no run is begun."
        yield Problem(
            "workers/none", "The workers", text, "Start the workers; do they reach the broker? docs/scaling.md"
        )
