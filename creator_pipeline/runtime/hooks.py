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
from creator_pipeline.runtime.keys import asset_key, is_own, path_of
from creator_pipeline.runtime.outcome import CHANGED_BY
from creator_pipeline.runtime.tags import (
    BACKFILL_TAG,
    FILES_TAG,
    PARTITION,
    PROFILE_TAG,
    RANGE_END,
    RANGE_START,
    TRIGGER_TAG,
)
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.source import Source
from creator_pipeline.store.tables import ingestion_jobs

if TYPE_CHECKING:
    from creator_pipeline.mail.owner_words import Trigger

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
LEDGER = "sales_events"
"""First part of the asset keys of the ledger."""
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


def sources_of(run: dg.DagsterRun, sources: Iterable[Source]) -> list[Source]:
    """The platforms that a run reads, by its job and assets; none where it reads no platform."""
    if not is_own(run):
        return []
    chosen = [path for key in run.asset_selection or () if (path := path_of(key))]
    names = [run.job_name, *(path[0] for path in chosen)]
    ledgers = {path[-1] for path in chosen if path[0] == LEDGER}
    return [
        source
        for source in sources
        if source.provider in ledgers
        or any(name == source.name or name.startswith(f"{source.name}_") for name in names)
    ]


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


def profiles_of(warehouse: Warehouse, source: Source, run: dg.DagsterRun) -> list[str]:
    """Profiles a run works for, by its tags and partitions."""
    if profile := run.tags.get(PROFILE_TAG):
        return [profile]
    keys = [run.tags[tag] for tag in _PARTITION_TAGS if tag in run.tags]
    return sorted({profile for key in keys if (profile := source.owner_of_partition(warehouse, key))})


def what_happened(warehouse: Warehouse, instance: dg.DagsterInstance, source: Source, run: dg.DagsterRun) -> Told:
    """Read a run's own events, those of one platform.

    Args:
        warehouse: tells whose a partition is.
        instance: holds the events.
        source: the platform.
        run: that ended.
    """
    told = Told()
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.STEP_FAILURE}
    for record in instance.all_logs(run.run_id, of_type=kinds):
        event = record.get_dagster_event()
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            if (event.step_key or "").startswith(f"{source.name}_"):
                _note_failure(warehouse, source, told, event)
        elif event.asset_key and event.asset_key == asset_key(LEDGER, source.provider) and event.partition:
            profile = source.owner_of_partition(warehouse, event.partition)
            metadata: Any = event.step_materialization_data.materialization.metadata
            count = metadata.get("dagster/partition_row_count")
            if profile and CHANGED_BY not in metadata:
                told.events[profile] = told.events.get(profile, 0) + int(count.value if count else 0)
                told.partitions.setdefault(profile, []).append(event.partition)
    return told


def _note_failure(warehouse: Warehouse, source: Source, told: Told, event: dg.DagsterEvent) -> None:
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
            if profile := source.owner_of_partition(warehouse, key):
                told.failed.setdefault(profile, []).append(key)


def _lines_of(message: str, profile: str, others: Iterable[str]) -> str:
    """Of a message about several profiles, the lines about one."""
    if not any(other != profile for other in others):
        return message
    lines = [line for line in message.splitlines() if f"|{profile}" in line or line.startswith(f"{profile}:")]
    return "\n".join(lines) or message


def _without_keys(source: Source, told: Told, profile: str) -> str:
    """The message about a profile; where the units have names of their own, without the keys before each line."""
    message = _lines_of(told.message, profile, told.failed)
    for key in told.failed.get(profile, ()) if source.unit_name else ():
        message = message.replace(f"{key}: ", "")
    return message


def _names(warehouse: Warehouse, source: Source, keys: Sequence[str]) -> list[str]:
    return [source.unit_name(warehouse, key) for key in keys] if source.unit_name else list(keys)


def tell(instance: dg.DagsterInstance, run: dg.DagsterRun, source: Source, *, failed: bool) -> list[str]:
    """Write the mails a run's end gives rise to; returns their ids. Telling again writes nothing new.

    Args:
        instance: holds the run's events.
        run: that ended.
        source: the platform that it read.
        failed: how it ended.
    """
    from creator_pipeline.mail import notify

    if FILES_TAG in run.tags:
        return []  # one mail tells of all files that came together
    config = settings.load()
    warehouse = open_warehouse(config.warehouse_url)
    trigger, told = trigger_of(run), what_happened(warehouse, instance, source, run)
    if trigger == "webhook" and failed and not _given_up(warehouse, run.run_id):
        return []  # the queue hands its jobs out again
    if failed and not told.message and BACKFILL_TAG in run.tags:
        return [] if _went_on(warehouse, instance, run) else _abandoned(warehouse, config, source, run, told)
    event_id = f"{run.root_run_id or run.run_id}:{source.name}"
    hurt = list(told.failed) or (profiles_of(warehouse, source, run) if failed else [])
    ids: list[str] = []
    for profile in hurt:
        ids += notify.notify_failure(
            warehouse,
            config,
            profile_id=profile,
            event_id=event_id,
            source=source,
            trigger=trigger,
            error_message=_without_keys(source, told, profile) or KILLED,
            error_code=told.code,
            partitions=_names(warehouse, source, told.failed.get(profile) or _asked(run)),
            unit=_unit(source, run),
            will_retry=will_be_retried(run),
            killed=not told.message,
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
            partitions=_names(warehouse, source, _ends(told.partitions[profile])),
            unit=_unit(source, run),
        )
    return ids


def _went_on(warehouse: Warehouse, instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the backfill of a killed run was resumed or has ended since: its command tells of its end."""
    backfill_id, jobs = run.tags[BACKFILL_TAG], ingestion_jobs.c
    newest = instance.get_runs(dg.RunsFilter(tags={BACKFILL_TAG: backfill_id}), limit=1)
    if newest and newest[0].run_id != run.run_id:
        return True
    with warehouse.read() as connection:
        status = connection.execute(select(jobs.status).where(jobs.id == backfill_id)).scalar()
    return status in {"completed", "failed", "canceled"}


def _abandoned(
    warehouse: Warehouse, config: settings.Settings, source: Source, run: dg.DagsterRun, told: Told
) -> list[str]:
    """The digest of a backfill whose command was killed in the middle of a run, and can't tell by itself."""
    from creator_pipeline.mail import notify, told_elsewhere

    (first, profile), (last, _) = (run.tags[tag].split("|") for tag in (RANGE_START, RANGE_END))
    days = DayWindow(date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1))
    asked = [partition_key(day, profile) for day in days.each()]
    left, backfill_id = sorted(set(asked) - set(told.partitions.get(profile, ()))), run.tags[BACKFILL_TAG]
    told_elsewhere.tell_backfill(warehouse, config, backfill_id, source, {profile: left}, len(asked))
    return notify.notify_backfill(
        warehouse,
        config,
        profile_id=profile,
        backfill_id=backfill_id,
        source=source,
        partitions=len(asked),
        failed=len(left),
        failed_partitions=left,
    )


def _given_up(warehouse: Warehouse, run_id: str) -> bool:
    jobs = ingestion_jobs.c
    with warehouse.read() as connection:
        found = select(jobs.id).where(jobs.run_id == run_id, jobs.status.in_(("failed", "dead"))).limit(1)
        return connection.execute(found).first() is not None


def _unit(source: Source, run: dg.DagsterRun) -> str:
    return run.tags.get(PARTITION, "") if source.named_unit else ""


def _asked(run: dg.DagsterRun) -> list[str]:
    return _ends([run.tags[tag] for tag in _PARTITION_TAGS if tag in run.tags])


def _ends(keys: Sequence[str]) -> list[str]:
    ordered = sorted(set(keys))
    return ordered if len(ordered) <= 2 else [f"{ordered[0]} to {ordered[-1]}"]


def _safely(context: dg.HookContext, source: Source, *, failed: bool) -> None:
    try:
        run = context.instance.get_run_by_id(context.run_id)
        if run is not None:
            tell(context.instance, run, source, failed=failed)
    except Exception:
        context.log.warning("A mail hook failed; the run sensors will tell instead.", exc_info=True)


def hooks_of(source: Source) -> set[dg.HookDefinition]:
    """Hooks for the steps of a platform: they tell of a step that ended well, and of one that failed for good."""

    @dg.success_hook(name=f"mail_completed_{source.name}")
    def mail_completed(context: dg.HookContext) -> None:
        _safely(context, source, failed=False)

    # Dagster doesn't call it for attempts that are retried.
    @dg.failure_hook(name=f"mail_failed_{source.name}")
    def mail_failed(context: dg.HookContext) -> None:
        _safely(context, source, failed=True)

    return {mail_completed, mail_failed}
