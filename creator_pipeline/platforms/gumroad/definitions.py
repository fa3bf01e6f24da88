"""What Gumroad brings to Dagster."""

from __future__ import annotations

from creator_pipeline.platforms.dagster_parts import Backfill, DagsterParts, Refresh, Schedule
from creator_pipeline.platforms.gumroad import assets, checks, jobs, payout_assets, table_assets
from creator_pipeline.platforms.gumroad.access import GumroadResource
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.tags import LOAD_DAYS

NIGHTLY_DAYS = 7
"""Days the nightly run reads, today included: most refunds come within a week, and each day costs a tenth of a request
per sale."""
LOOKBACK_DAYS = LOAD_DAYS
"""Days of the weekly look-back: refunds and disputes arrive for a month and more."""
SWEEP_DAYS = 180
"""Days of the monthly sweep: banks take disputes for four months and more, and Gumroad's totals don't show them."""

_SYNC = asset_job(
    "gumroad_sync",
    [checks.SALES, checks.EVENTS],
    "Sales of the days and profiles of the partition or range, and their ledger rows.",
)
_CATALOGUE = asset_job(
    "gumroad_catalogue",
    [assets.PRODUCTS],
    "The catalogue of a profile.",
)

_PAYOUTS = asset_job(
    "gumroad_payouts",
    [payout_assets.PAYOUTS],
    "The payouts of a profile with their lines, and the ledger rows that follow.",
)

PARTS = DagsterParts(
    assets=(assets.products, assets.sales, payout_assets.payouts_asset, table_assets.ASSETS),
    jobs=(_SYNC, jobs.REFRESH.job, jobs.DRIFT.job, _CATALOGUE, _PAYOUTS, table_assets.JOB),
    checks=(checks.agrees_with_gumroad,),
    resource=GumroadResource(),
    schedules=(
        Schedule(
            "gumroad_nightly",
            "10 2 * * *",
            "gumroad_sync",
            "nightly",
            "Yesterday, today and the days just before of every connected profile, one run each.",
            days=NIGHTLY_DAYS,
        ),
        Schedule(
            "gumroad_lookback",
            "40 3 * * 0",
            "gumroad_sync",
            "lookback",
            "The last 35 days of every connected profile: refunds and disputes of older sales.",
            days=LOOKBACK_DAYS,
        ),
        Schedule(
            "gumroad_sweep",
            "10 4 1 * *",
            "gumroad_sync",
            "lookback",
            "The last 180 days of every connected profile: disputes whose webhook was lost.",
            days=SWEEP_DAYS,
        ),
        Schedule(
            "gumroad_products_nightly",
            "5 2 * * *",
            "gumroad_catalogue",
            "nightly",
            "The catalogue of every connected profile.",
            key="catalogue",
        ),
        Schedule(
            "gumroad_tables_nightly",
            "20 2 * * *",
            "gumroad_tables",
            "nightly",
            "The declared tables of every connected profile, after its catalogue.",
            key="tables",
        ),
        Schedule(
            "gumroad_drift_nightly",
            "40 2 * * *",
            "gumroad_drift",
            "drift",
            "Gumroad's totals of the last year beside ours, for every connected profile.",
            config=jobs.DRIFT.config,
        ),
        Schedule(
            "gumroad_payouts_nightly",
            "30 2 * * *",
            "gumroad_payouts",
            "nightly",
            "Payouts that are new or not final, and the planned ones, of every connected profile.",
            key="payouts",
        ),
    ),
    backfill=Backfill("gumroad_sync", (checks.SALES, checks.EVENTS), "gumroad_catalogue"),
    refresh=Refresh(jobs.REFRESH.job, jobs.REFRESH.refresh_config),
)
