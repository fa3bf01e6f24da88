"""Sensors: keep partitions in step with connections, and roll up what changed."""

from collections.abc import Sequence
from datetime import UTC, timedelta
from functools import partial

import dagster as dg
from sqlalchemy import func, select

from creator_pipeline import settings
from creator_pipeline.core.budget import Budget
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now, today
from creator_pipeline.orchestration.jobs import ledger
from creator_pipeline.orchestration.sweep import sweep
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.dagster_parts import Refresh
from creator_pipeline.platforms.intake import jobs_of_waiting, waiting_for
from creator_pipeline.queue.waiting import wait_for_job
from creator_pipeline.runtime.code_server import call_is_waited_for
from creator_pipeline.runtime.dagster_internals import is_preview
from creator_pipeline.runtime.queue_jobs import LEASE_SECONDS, job_queue
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import PARTITION, RANGE_END, RANGE_START, SOON, run_tags
from creator_pipeline.store.profiles import connected
from creator_pipeline.store.tables import ledger_changes, webhook_events


def refreshes(platforms: Sequence[Platform] = PLATFORMS) -> dict[str, Refresh]:
    """Source to the job that works off its jobs of the queue."""
    found = {platform.name: platform.dagster.get().refresh for platform in platforms}
    return {name: refresh for name, refresh in found.items() if refresh}


_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


_JOBS_AT_ONCE = 2_000
"""Jobs of one run: their ids travel in its configuration."""
QUIET = timedelta(hours=20)
"""After so long without a change the roll-up is asked for all the same."""
_DELIVERIES_AT_ONCE = 500
"""Of one transaction."""
_SHOWN = 10


def profiles_in_use(instance: dg.DagsterInstance) -> set[str]:
    """Profiles a run works on right now: their partitions must not go away under it."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_ACTIVE))
    tags = (PARTITION, RANGE_START, RANGE_END)
    values = [run.tags.get(tag) for run in runs for tag in tags]
    return {value.rsplit("|", 1)[-1] for value in values if value}


@dg.sensor(
    name="profiles",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A partition for each connected profile; frees what runs hold that are over.",
)
def profiles_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Add a partition for each connection, and take it away when the connection is gone and no run needs it.

    Gives back before what runs hold that are over.
    """
    stored = warehouse.open()
    if is_preview(context):
        return dg.SensorResult(skip_reason="A preview ends no run and frees nothing.")
    for line in sweep(context.instance, stored, refreshes(), Budget()):
        context.log.info("%s", line)
    # Without a budget from here on: a few questions for each platform, however many profiles there are.
    requests, busy = [], profiles_in_use(context.instance)
    for platform in PLATFORMS:
        if not platform.connects:
            continue
        # In this order: a profile is connected first and gets its partition then, so whoever is there is wanted.
        there = set(context.instance.get_dynamic_partitions(platform.partitions_name))
        wanted = set(connected(stored, platform.in_ledger))
        definition = dg.DynamicPartitionsDefinition(name=platform.partitions_name)
        if new := sorted(wanted - there):
            requests.append(definition.build_add_request(new))
            context.log.info("%s: partitions made for %s.", platform.label, _named(new))
        if gone := sorted(there - wanted - busy):
            requests.append(definition.build_delete_request(gone))
            context.log.info("%s: partitions taken away of %s.", platform.label, _named(gone))
    reason = None if requests else "Partitions and connections agree."
    return dg.SensorResult(dynamic_partitions_requests=requests, skip_reason=reason)


def _named(profile_ids: list[str]) -> str:
    shown = ", ".join(profile_ids[:_SHOWN])
    return shown if len(profile_ids) <= _SHOWN else f"{number(len(profile_ids), 'profile')}: {shown} …"


@dg.sensor(
    name="ledger_changes",
    job=ledger,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A roll-up when days of the ledger changed, one at a time.",
)
def ledger_changes_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Ask for a roll-up when days of the ledger changed, one at a time."""
    # No budget: two questions, each answered by an index.
    with warehouse.open().read() as connection:
        newest, count = connection.execute(
            select(func.max(ledger_changes.c.changed_at), func.count()).select_from(ledger_changes)
        ).one()
    record = next(iter(context.instance.get_run_records(dg.RunsFilter(job_name=ledger.name), limit=1)), None)
    last = record.dagster_run if record else None
    if not count:
        if record is None or now() - record.create_timestamp.astimezone(UTC) < QUIET:
            return dg.SensorResult(skip_reason="No day of the ledger changed.")
        # Nothing was sold: what there is is as new as it can be, and the UI must not call it late.
        context.log.info(
            "A roll-up though no day changed: the last one is %d hours old.", QUIET.total_seconds() // 3600
        )
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"quiet:{today()}", tags=run_tags("nightly"))])
    if last is not None and last.status in _ACTIVE:
        return dg.SensorResult(skip_reason="A roll-up is under way.")
    # With the last run in it: a roll-up that failed leaves its days waiting, and they must be asked for again.
    run_key = f"{newest}:{count}:{last.run_id if last else ''}"
    context.log.info(
        "A roll-up of %s.", number(count, "day and profile that changed", "days and profiles that changed")
    )
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=run_key, tags=SOON)])


@dg.sensor(
    name="stored_deliveries",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Jobs of what came while a platform was switched off or its account was refused.",
)
def stored_deliveries_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SkipReason:
    """Make jobs of the deliveries that came while a platform was switched off or its account refused.

    By the flags of this moment: the gateway that stored them may have been started with others.
    """
    config, stored, budget, made = settings.load(), warehouse.open(), Budget(), 0
    if is_preview(context):
        return dg.SkipReason("A preview makes no job.")
    on = [platform.in_ledger for platform in PLATFORMS if platform.webhooks and config.enabled(platform.name)]
    wanted = waiting_for(on)
    with stored.read() as connection:
        if connection.execute(select(webhook_events.c.delivery_id).where(wanted).limit(1)).first() is None:
            return dg.SkipReason("No delivery waits for a flag or an account.")
    while made < _JOBS_AT_ONCE and not budget.spent:
        count = jobs_of_waiting(stored, job_queue(stored), config, wanted, most=_DELIVERIES_AT_ONCE)
        made += count
        if not count:
            break
    told = f"{number(made, 'job')} made of deliveries that were only stored."
    context.log.info(told)
    return dg.SkipReason(told)


def _wait_seconds(instance: dg.DagsterInstance, config: settings.Settings) -> float:
    """How long a tick may wait: not at all where the daemon has no threads, and every sensor would wait with it."""
    threads = instance.get_sensor_settings()
    waits = threads.get("use_threads") and (threads.get("num_workers") or 2) > 1
    return config.webhook_wait_seconds if waits else 0.0


def webhook_jobs_sensor(platforms: Sequence[Platform] = PLATFORMS) -> dg.SensorDefinition:
    """The sensor ``webhook_jobs``, over the refresh jobs of these platforms."""
    refresh_of = refreshes(platforms)

    @dg.sensor(
        name="webhook_jobs",
        jobs=[refresh.job for refresh in refresh_of.values()],
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs for the jobs of the queue: one for all jobs of a profile.",
    )
    def webhook_jobs(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        """Hand out what waits in the queue: one run for all jobs of a profile. The run acks; this never does.

        Where nothing waits, a tick of the daemon waits for it: the daemon itself looks seldom.
        """
        config = settings.load()
        if is_preview(context):
            waits = job_queue(warehouse.open()).depth()
            return dg.SensorResult(skip_reason=f"A preview takes no job; what is in the queue: {waits or 'nothing'}.")
        sources = [source for source in refresh_of if config.enabled(source)]
        stored, budget = warehouse.open(), Budget()
        claim = partial(job_queue(stored).claim_batches, lease_seconds=LEASE_SECONDS, limit=_JOBS_AT_ONCE)
        # Dagster's queue knows whose turn it is; the sweep renews the leases of a run that waits there.
        batches = claim(sources=sources, budget=budget)
        if not batches and wait_for_job(stored, sources, _wait_seconds(context.instance, config), call_is_waited_for):
            config, budget = settings.load(), Budget()
            sources = [source for source in sources if config.enabled(source)]
            batches = claim(sources=sources, budget=budget, ask_redis=False)
        if not batches:
            off = ", ".join(sorted(refresh_of.keys() - sources))
            return dg.SensorResult(skip_reason=f"No job waits ({off} switched off)." if off else "No job waits.")
        for line in sweep(context.instance, stored, sources, budget):
            context.log.info("%s", line)
        for batch in batches:
            some = number(len(batch.leases), "job")
            context.log.info("A run for %s of %s %s.", some, batch.source, batch.profile_id)
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    job_name=refresh_of[batch.source].job.name,
                    # With the attempts in it: a job that is handed out again must not be taken for the same request.
                    run_key=batch.run_key,
                    run_config=dict(
                        refresh_of[batch.source].config(batch.profile_id, [lease.key for lease in batch.leases])
                    ),
                    tags=run_tags(batch.kind, batch.profile_id, source=batch.source),
                )
                for batch in batches
            ]
        )

    return webhook_jobs


def all_sensors(platforms: Sequence[Platform] = PLATFORMS) -> list[dg.SensorDefinition]:
    """Those of this module.

    Args:
        platforms: whose jobs of the queue are worked off.
    """
    refreshing = [webhook_jobs_sensor(platforms)] if refreshes(platforms) else []
    return [profiles_sensor, ledger_changes_sensor, *refreshing, stored_deliveries_sensor]
