"""How far a backfill is: the days that landed, and whether another process is at it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import dagster as dg

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.runtime import liveness
from creator_pipeline.runtime.tags import BACKFILL_TAG


def landed_since(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey], profile_id: str, moment: datetime
) -> set[date]:
    """Days of a profile that landed in every one of these assets since a moment.

    Args:
        instance: holds the events.
        keys: the assets.
        profile_id: whose days.
        moment: aware.
    """
    landed: list[set[date]] = []
    for key in keys:
        days, cursor = set[date](), None
        while True:
            result = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=key, after_timestamp=moment.timestamp()), limit=1000, cursor=cursor
            )
            for record in result.records:
                day, _, owner = (record.partition_key or "").partition("|")
                if owner == profile_id:
                    days.add(date.fromisoformat(day))
            if not result.has_more:
                break
            cursor = result.cursor
        landed.append(days)
    return set[date].intersection(*landed)


def refuse_second(instance: dg.DagsterInstance, job_id: str) -> None:
    """End the runs of a backfill whose process was killed, and refuse while another process works on it.

    Raises:
        ConfigError: names the run that is under way.
    """
    liveness.fail_dead_runs(instance, {BACKFILL_TAG: job_id})
    for run in instance.get_runs(dg.RunsFilter(tags={BACKFILL_TAG: job_id}, statuses=list(liveness.BEGUN)), limit=1):
        raise ConfigError(
            f"This backfill is under way in run {run.run_id}.", hint="Wait for it, or cancel it in the UI."
        )
