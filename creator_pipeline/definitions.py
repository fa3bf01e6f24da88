"""The code location: what the platforms bring, and what is the installation's own. Nothing happens here but that."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from creator_pipeline import __version__
from creator_pipeline.monitoring import health_sensor
from creator_pipeline.orchestration import (
    books,
    daily_revenue,
    dbt_models,
    export,
    external,
    fx,
    jobs,
    notifications,
    products,
    schedules,
    sensors,
    subscriptions,
)
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.runtime.resources import WarehouseResource


def build(platforms: Sequence[Platform] = PLATFORMS) -> dg.Definitions:
    """The definitions of some platforms, and what is made of all of them.

    Args:
        platforms: all of this moment by default.
    """
    parts = {platform.name: platform.dagster.get() for platform in platforms}
    models = dbt_models.assets()
    return dg.Definitions(
        assets=[
            *(asset for part in parts.values() for asset in part.assets),
            daily_revenue.daily_revenue_asset(),
            subscriptions.subscriptions_asset(),
            products.list_products,
            *books.all_books(platforms),
            export.export_asset(),
            fx.rates_asset,
            *models,
            *external.specs(platforms),
        ],
        asset_checks=[
            *(check for part in parts.values() for check in part.checks),
            daily_revenue.equals_ledger,
            daily_revenue.refunds_within_sales,
            products.money_is_mapped,
            health_sensor.pipeline_is_healthy,
        ],
        jobs=[*(job for part in parts.values() for job in part.jobs), *jobs.OWN, *books.job(platforms)],
        schedules=schedules.all_schedules(platforms),
        sensors=[
            *sensors.all_sensors(platforms),
            *(sensor for part in parts.values() for sensor in part.sensors),
            *notifications.ALL,
            health_sensor.pipeline_health,
            *dbt_models.sensors(models),
        ],
        resources={
            "warehouse": WarehouseResource(),
            **{name: part.resource for name, part in parts.items() if part.resource is not None},
        },
        # Half the latency and twice the runs per minute of a process for each step.
        executor=dg.in_process_executor,
        # The UI shows it beside the code location.
        metadata={"version": __version__},
    )


defs = build()
