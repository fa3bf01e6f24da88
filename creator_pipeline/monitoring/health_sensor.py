"""Sensor ``pipeline_health`` and the asset check that shows what it found."""

import dagster as dg

from creator_pipeline.runtime.dagster_internals import is_preview
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.resources import WarehouseResource

_DAILY_REVENUE = asset_key("daily_revenue")


@dg.sensor(
    name="pipeline_health",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Checks everything that runs by itself; tells of each problem once, and once when it is solved.",
)
def pipeline_health(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Check everything that runs by itself; tell of each problem once, and once when it is solved."""
    if is_preview(context):
        return dg.SensorResult(skip_reason="A preview stores no finding and sends no mail.", cursor=context.cursor)
    try:
        from creator_pipeline.monitoring import health_tick

        return health_tick.tick(context, warehouse.open())
    except Exception as error:  # if it raised, nobody would be told of anything
        context.log.exception("The health of the pipeline could not be looked at.")
        return dg.SensorResult(skip_reason=f"Nothing was looked at: {type(error).__name__}.", cursor=context.cursor)


@dg.asset_check(
    asset=_DAILY_REVENUE,
    name="pipeline_is_healthy",
    description="The sensor pipeline_health knows of no open problem: nothing fails, is stuck or was left behind.",
)
def pipeline_is_healthy(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """List the open problems, the oldest first, each with its hint."""
    from creator_pipeline.monitoring import health

    rows = health.open_problems(warehouse.open())
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "open": len(rows),
            "problems": [str(row["text"]) for row in rows[:20]],
            "hint": [str(row["hint"]) for row in rows[:20]],
        },
        description=str(rows[0]["text"]) if rows else None,
    )
