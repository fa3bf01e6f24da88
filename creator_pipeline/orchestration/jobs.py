"""Jobs of the contract."""

from __future__ import annotations

import dagster as dg

from creator_pipeline.orchestration.daily_revenue import DAILY_REVENUE
from creator_pipeline.orchestration.digest_mails import digest_mails
from creator_pipeline.orchestration.retention import retention
from creator_pipeline.platforms.gumroad.assets import EVENTS, PRODUCTS, SALES
from creator_pipeline.platforms.gumroad.jobs import gumroad_drift, gumroad_refresh
from creator_pipeline.platforms.kdp.assets import kdp_ingest
from creator_pipeline.platforms.whop import checks as whop
from creator_pipeline.platforms.whop.jobs import whop_changes, whop_refresh

gumroad_sync = dg.define_asset_job(
    "gumroad_sync",
    selection=dg.AssetSelection.assets(SALES, EVENTS),
    description="Sales of the days and profiles of the partition or range, and their ledger rows.",
)
gumroad_catalogue = dg.define_asset_job(
    "gumroad_catalogue",
    selection=dg.AssetSelection.assets(PRODUCTS),
    description="The catalogue of a profile.",
)
whop_sync = dg.define_asset_job(
    "whop_sync",
    selection=dg.AssetSelection.assets(whop.PAYMENTS, whop.EVENTS),
    description="Payments of the days and profiles of the partition or range, and their ledger rows.",
)
whop_memberships_scan = dg.define_asset_job(
    "whop_memberships_scan",
    selection=dg.AssetSelection.assets(whop.MEMBERSHIPS),
    description="All memberships of a profile's account, and the tiers that follow.",
)
ledger = dg.define_asset_job(
    "ledger",
    selection=dg.AssetSelection.assets(DAILY_REVENUE),
    description="Rolls up the days whose ledger changed.",
)

ALL = [
    gumroad_sync,
    gumroad_refresh,
    gumroad_drift,
    gumroad_catalogue,
    ledger,
    kdp_ingest,
    whop_sync,
    whop_refresh,
    whop_changes,
    whop_memberships_scan,
    digest_mails,
    retention,
]
