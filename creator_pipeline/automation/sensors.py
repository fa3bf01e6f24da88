"""Sensors: keep partitions in step with connections, and roll up what changed."""

import dagster as dg
from sqlalchemy import func, select

from creator_pipeline.automation.jobs import ledger
from creator_pipeline.dagster_support.partitions import DYNAMIC
from creator_pipeline.dagster_support.resources import WarehouseResource
from creator_pipeline.store.profiles import connected
from creator_pipeline.store.tables import ledger_changes

_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def profiles_in_use(instance: dg.DagsterInstance) -> set[str]:
    """Profiles a run works on right now: their partitions must not go away under it."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_ACTIVE))
    tags = ("dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    values = [run.tags.get(tag) for run in runs for tag in tags]
    return {value.rsplit("|", 1)[-1] for value in values if value}


@dg.sensor(name="profiles", minimum_interval_seconds=15, default_status=dg.DefaultSensorStatus.RUNNING)
def profiles_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Add a partition for each connection, and take it away when the connection is gone and no run needs it."""
    house, requests, busy = warehouse.open(), [], profiles_in_use(context.instance)
    for provider, name in DYNAMIC.items():
        wanted, there = set(connected(house, provider)), set(context.instance.get_dynamic_partitions(name))
        definition = dg.DynamicPartitionsDefinition(name=name)
        if new := sorted(wanted - there):
            requests.append(definition.build_add_request(new))
        if gone := sorted(there - wanted - busy):
            requests.append(definition.build_delete_request(gone))
    reason = None if requests else "Partitions and connections agree."
    return dg.SensorResult(dynamic_partitions_requests=requests, skip_reason=reason)


@dg.sensor(
    name="ledger_changes", job=ledger, minimum_interval_seconds=10, default_status=dg.DefaultSensorStatus.RUNNING
)
def ledger_changes_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Ask for a roll-up when days of the ledger changed, one at a time."""
    with warehouse.open().read() as connection:
        newest, count = connection.execute(
            select(func.max(ledger_changes.c.changed_at), func.count()).select_from(ledger_changes)
        ).one()
    if not count:
        return dg.SensorResult(skip_reason="No day of the ledger changed.")
    if context.instance.get_runs(dg.RunsFilter(job_name=ledger.name, statuses=_ACTIVE), limit=1):
        return dg.SensorResult(skip_reason="A roll-up is under way.")
    # A run that fails leaves the days waiting: the minute lets the next tick ask again without asking every tick.
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"{newest}:{count}")])


ALL = [profiles_sensor, ledger_changes_sensor]
