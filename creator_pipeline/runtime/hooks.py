"""Hooks on the assets: they tell of a step's end at once; the run sensors of orchestration tell what they miss.

Both write to one outbox under one key for each event, so one mail results however many tell of it. A hook that fails
never fails a run: what it missed, the net tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.core.windows import DayWindow, partition_key
from creator_pipeline.runtime.tags import (
    BACKFILL_TAG,
    PARTITION,
    PROFILE_TAG,
    RANGE_END,
    RANGE_START,
    TRIGGER_TAG,
)
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import ingestion_jobs, kdp_uploads

if TYPE_CHECKING:
    from creator_pipeline.mail.notify import Trigger

_SOURCES = ("gumroad", "whop", "kdp")
_TRIGGERS: dict[str, Trigger] = {
    "nightly": "schedule",
    "lookback": "schedule",
    "drift": "schedule",
    "webhook": "webhook",
    "refresh": "webhook",
    "initial_sync": "request",
    "file": "request",
    "backfill": "backfill",
}
_PARTITION_TAGS = (PARTITION, RANGE_START, RANGE_END)
KILLED = "The process that did the work ended without a word."


@dataclass
class Told:
    """What a run did, by profile: ledger rows that landed, and what failed with its reason."""

    events: dict[str, int] = field(default_factory=dict[str, int])
    partitions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    failed: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    message: str = ""
    code: str = ""


def source_of(run: dg.DagsterRun) -> str | None:
    """``gumroad``, ``whop`` or ``kdp``; None for a run that reads no platform."""
    names = [run.job_name, *(key.path[0] for key in run.asset_selection or ())]
    names += [key.path[-1] for key in run.asset_selection or () if key.path[0] == "sales_events"]
    return next((source for source in _SOURCES for name in names if name.startswith(source)), None)


def trigger_of(run: dg.DagsterRun) -> Trigger:
    """Who started a run."""
    if "dagster/backfill" in run.tags:
        return "backfill"
    if told := run.tags.get(TRIGGER_TAG):
        return _TRIGGERS.get(told, "operator")
    return "schedule" if "dagster/schedule_name" in run.tags else "operator"


def will_be_retried(run: dg.DagsterRun) -> bool:
    """Whether the daemon starts a failed run again. It says so of every killed run, but can't start a command's."""
    return run.tags.get("dagster/will_retry") == "true" and run.remote_job_origin is not None


def profiles_of(warehouse: Warehouse, run: dg.DagsterRun) -> list[str]:
    """Profiles a run works for, by its tags and partitions."""
    if profile := run.tags.get(PROFILE_TAG):
        return [profile]
    keys = [run.tags[tag] for tag in _PARTITION_TAGS if tag in run.tags]
    return sorted({profile for key in keys if (profile := profile_of_partition(warehouse, run, key))})


def profile_of_partition(warehouse: Warehouse, run: dg.DagsterRun, key: str) -> str | None:
    """Whose partition it is: its second dimension, the key itself, or the owner of the upload it names."""
    if source_of(run) != "kdp":
        return key.rpartition("|")[2]
    with warehouse.read() as connection:
        found = select(kdp_uploads.c.profile_id).where(kdp_uploads.c.id.startswith(key, autoescape=True))
        return connection.execute(found).scalar()


def what_happened(warehouse: Warehouse, instance: dg.DagsterInstance, run: dg.DagsterRun) -> Told:
    """Read a run's own events."""
    told = Told()
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.STEP_FAILURE}
    for record in instance.all_logs(run.run_id, of_type=kinds):
        event = record.get_dagster_event()
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            _note_failure(warehouse, run, told, event)
        elif event.asset_key and event.asset_key.path[0] == "sales_events" and event.partition:
            profile = profile_of_partition(warehouse, run, event.partition)
            count: Any = event.step_materialization_data.materialization.metadata.get("dagster/partition_row_count")
            if profile:
                told.events[profile] = told.events.get(profile, 0) + int(count.value if count else 0)
                told.partitions.setdefault(profile, []).append(event.partition)
    return told


def _note_failure(warehouse: Warehouse, run: dg.DagsterRun, told: Told, event: dg.DagsterEvent) -> None:
    data: Any = event.step_failure_data
    user = data.user_failure_data
    told.message = (user.description if user and user.description else None) or (
        data.error.message if data.error else told.message
    )
    metadata: dict[str, Any] = dict(user.metadata) if user else {}
    if code := metadata.get("error_code"):
        told.code = str(code.value)
    if keys := metadata.get("failed_partitions"):
        for key in keys.value:
            if profile := profile_of_partition(warehouse, run, key):
                told.failed.setdefault(profile, []).append(key)


def _lines_of(message: str, profile: str, others: Iterable[str]) -> str:
    """Of a message about several profiles, the lines about one."""
    if not any(other != profile for other in others):
        return message
    lines = [line for line in message.splitlines() if f"|{profile}" in line or line.startswith(f"{profile}:")]
    return "\n".join(lines) or message


def tell(instance: dg.DagsterInstance, run: dg.DagsterRun, *, failed: bool) -> list[str]:
    """Write the mails a run's end gives rise to; returns their ids. Telling again writes nothing new."""
    from creator_pipeline.mail import notify

    source, config = source_of(run), settings.load()
    if source is None:
        return []
    warehouse = open_warehouse(config.warehouse_url)
    trigger, told = trigger_of(run), what_happened(warehouse, instance, run)
    if trigger == "webhook" and failed and not _given_up(warehouse, run.run_id):
        return []  # the queue hands its jobs out again
    if failed and not told.message and BACKFILL_TAG in run.tags:
        return _abandoned(warehouse, config, source, run, told)
    event_id = f"{run.root_run_id or run.run_id}:{source}"
    hurt = list(told.failed) or (profiles_of(warehouse, run) if failed else [])
    ids: list[str] = []
    for profile in hurt:
        ids += notify.notify_failure(
            warehouse,
            config,
            profile_id=profile,
            event_id=event_id,
            source=source,
            trigger=trigger,
            error_message=_lines_of(told.message, profile, told.failed) or KILLED,
            error_code=told.code,
            partitions=told.failed.get(profile) or _asked(run),
            unit=_unit(source, run),
            run_url=f"{config.dagster_url}/runs/{run.run_id}",
            will_retry=will_be_retried(run),
        )
    for profile in told.events.keys() - set(hurt) if told.events else set[str]():
        ids += notify.notify_success(
            warehouse,
            config,
            profile_id=profile,
            event_id=event_id,
            source=source,
            trigger=trigger,
            events_count=told.events[profile],
            partitions=_ends(told.partitions[profile]),
            unit=_unit(source, run),
        )
    return ids


def _abandoned(
    warehouse: Warehouse, config: settings.Settings, source: str, run: dg.DagsterRun, told: Told
) -> list[str]:
    """The digest of a backfill whose command was killed in the middle of a run, and can't tell by itself."""
    from creator_pipeline.mail import notify

    (first, profile), (last, _) = (run.tags[tag].split("|") for tag in (RANGE_START, RANGE_END))
    days = DayWindow(date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1))
    asked = [partition_key(day, profile) for day in days.each()]
    left = sorted(set(asked) - set(told.partitions.get(profile, ())))
    return notify.notify_backfill(
        warehouse,
        config,
        profile_id=profile,
        backfill_id=run.tags[BACKFILL_TAG],
        source=source,
        partitions=len(asked),
        failed=len(left),
        failed_partitions=left,
        run_url=f"{config.dagster_url}/runs/{run.run_id}",
    )


def _given_up(warehouse: Warehouse, run_id: str) -> bool:
    jobs = ingestion_jobs.c
    with warehouse.read() as connection:
        found = select(jobs.id).where(jobs.run_id == run_id, jobs.status.in_(("failed", "dead"))).limit(1)
        return connection.execute(found).first() is not None


def _unit(source: str, run: dg.DagsterRun) -> str:
    return run.tags.get("dagster/partition", "") if source == "kdp" else ""


def _asked(run: dg.DagsterRun) -> list[str]:
    return _ends([run.tags[tag] for tag in _PARTITION_TAGS if tag in run.tags])


def _ends(keys: Sequence[str]) -> list[str]:
    ordered = sorted(set(keys))
    return ordered if len(ordered) <= 2 else [f"{ordered[0]} to {ordered[-1]}"]


def _safely(context: dg.HookContext, *, failed: bool) -> None:
    try:
        run = context.instance.get_run_by_id(context.run_id)
        if run is not None:
            tell(context.instance, run, failed=failed)
    except Exception:
        context.log.warning("A mail hook failed; the run sensors will tell instead.", exc_info=True)


@dg.success_hook(name="mail_completed")
def mail_completed(context: dg.HookContext) -> None:
    """Tell of a step that ended well."""
    _safely(context, failed=False)


@dg.failure_hook(name="mail_failed")
def mail_failed(context: dg.HookContext) -> None:
    """Tell of a step that failed for good; Dagster doesn't call it for attempts that are retried."""
    _safely(context, failed=True)


HOOKS = {mail_completed, mail_failed}
