"""Partitions of the assets. A two-dimensional key is ``2026-11-22|alice``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.store.source import Source

DATE, PROFILE = "date", "profile"

# Today included: end_offset counts partitions past the last one that is complete.
daily = dg.DailyPartitionsDefinition(
    start_date=settings.load().pipeline_start_date.isoformat(), timezone="UTC", end_offset=1
)


def profile_partitions(source: Source) -> dg.DynamicPartitionsDefinition:
    """The dynamic partitions that hold a platform's connected profiles."""
    return dg.DynamicPartitionsDefinition(name=settings.load().shared_name(f"{source.name}_profiles"))


def days_by_profile(keys: Iterable[str]) -> dict[str, list[date]]:
    """The days asked of each profile, in the order of the keys."""
    plan: dict[str, list[date]] = {}
    for key in keys:
        day, profile_id = key.split("|", 1)
        plan.setdefault(profile_id, []).append(date.fromisoformat(day))
    return plan
