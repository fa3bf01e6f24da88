"""Jobs of the installation, beside those of the platforms."""

from __future__ import annotations

import dagster as dg

from creator_pipeline.orchestration.daily_revenue import DAILY_REVENUE
from creator_pipeline.orchestration.digest_mails import digest_mails
from creator_pipeline.orchestration.export import JOB as EXPORT
from creator_pipeline.orchestration.fx import JOB as FX
from creator_pipeline.orchestration.products import JOB as PRODUCTS
from creator_pipeline.orchestration.retention import retention
from creator_pipeline.orchestration.subscriptions import JOB as SUBSCRIPTIONS

ledger = dg.define_asset_job(
    "ledger",
    selection=dg.AssetSelection.assets(DAILY_REVENUE),
    description="Rolls up the days whose ledger changed.",
)
OWN = (ledger, digest_mails, retention, EXPORT, FX, SUBSCRIPTIONS, PRODUCTS)
