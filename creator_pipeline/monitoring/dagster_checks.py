"""Checks of Dagster: its storage, daemons and workers; schedules, sensors and jobs that fail or do nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from sqlalchemy import select

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import AuthError, ConfigError, DataError, RejectedError, TransientError
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.monitoring import ended_runs, run_queue_checks
from creator_pipeline.monitoring.told_together import INSTALLATION, failed_cause
from creator_pipeline.platforms import of_provider, sources
from creator_pipeline.runtime.dagster_internals import next_execution
from creator_pipeline.runtime.hooks import sources_of
from creator_pipeline.runtime.run_here import LoadDefinitions
from creator_pipeline.runtime.tags import PROFILE_TAG, RANGE_START
from creator_pipeline.store import freshness, health_reports
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections

if TYPE_CHECKING:
    from creator_pipeline.runtime.dagster_internals import InstigatorState

OpenInstance = Callable[[], dg.DagsterInstance]
DAEMON_SILENT_SECONDS = 300.0
"""Dagster's daemons tell of themselves every 30 s."""
SILENT_SECONDS = 600.0
"""A sensor that says nothing for so long, and for ten of its intervals, is dead."""
SILENT = "daemon/silent"
"""Cause of everything that says nothing: a daemon that was down is one mail."""
SCHEDULE_GRACE = timedelta(hours=1)
"""How late a schedule may tick: the daemon catches up after a restart."""
_ERROR_CHARACTERS = 300
_OURS = {one.__name__ for one in (AuthError, ConfigError, DataError, RejectedError, TransientError)}
_HINT_OF_JOB = "Read the run's log in the UI, fix the cause, then start the job again there."


def storage(open_instance: OpenInstance, load_definitions: LoadDefinitions) -> Iterator[Finding]:
    """Dagster's storage, its daemons, its workers, and what is switched off: lines of the doctor."""
    with open_instance() as instance:
        instance.get_runs_count()
        yield Finding("dagster storage", "ok", type(instance.run_storage).__name__)
        yield daemons(instance)
        yield from workers(instance, "celery workers")
        yield from run_queue_checks.pools(instance)
        yield from run_queue_checks.run_queue(instance)
        yield stopped(instance, load_definitions().get_repository_def())


def health_checks(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> list[Check]:
    """What ``pipeline_health`` checks of Dagster, beside the partitions."""
    return [
        Check("sensor/", lambda: sensors(instance, repository)),
        Check("schedule/", lambda: schedules(instance, repository)),
        Check("job/", lambda: jobs(instance, repository)),
        Check("workers/", lambda: workers(instance, "workers/none")),
    ]


def daemons(instance: dg.DagsterInstance) -> Finding:
    """Whether dagster-daemon is alive."""
    beats = instance.get_daemon_heartbeats()
    hint = "dagster dev, or dagster-daemon run (deployment: see docs/deployment.md)"
    if not beats:
        return Finding("dagster daemons", "off", "None has ever run here: nothing starts by itself.", hint)
    moment = time.time()
    silent = {
        name: moment - beat.timestamp for name, beat in beats.items() if name in instance.get_required_daemon_types()
    }
    late = {name: age for name, age in silent.items() if age > DAEMON_SILENT_SECONDS}
    if late:
        text = ", ".join(f"{name.lower()} for {age / 60:.0f} min" for name, age in sorted(late.items()))
        return Finding("dagster daemons", "no", f"Silent: {text}.", hint)
    if broken := sorted(name.lower() for name, beat in beats.items() if beat.errors and name in silent):
        return Finding("dagster daemons", "no", f"Errors in: {', '.join(broken)}.", "Read the daemon's log.")
    return Finding("dagster daemons", "ok", f"{len(silent)} alive")


def workers(instance: dg.DagsterInstance, name: str) -> Iterator[Finding]:
    """Whether a Celery worker answers, where runs go to Celery. Without one, what is launched fails after a while.

    Args:
        instance: whose launcher is asked.
        name: of the finding.
    """
    ask = getattr(instance.run_launcher, "workers", None)
    if ask is None:
        return
    try:
        names = sorted(ask())
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises
        text, hint = f"The broker can't be asked: {error}", "CELERY_BROKER_URL; is it running?"
        yield Finding(name, "no", text, hint, "The workers")
        return
    if names:
        yield Finding(name, "ok", ", ".join(names))
    else:
        text, hint = "No Celery worker answers: no run is begun.", "Start the workers; do they reach the broker?"
        yield Finding(name, "no", text, f"{hint} docs/scaling.md", "The workers")


def stopped(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Finding:
    """Schedules and sensors that are off: by a person, or because nobody has switched them on yet."""
    known = {state.name: state.is_running for state in instance.all_instigator_state()}
    off = {name for name, running in known.items() if not running}
    off |= {one.name for one in repository.schedule_defs if one.name not in known and not _starts_on(one)}
    if off:
        hint = "In the UI under Automation, or: dagster schedule start --start-all -w workspace.yaml"
        return Finding("schedules", "off", f"Stopped: {', '.join(sorted(off))}.", hint)
    return Finding("schedules", "ok", f"{number(len(known), 'schedule')} and sensors on")


def _starts_on(schedule: dg.ScheduleDefinition) -> bool:
    return schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def never_on(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, warehouse: Warehouse) -> Check:
    """Schedules of connected platforms that nobody has ever switched on, once the oldest connection is old enough."""

    def find() -> Iterator[Finding]:
        table, before = platform_connections.c, now() - timedelta(days=1) - freshness.GRACE
        asked = select(table.provider).where(table.access_token.is_not(None), table.created_at < before).distinct()
        with warehouse.read() as connection:
            there = [of_provider(provider) for provider in connection.execute(asked).scalars()]
            # Whoever is late by one of them was told so, with the schedule.
            told = any((row["cause"] or "").endswith("/schedule") for row in health_reports.open_ones(connection))
        names = {state.name for state in instance.all_instigator_state()}
        wanted = {one.name for platform in there if platform for one in platform.dagster.get().schedules}
        known = {one.name for one in repository.schedule_defs if not _starts_on(one)}
        if missing := sorted((wanted & known) - names):
            text = f"Schedules that were never switched on: {', '.join(missing)}. What they read is not read by itself."
            hint = "In the UI under Automation, or: dagster schedule start --start-all -w workspace.yaml"
            yield Finding("schedules/never_on", "no", text, hint, "Schedules", told=told)

    return Check("schedules/", find)


def sensors(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[Finding]:
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
            yield Finding(f"sensor/{state.name}", "no", text, hint, "The daemon", cause=SILENT)


def schedules(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[Finding]:
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
        # What was due while a person had it off, nobody waits for.
        begun = getattr(state.instigator_data, "start_timestamp", None) or 0.0
        due = next_execution(schedule, max(last, datetime.fromtimestamp(begun, UTC)))
        if now() > due + SCHEDULE_GRACE:
            text = f"Schedule {state.name} was due at {due:%Y-%m-%d %H:%M} UTC and did not run."
            hint = "Restart dagster-daemon; what it missed is read by the weekly look-back, or by the command backfill."
            yield Finding(f"schedule/{state.name}", "no", text, hint, "The daemon", cause=SILENT)


def _running(instance: dg.DagsterInstance) -> Iterator[InstigatorState]:
    """Schedules and sensors that are on; Dagster refuses a schedule and a sensor of one name."""
    return (state for state in instance.all_instigator_state() if state.is_running)


def _failing(instance: dg.DagsterInstance, state: InstigatorState) -> str | None:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    if not ticks or not ticks[0].is_failure:
        return None
    error = ticks[0].error
    # Dagster's own says only that there was one; the driver's, below one of this package, quotes addresses.
    while error is not None and error.cause is not None and error.cls_name not in _OURS:
        error = error.cause
    if error is None:
        return "no reason was kept"
    lines = error.message.strip().splitlines() or [""]
    return lines[0].rpartition(f"{error.cls_name}: ")[2] if error.cls_name in _OURS else lines[-1]


def _last_tick(instance: dg.DagsterInstance, state: InstigatorState) -> datetime | None:
    # A sensor's skipped ticks are purged and, while nothing happens, the newest one is only moved on.
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    moments = [ticks[0].timestamp, ticks[0].tick_data.end_timestamp or 0.0] if ticks else []
    data = state.instigator_data
    moments += [getattr(data, name, None) or 0.0 for name in ("last_tick_timestamp", "last_tick_start_timestamp")]
    newest = max(moments, default=0.0)
    return datetime.fromtimestamp(newest, UTC) if newest else None


def _broken(kind: str, name: str, error: str) -> Finding:
    text = f"{kind.capitalize()} {name} fails: {error[:_ERROR_CHARACTERS]}"
    hint = f"Read its ticks in the UI under Automation, {name}; it tries again by itself once the cause is fixed."
    # A warehouse that is away fails all of them.
    return Finding(f"{kind}/{name}", "no", text, hint, "Automation", cause=failed_cause("automation", "", error))


def jobs(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[Finding]:
    """Jobs without partitions whose last run failed, by profile. What the queue asked for, the queue tells."""
    for job in repository.get_all_jobs():
        if job.partitions_def is not None or job.name.startswith("__") or job.name.endswith("_refresh"):
            continue
        newest: dict[str, dg.DagsterRun] = {}
        for record in instance.get_run_records(dg.RunsFilter(job_name=job.name), limit=100):
            run = record.dagster_run
            if run.is_finished and not ended_runs.waits_for_retry(record):
                newest.setdefault(run.tags.get(PROFILE_TAG, ""), run)
        for owner, run in newest.items():
            if run.status == dg.DagsterRunStatus.FAILURE and RANGE_START not in run.tags:
                name = f"job/{job.name}/{owner or INSTALLATION}"
                why = ended_runs.newest(instance, {run.run_id})
                text = f"The last run of job {job.name} failed: run {run.run_id}. {why.message}".strip()
                cause = why.cause(next((one.name for one in sources_of(run, sources())), job.name), owner)
                subject = f"Job {job.name}"
                yield Finding(name, "no", text, _HINT_OF_JOB, subject, owner, cause=cause, run_id=run.run_id)
