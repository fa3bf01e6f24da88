"""Partitions of the assets. A two-dimensional key is ``2026-11-22|alice``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import dagster as dg

from creator_pipeline import settings

DATE, PROFILE = "date", "profile"

gumroad_profiles = dg.DynamicPartitionsDefinition(name="gumroad_profiles")
whop_profiles = dg.DynamicPartitionsDefinition(name="whop_profiles")

DYNAMIC = {"gumroad": "gumroad_profiles", "whop": "whop_profiles"}
"""Name of the dynamic partitions that hold a provider's connected profiles."""

# Today included: end_offset counts partitions past the last one that is complete.
daily = dg.DailyPartitionsDefinition(
    start_date=settings.load().pipeline_start_date.isoformat(), timezone="UTC", end_offset=1
)
gumroad_days = dg.MultiPartitionsDefinition({DATE: daily, PROFILE: gumroad_profiles})
whop_days = dg.MultiPartitionsDefinition({DATE: daily, PROFILE: whop_profiles})


def days_by_profile(keys: Iterable[str]) -> dict[str, list[date]]:
    """The days asked of each profile, in the order of the keys."""
    plan: dict[str, list[date]] = {}
    for key in keys:
        day, profile_id = key.split("|", 1)
        plan.setdefault(profile_id, []).append(date.fromisoformat(day))
    return plan
