"""What Whop brings to Dagster."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.dagster_parts import Backfill, DagsterParts, Refresh, Schedule
from creator_pipeline.platforms.whop import assets, checks, jobs, money_assets, table_assets
from creator_pipeline.platforms.whop.access import WhopResource
from creator_pipeline.runtime.asset_jobs import asset_job

_SYNC = asset_job(
    "whop_sync",
    [checks.PAYMENTS, checks.EVENTS],
    "Payments of the days and profiles of the partition or range, and their ledger rows.",
)
_MEMBERSHIPS = asset_job(
    "whop_memberships_scan",
    [checks.MEMBERSHIPS],
    "All memberships of a profile's account, and the tiers that follow.",
)


def _missed(day: date, synced: datetime | None, first: date) -> DayWindow:
    """Yesterday and today, and the days since the last good sync where nights were missed."""
    # A webhook is dropped after a minute: what was bought while nothing ran here is found by nobody else.
    missed = (day - (synced.date() if synced else first)).days
    return DayWindow(max(first, day - timedelta(days=max(2, missed + 2) - 1)), day + timedelta(days=1))


PARTS = DagsterParts(
    assets=(assets.memberships, assets.payments, money_assets.money, table_assets.ASSETS),
    jobs=(_SYNC, jobs.REFRESH.job, jobs.CHANGES.job, _MEMBERSHIPS, money_assets.BOOKS_JOB, table_assets.JOB),
    resource=WhopResource(),
    schedules=(
        Schedule(
            "whop_nightly",
            "20 2 * * *",
            "whop_sync",
            "nightly",
            "Payments of yesterday and today, and of the days since the last good sync where nights were missed.",
            window=_missed,
        ),
        Schedule(
            "whop_changes_nightly",
            "35 2 * * *",
            "whop_changes",
            "nightly",
            "What changed since the last sync: refunds, disputes, open payments, memberships. One run each.",
            config=jobs.CHANGES.config,
            key="changes",
        ),
        Schedule(
            "whop_books_nightly",
            "50 2 * * *",
            "whop_books",
            "nightly",
            "New movements of money, balance, reports and payouts, after the payments. One run each.",
            key="books",
        ),
        Schedule(
            "whop_tables_nightly",
            "5 3 * * *",
            "whop_tables",
            "nightly",
            "The declared tables of every connected profile, after what the other jobs bring of them.",
            key="tables",
        ),
        Schedule(
            "whop_memberships_weekly",
            "50 3 * * 0",
            "whop_memberships_scan",
            "lookback",
            "All memberships: only a full scan finds what changed without leaving a trace.",
            key="memberships",
        ),
    ),
    backfill=Backfill("whop_sync", (checks.PAYMENTS, checks.EVENTS), "whop_memberships_scan"),
    refresh=Refresh(jobs.REFRESH.job, jobs.REFRESH.refresh_config),
)
