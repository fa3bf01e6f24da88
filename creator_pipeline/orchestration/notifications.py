"""The net under the hooks: run sensors over every code location, and the outbox's own sensor. None of them raises."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import orjson

from creator_pipeline import settings
from creator_pipeline.core.budget import Budget
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.platforms import sources
from creator_pipeline.runtime import hooks
from creator_pipeline.runtime.dagster_internals import is_preview
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source

if TYPE_CHECKING:
    from creator_pipeline.runtime.dagster_internals import PartitionBackfill

_PER_TICK = 20
"""Mails of a tick: at two a second well within the minute that Dagster gives a sensor."""
_RECENT = timedelta(days=2)
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_ENDED = {"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"}


def _tell(context: dg.RunStatusSensorContext, *, failed: bool) -> None:
    run = context.dagster_run
    if failed and run.status != dg.DagsterRunStatus.FAILURE:
        return  # stopped in its last moment: Dagster noted a failure first
    # No budget: Dagster hands at most 25 runs to a tick, one by one, and goes on with the next whatever is returned.
    # Most of them have told by their hooks; to find that out takes one reading of the run's events.
    try:
        for source in hooks.sources_of(run, sources()):
            ids = hooks.tell(context.instance, run, source, failed=failed)
            if ids:
                mails = number(len(ids), "mail is due", "mails are due")
                context.log.info("Run %s of %s: %s.", run.run_id, source.label, mails)
    except Exception:
        context.log.exception("The mails of run %s could not be written.", run.run_id)


# Over all locations: a run from the command line belongs to none, and would be passed over.
@dg.run_status_sensor(
    name="run_completed",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitor_all_code_locations=True,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
    description="Tells of runs that ended well and whose hooks did not fire.",
)
def run_completed(context: dg.RunStatusSensorContext) -> None:
    """Tell of runs that ended well and whose hooks didn't fire."""
    _tell(context, failed=False)


@dg.run_failure_sensor(
    name="run_failed",
    monitor_all_code_locations=True,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
    description="Tells of runs that failed, also those whose worker was killed.",
)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Tell of runs that failed, also those whose worker was killed."""
    _tell(context, failed=True)


@dg.sensor(
    name="email_outbox",
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends the mails that wait, and writes the digests of backfills that ended.",
)
def email_outbox_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Send what waits in the outbox, and write the digests of backfills that ended; the cursor says which were."""
    from creator_pipeline.mail import outbox

    stored, config, cursor, budget = warehouse.open(), settings.load(), context.cursor, Budget()
    if is_preview(context):
        return dg.SensorResult(skip_reason="A preview sends no mail.", cursor=cursor)
    try:
        told = _digests(context.instance, stored, config, orjson.loads(cursor) if cursor else {}, budget)
        cursor = orjson.dumps(told).decode()
    except Exception:
        context.log.exception("The digests of backfills could not be written.")
    report = outbox.flush(stored, config, limit=_PER_TICK, budget=budget)
    context.log.info("%s", report)
    return dg.SensorResult(skip_reason=str(report), cursor=cursor)


def _digests(
    instance: dg.DagsterInstance,
    warehouse: Warehouse,
    config: settings.Settings,
    told: Mapping[str, str],
    budget: Budget,
) -> dict[str, str]:
    """Tell of backfills that ended; returns what each was like then. One that is still so isn't read again: that takes
    every event of every run."""
    since, now_told = now() - _RECENT, dict[str, str]()
    for backfill in instance.get_backfills(limit=50):
        if backfill.status.value not in _ENDED or backfill.backfill_timestamp < since.timestamp():
            continue
        tags, ended = {"dagster/backfill": backfill.backfill_id}, _FINISHED
        count, over, well = (
            instance.get_runs_count(dg.RunsFilter(tags=tags, statuses=statuses))
            for statuses in (None, ended, [dg.DagsterRunStatus.SUCCESS])
        )
        if count and over == count:
            state = f"{count}:{well}"
            if told.get(backfill.backfill_id) != state:
                if budget.spent:
                    continue  # the next tick tells of it
                runs = instance.get_runs(dg.RunsFilter(tags=tags))
                for source in hooks.sources_of(runs[0], sources()):
                    _digest(instance, warehouse, config, backfill, runs, source)
            now_told[backfill.backfill_id] = state
    return now_told


def _digest(
    instance: dg.DagsterInstance,
    warehouse: Warehouse,
    config: settings.Settings,
    backfill: "PartitionBackfill",
    runs: Sequence[dg.DagsterRun],
    source: Source,
) -> None:
    from creator_pipeline.mail import notify, told_elsewhere

    landed, failed, count = dict[str, set[str]](), dict[str, set[str]](), dict[str, int]()
    for run in runs:
        told = hooks.what_happened(warehouse, instance, source, run)
        for profile, keys in told.partitions.items():
            landed.setdefault(profile, set()).update(keys)
            count[profile] = count.get(profile, 0) + told.events.get(profile, 0)
        for profile, keys in told.failed.items():
            failed.setdefault(profile, set()).update(keys)
        if run.status == dg.DagsterRunStatus.FAILURE and not told.failed:
            for profile in hooks.profiles_of(warehouse, source, run):
                failed.setdefault(profile, set()).add(run.tags.get("dagster/partition", run.run_id))
    stopped = backfill.status.value == "CANCELED"
    left, number_of = dict[str, list[str]](), 0
    for profile in failed.keys() if stopped else landed.keys() | failed.keys():
        lost = sorted(failed.get(profile, set()) - landed.get(profile, set()))
        left[profile], number_of = lost, number_of + len(landed.get(profile, set()) | failed.get(profile, set()))
        notify.notify_backfill(
            warehouse,
            config,
            profile_id=profile,
            backfill_id=backfill.backfill_id,
            source=source,
            partitions=len(landed.get(profile, set()) | failed.get(profile, set())),
            failed=len(lost),
            failed_partitions=lost,
            events_count=count.get(profile),
        )
    if left:
        page = f"{config.dagster_url}/runs/b/{backfill.backfill_id}"
        told_elsewhere.tell_backfill(warehouse, config, backfill.backfill_id, source, left, number_of, page)


@dg.sensor(
    name="alert_outbox",
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends the notices that wait for the channels of ALERT_URLS.",
)
def alert_outbox_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Send the notices that wait. A sensor of its own: a channel that is slow or down must not keep mails waiting."""
    from creator_pipeline.mail import alert_outbox

    if is_preview(context):
        return dg.SensorResult(skip_reason="A preview sends no notice.")
    report = alert_outbox.flush(warehouse.open(), settings.load(), limit=_PER_TICK, budget=Budget())
    context.log.info("%s", report)
    return dg.SensorResult(skip_reason=str(report))


ALL = [run_completed, run_failed, email_outbox_sensor, alert_outbox_sensor]
