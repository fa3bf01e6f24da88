"""Assets ``export/TABLE``: the figures as Parquet files, for other warehouses."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.datasets.arrow import fields
from creator_pipeline.datasets.declared import (
    DAILY_REVENUE,
    DATASETS,
    LEDGER,
    PAYOUT_LINES,
    PAYOUTS,
    PRODUCTS_SOLD,
    SUBSCRIPTIONS_DAILY,
    UNEXPLAINED,
    Dataset,
    shared,
)
from creator_pipeline.export import run
from creator_pipeline.export.manifest import SCHEMA_VERSION
from creator_pipeline.platforms import PLATFORMS, sources
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.describe import OWNERS
from creator_pipeline.runtime.keys import asset_key, named_key
from creator_pipeline.runtime.links import code, see
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.stream_assets import NIGHTLY
from creator_pipeline.runtime.tags import run_tags

OFF = "EXPORT_URL is not set: nothing is exported."


def key_of(dataset: Dataset) -> dg.AssetKey:
    """The asset of an exported table."""
    return asset_key("export", dataset.name)


def follows(dataset: Dataset) -> list[dg.AssetKey]:
    """The assets that a dataset's rows come from."""
    if dataset is LEDGER:
        return [asset_key("sales_events", source.provider) for source in sources()]
    if dataset is DAILY_REVENUE:
        return [asset_key("daily_revenue")]
    if dataset is PRODUCTS_SOLD:
        return [asset_key("products")]
    if dataset is SUBSCRIPTIONS_DAILY:
        return [asset_key("subscriptions_daily")]
    if dataset in (PAYOUTS, PAYOUT_LINES, UNEXPLAINED):
        return [asset_key("books", platform.name) for platform in PLATFORMS if platform.books is not None]
    return [named_key(each.follows) for each in shared(dataset.name)]


def _spec(dataset: Dataset) -> dg.AssetSpec:
    columns = [dg.TableColumn(one.name, one.type, one.about) for one in fields(dataset)]
    return dg.AssetSpec(
        key_of(dataset),
        deps=follows(dataset),
        description=f"{dataset.about} As Parquet files below `EXPORT_URL`, by month and profile; only months that "
        f"changed are written. `manifest.json` names the files that count.{see('export.md')}",
        group_name="export",
        kinds={"python", "parquet"},
        owners=OWNERS,
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "schema_version": SCHEMA_VERSION,
            **code(run.export),
        },
        freshness_policy=NIGHTLY,
        skippable=True,
    )


def export_asset() -> dg.AssetsDefinition:
    """The assets ``export/TABLE``, written by one step: they are of one moment."""

    @dg.multi_asset(name="export_files", specs=[_spec(dataset) for dataset in DATASETS])
    def export_files(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[Any]:
        """Export every table; without ``EXPORT_URL`` nothing is materialized, and the log says so."""
        url = settings.load().export_url
        if not url:
            context.log.warning(OFF)
            return
        for told in run.export(warehouse.open(), url):
            yield dg.MaterializeResult(
                asset_key=["export", told.table],
                metadata={
                    "dagster/row_count": told.rows,
                    "files": told.files,
                    "files_written": told.written,
                    "files_dropped": told.dropped,
                },
            )

    return export_files


JOB = asset_job(
    "export",
    map(key_of, DATASETS),
    "Writes the months that changed as Parquet files below EXPORT_URL.",
)


@dg.schedule(
    job=JOB,
    cron_schedule="45 5 * * *",
    execution_timezone="UTC",
    description="The months that changed, below EXPORT_URL.",
)
def export_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Exports what changed, after the night's runs."""
    if not settings.load().export_url:
        return dg.SkipReason(OFF)
    return dg.RunRequest(run_key=f"export:{context.scheduled_execution_time:%Y-%m-%dT%H:%M}", tags=run_tags("nightly"))
