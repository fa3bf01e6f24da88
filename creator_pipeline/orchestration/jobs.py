"""Jobs of the installation, beside those of the platforms."""

from __future__ import annotations

from creator_pipeline.orchestration.daily_revenue import DAILY_REVENUE
from creator_pipeline.orchestration.digest_mails import digest_mails
from creator_pipeline.orchestration.export import JOB as EXPORT
from creator_pipeline.orchestration.fx import JOB as FX
from creator_pipeline.orchestration.products import JOB as PRODUCTS
from creator_pipeline.orchestration.retention import retention
from creator_pipeline.orchestration.subscriptions import JOB as SUBSCRIPTIONS
from creator_pipeline.runtime.asset_jobs import asset_job

ledger = asset_job(
    "ledger",
    [DAILY_REVENUE],
    "Rolls up the days whose ledger changed.",
)
OWN = (ledger, digest_mails, retention, EXPORT, FX, SUBSCRIPTIONS, PRODUCTS)
