"""Backfills that run here and now, resume, and tell the truth by their exit code."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import orjson
from sqlalchemy import insert, select, update

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import DayWindow, contiguous, now, partition_key, today
from creator_pipeline.mail import told_elsewhere
from creator_pipeline.mail.notify import notify_backfill
from creator_pipeline.orchestration.backfill_progress import landed_since, refuse_second
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.dagster_parts import Backfill
from creator_pipeline.runtime import outcome
from creator_pipeline.runtime.dagster_internals import add_backfill
from creator_pipeline.runtime.outcome import ALLOW_SHRINK_TAG
from creator_pipeline.runtime.run_here import run_here
from creator_pipeline.runtime.tags import BACKFILL_TAG, LOAD_DAYS, LOAD_TAG, TRIGGER_TAG, account_tags, range_tags
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected, get_profile
from creator_pipeline.store.tables import ingestion_jobs

DAYS_PER_RUN = 366


def sources() -> list[str]:
    """Names of the platforms that have days to read."""
    return [platform.name for platform in PLATFORMS if platform.dagster.get().backfill]


def parts_of(source: str) -> tuple[Platform, Backfill]:
    """A platform, and what its backfill runs.

    Raises:
        ConfigError: it has no days to read.
    """
    for platform in PLATFORMS:
        backfill = platform.dagster.get().backfill if platform.name == source else None
        if backfill:
            return platform, backfill
    raise ConfigError(f"{source} has no days to read.", hint=f"One of: {', '.join(sources())}.")


@dataclass(frozen=True)
class Plan:
    """What a backfill is to do: ``days`` are those that are left."""

    job_id: str
    source: str
    profile_id: str
    window: DayWindow
    days: tuple[date, ...]
    resumed: bool

    def runs(self) -> list[DayWindow]:
        """The fewest windows over the days that are left, none longer than a run should be."""
        parts: list[DayWindow] = []
        for window in contiguous(self.days):
            start = window.start
            while start < window.end:
                end = min(window.end, start + timedelta(days=DAYS_PER_RUN))
                parts.append(DayWindow(start, end))
                start = end
        return parts


def check(warehouse: Warehouse, source: str, profile_id: str, first: date, last: date) -> DayWindow:
    """The window of both dates inclusive.

    Args:
        warehouse: tells whether the profile exists and is connected.
        source, profile_id: name of the platform, and whose days.
        first, last: UTC days, both inclusive.

    Raises:
        ConfigError: says which argument is wrong and what would be right.
    """
    begin = settings.load().pipeline_start_date
    if first > last:
        raise ConfigError(f"--from {first} is after --to {last}.", hint="Both dates are inclusive.")
    if last > today():
        raise ConfigError(f"--to {last} is in the future.", hint=f"The last day there is: {today()} (UTC).")
    if first < begin:
        raise ConfigError(
            f"--from {first} is before the first partition, {begin}.", hint=f"Set PIPELINE_START_DATE={first} first."
        )
    get_profile(warehouse, profile_id)
    platform, _ = parts_of(source)
    if profile_id not in connected(warehouse, platform.in_ledger):
        raise ConfigError(
            f"{profile_id} is not connected to {source}.",
            hint=f"creator-pipeline profiles add {profile_id} {platform.connect_option} TOKEN",
        )
    if not settings.load().enabled(source):
        raise ConfigError(f"ENABLE_{source.upper()} is off.", hint="Set it to true to read from the platform.")
    return DayWindow(first, last + timedelta(days=1))


def plan(warehouse: Warehouse, instance: dg.DagsterInstance, source: str, profile_id: str, window: DayWindow) -> Plan:
    """A new backfill, or the unfinished one of the same source, profile and dates with the days it has left.

    Args:
        warehouse, instance: where the backfill and its runs are recorded.
        source, profile_id: name of the platform, and whose days.
        window: half-open UTC days.

    Raises:
        ConfigError: the unfinished one is under way, or the platform has no days to read.
    """
    jobs = ingestion_jobs.c
    payload = orjson.dumps({"from": window.start.isoformat(), "to": window.end.isoformat()}).decode()
    with warehouse.write() as connection:
        found = connection.execute(
            select(jobs.id, jobs.created_at)
            .where(
                jobs.kind == "backfill",
                jobs.source == source,
                jobs.profile_id == profile_id,
                jobs.payload == payload,
                jobs.status.in_(("running", "failed", "canceled")),
            )
            .order_by(jobs.created_at.desc())
            .limit(1)
        ).first()
        if found is None:
            job_id, moment = uuid.uuid4().hex, now()
            connection.execute(
                insert(ingestion_jobs).values(
                    id=job_id,
                    profile_id=profile_id,
                    source=source,
                    kind="backfill",
                    payload=payload,
                    status="running",
                    attempts=1,
                    # Never due: the queue would hand it out as a job whose worker was lost.
                    visible_at=datetime.max.replace(tzinfo=UTC),
                    created_at=moment,
                )
            )
            return Plan(job_id, source, profile_id, window, tuple(window.each()), resumed=False)
        job_id, created_at = found
        connection.execute(
            update(ingestion_jobs)
            .where(jobs.id == job_id)
            .values(status="running", attempts=jobs.attempts + 1, error=None, finished_at=None)
        )
    refuse_second(instance, job_id)
    done = landed_since(instance, parts_of(source)[1].assets, profile_id, created_at)
    return Plan(
        job_id, source, profile_id, window, tuple(day for day in window.each() if day not in done), resumed=True
    )


def execute(
    defs: dg.Definitions,
    warehouse: Warehouse,
    instance: dg.DagsterInstance,
    todo: Plan,
    *,
    allow_shrink: bool,
    on_progress: Callable[[int], None],
) -> list[str]:
    """Run what is left, here; returns what failed, a line each. The ledger's roll-up follows.

    Args:
        defs, instance: where the jobs are, and where their runs are recorded.
        warehouse: where the backfill's end is noted.
        todo: what is left.
        allow_shrink: accept that most of what is stored goes away.
        on_progress: called with 1 for each partition that lands.

    Raises:
        Stopped: somebody stopped it; what landed stays, and the same plan again does the rest.
    """
    platform, backfill = parts_of(todo.source)
    last_asset = backfill.assets[-1].to_user_string()
    failures: list[str] = []
    landed = set[str]()

    def note(asset: str, partition: str | None) -> None:
        if asset == last_asset and partition:
            landed.add(partition)
            on_progress(1)

    try:
        for window in todo.runs():
            tags = {
                **range_tags(window, todo.profile_id),
                **account_tags(todo.source, todo.profile_id),
                TRIGGER_TAG: "backfill",
                BACKFILL_TAG: todo.job_id,
                **({LOAD_TAG: "backfill"} if window.days >= LOAD_DAYS else {}),
                **({ALLOW_SHRINK_TAG: "true"} if allow_shrink else {}),
            }
            with _listening(note):
                failures += run_here(defs, instance, backfill.job, tags)
        failures += run_here(defs, instance, "ledger", {TRIGGER_TAG: "backfill", BACKFILL_TAG: todo.job_id})
    except KeyboardInterrupt:
        # Somebody stopped it: nobody needs to be told, and the same command goes on with it.
        _ended(warehouse, todo.job_id, "canceled", failures)
        raise
    _ended(warehouse, todo.job_id, "failed" if failures else "completed", failures)
    missing = [key for day in todo.days if (key := partition_key(day, todo.profile_id)) not in landed]
    left, config = {todo.profile_id: missing}, settings.load()
    told_elsewhere.tell_backfill(warehouse, config, todo.job_id, platform.source, left, len(todo.days))
    notify_backfill(
        warehouse,
        config,
        profile_id=todo.profile_id,
        backfill_id=todo.job_id,
        source=platform.source,
        partitions=len(todo.days),
        failed=len(missing),
        failed_partitions=missing,
    )
    return failures


def _ended(warehouse: Warehouse, job_id: str, status: str, failures: Sequence[str]) -> None:
    with warehouse.write() as connection:
        connection.execute(
            update(ingestion_jobs)
            .where(ingestion_jobs.c.id == job_id)
            .values(status=status, error="\n".join(failures)[:4000] or None, finished_at=now())
        )


@contextmanager
def _listening(listener: Callable[[str, str | None], None]) -> Generator[None]:
    outcome.listeners.append(listener)
    try:
        yield
    finally:
        outcome.listeners.remove(listener)


def submit(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    source: str,
    profile_id: str,
    window: DayWindow,
    *,
    allow_shrink: bool,
) -> str:
    """Hand the backfill to the daemon; returns its id in the UI.

    Args:
        defs: of this code location.
        instance: takes the backfill.
        source, profile_id: name of the platform, and whose days.
        window: half-open UTC days.
        allow_shrink: accept that most of what is stored goes away.
    """
    platform, backfill = parts_of(source)
    instance.add_dynamic_partitions(platform.partitions_name, [profile_id])
    backfill_id = uuid.uuid4().hex[:8]
    add_backfill(
        instance,
        defs.resolve_asset_graph(),
        backfill_id=backfill_id,
        assets=list(backfill.assets),
        partitions=[partition_key(day, profile_id) for day in window.each()],
        created_at=now(),
        tags={
            **account_tags(source, profile_id),
            TRIGGER_TAG: "backfill",
            **({ALLOW_SHRINK_TAG: "true"} if allow_shrink else {}),
        },
        title=f"{source} of {profile_id}",
        description=f"{window.start} to {window.end - timedelta(days=1)}, by the command backfill, with --submit",
    )
    return backfill_id
