"""Everything that Dagster loads. Importing this module only defines things; see :mod:`runtime.process`."""

from __future__ import annotations

import dagster as dg

from creator_pipeline.monitoring import health_sensor
from creator_pipeline.orchestration import daily_revenue as ledger
from creator_pipeline.orchestration import jobs, notifications, schedules, sensors
from creator_pipeline.platforms.gumroad import assets as gumroad
from creator_pipeline.platforms.gumroad import checks as gumroad_checks
from creator_pipeline.platforms.kdp import assets as kdp
from creator_pipeline.platforms.kdp.sensor import kdp_inbox
from creator_pipeline.platforms.whop import assets as whop
from creator_pipeline.runtime.resources import GumroadResource, WarehouseResource, WhopResource

defs = dg.Definitions(
    assets=[
        gumroad.products,
        gumroad.sales,
        whop.memberships,
        whop.payments,
        kdp.royalties,
        ledger.daily_revenue_asset,
    ],
    asset_checks=[
        gumroad_checks.agrees_with_gumroad,
        ledger.equals_ledger,
        ledger.refunds_within_sales,
        health_sensor.pipeline_is_healthy,
    ],
    jobs=jobs.ALL,
    schedules=schedules.ALL,
    sensors=[*sensors.ALL, kdp_inbox, *notifications.ALL, health_sensor.pipeline_health],
    resources={"warehouse": WarehouseResource(), "gumroad": GumroadResource(), "whop": WhopResource()},
    # Half the latency and twice the runs per minute of a process for each step.
    executor=dg.in_process_executor,
)
