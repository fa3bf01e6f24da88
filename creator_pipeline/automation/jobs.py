"""Jobs of the contract."""

from __future__ import annotations

import dagster as dg

from creator_pipeline.gumroad.assets import EVENTS, PRODUCTS, SALES
from creator_pipeline.gumroad.jobs import gumroad_drift, gumroad_refresh
from creator_pipeline.ledger.assets import DAILY_REVENUE

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
ledger = dg.define_asset_job(
    "ledger",
    selection=dg.AssetSelection.assets(DAILY_REVENUE),
    description="Rolls up the days whose ledger changed.",
)

ALL = [gumroad_sync, gumroad_refresh, gumroad_drift, gumroad_catalogue, ledger]
