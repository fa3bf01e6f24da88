"""Asset ``subscriptions_daily``: subscriptions of every platform, day by day."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import dagster as dg
from sqlalchemy import Connection, func, select, union

from creator_pipeline.core.windows import now, today
from creator_pipeline.ledger.subscriptions import daily
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.describe import OWNERS, column_schema
from creator_pipeline.runtime.keys import asset_key, named_key
from creator_pipeline.runtime.links import code, see
from creator_pipeline.runtime.outcome import RETRY
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.stream_assets import NIGHTLY
from creator_pipeline.runtime.tags import run_tags
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.locks import lock, lock_profile
from creator_pipeline.store.tables import platform_connections, profiles, subscriptions_daily

KEY = asset_key("subscriptions_daily")


def build(warehouse: Warehouse) -> Change:
    """Make the table equal to what the platforms' memberships say now.

    Args:
        warehouse: where the tables are.
    """
    change = Change()
    with warehouse.read() as connection:
        names = _profiles(connection)
    for profile_id in names:
        with warehouse.write() as connection:
            lock(connection, subscriptions_daily.name)
            lock_profile(connection, profile_id)
            rows = [
                (day, profile_id, platform.in_ledger, currency, *counts, now())
                for platform in PLATFORMS
                if platform.spans
                for (day, currency), counts in daily(
                    platform.spans.get().spans(connection, profile_id), today()
                ).items()
            ]
            mine, what = subscriptions_daily.c.profile_id == profile_id, f"subscriptions_daily of {profile_id}"
            # It follows from tables that refuse to shrink by themselves.
            change += replace(connection, subscriptions_daily, rows, mine, what=what, allow_shrink=True)
    return change


def _profiles(connection: Connection) -> list[str]:
    """Profiles that have, or had, a connection or a row here."""
    some = union(select(platform_connections.c.profile_id), select(subscriptions_daily.c.profile_id))
    found = select(profiles.c.id).where(profiles.c.id.in_(some.subquery().select())).order_by(profiles.c.id)
    return list(connection.execute(found).scalars())


def subscriptions_asset() -> dg.AssetsDefinition:
    """The asset ``subscriptions_daily``, which follows the memberships of each platform."""
    spans = [platform.spans.get() for platform in PLATFORMS if platform.spans]

    @dg.asset(
        key=KEY,
        deps=[named_key(name) for one in spans for name in one.follows],
        group_name="facts",
        kinds={"python", "table"},
        owners=OWNERS,
        description="Active, new, cancelled and lost subscriptions of each day, and their monthly recurring revenue, "
        f"by profile, platform and currency.{see('subscriptions.md')}",
        metadata={**column_schema(subscriptions_daily), **code(build)},
        freshness_policy=NIGHTLY,
        retry_policy=RETRY,
    )
    def count_subscriptions(warehouse: WarehouseResource) -> dg.MaterializeResult[Any]:
        """Count the days of every profile."""
        stored = warehouse.open()
        change = build(stored)
        with stored.read() as connection:
            count = connection.execute(select(func.count()).select_from(subscriptions_daily)).scalar_one()
        return dg.MaterializeResult(metadata={"dagster/row_count": count, **change.metadata()})

    return count_subscriptions


JOB = asset_job("subscriptions", [KEY], "Counts the subscriptions of each day.")


@dg.schedule(
    job=JOB,
    cron_schedule="50 4 * * *",
    execution_timezone="UTC",
    description="Counts subscriptions, after the night's runs.",
)
def subscriptions_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Counts subscriptions, after the night's runs."""
    moment = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=f"subscriptions:{moment:%Y-%m-%dT%H:%M}", tags=run_tags("nightly"))
