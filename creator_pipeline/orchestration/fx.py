"""Asset ``fx/rates``: the rates of the file at ``FX_URL``."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.fx.fetch import fetch
from creator_pipeline.fx.rates import load
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.describe import OWNERS, column_schema
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.links import code, see
from creator_pipeline.runtime.outcome import RETRY
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.stream_assets import NIGHTLY
from creator_pipeline.runtime.tags import run_tags
from creator_pipeline.store.tables import fx_rates

KEY = asset_key("fx", "rates")
OFF = "FX_URL is not set: no rates are fetched. Those of a file are stored by: creator-pipeline fx load FILE"


@dg.multi_asset(
    name="fx_fetch_rates",
    specs=[
        dg.AssetSpec(
            KEY,
            description="The European Central Bank's rates: one euro in units of each currency, by working day."
            f"{see('fx.md')}",
            group_name="fx",
            kinds={"python", "table"},
            owners=OWNERS,
            metadata={**column_schema(fx_rates), **code(fetch)},
            freshness_policy=NIGHTLY,
            skippable=True,
        )
    ],
    retry_policy=RETRY,
)
def rates_asset(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[Any]:
    """Fetch and store; without ``FX_URL`` nothing is materialized, and the log says so."""
    url = settings.load().fx_url
    if not url:
        context.log.warning(OFF)
        return
    found = fetch(url)
    change = load(warehouse.open(), found)
    newest = max(one.day for one in found)
    told = {"rates": len(found), "newest": str(newest)}
    yield dg.MaterializeResult(asset_key=KEY, metadata={**told, **change.metadata()})


JOB = asset_job("fx_rates", [KEY], "Fetches the rates of exchange of FX_URL.")


@dg.schedule(
    job=JOB,
    cron_schedule="40 4 * * *",
    execution_timezone="UTC",
    description="Yesterday's rates of exchange, where FX_URL is set.",
)
def fx_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Fetches rates; those of a day come out in its afternoon."""
    if not settings.load().fx_url:
        return dg.SkipReason(OFF)
    moment = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=f"fx:{moment:%Y-%m-%dT%H:%M}", tags=run_tags("nightly"))
