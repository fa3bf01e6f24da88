"""Tags of runs: whose, why, over which partitions, and whose turn it is in Dagster's queue."""

from __future__ import annotations

from datetime import timedelta

from creator_pipeline.core.windows import DayWindow, partition_key

PROFILE_TAG = "creator_pipeline/profile"
ACCOUNT_TAG = "creator_pipeline/account"
"""A profile's account at a platform, as ``gumroad/alice``. ``dagster.yaml`` lets one run at a time work on each."""
TRIGGER_TAG = "creator_pipeline/trigger"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"
FILES_TAG = "creator_pipeline/files"
"""On a run over many files of one profile, whose id it is. Such a run has no :data:`PROFILE_TAG`, so the profile's
webhooks don't wait for it. ``dagster.yaml`` limits these runs. The owner gets one mail for all files."""
BACKFILL_TAG = "creator_pipeline/backfill"
"""Of the runs of ``creator-pipeline backfill``: its id in ``ingestion_jobs``."""
SINCE_TAG = "creator_pipeline/since"
"""A day: a run that reads payouts reads all that were made since then, those that are final too."""
KEEP_TAG = "creator_pipeline/keep"
"""On a run that the job ``retention`` never deletes, whatever its age."""
PRIORITY_TAG = "dagster/priority"
"""Dagster's queue takes a higher one first. Without the tag, as on every backfill, a run has 0."""
LOAD_TAG = "creator_pipeline/load"
"""On runs that may take hours. ``dagster.yaml`` limits these, and backfills, so that a slot is left for the others."""
CAN_WAIT_TAG = "creator_pipeline/can_wait"
"""On every run but those of :data:`SOON`. ``dagster.yaml`` limits them in sum to one less than there are slots."""
LOAD_DAYS = 35
"""A run over so many days is a load."""

SOON = {PRIORITY_TAG: "20"}
"""For what somebody has just done: it goes before everything that a clock asks for."""
_TONIGHT = {PRIORITY_TAG: "10"}
_TURNS = {"webhook": SOON, "refresh": SOON, "file": SOON, "nightly": _TONIGHT, "drift": _TONIGHT, "digest": _TONIGHT}
_LOADS = frozenset({"initial_sync", "lookback"})


def range_tags(window: DayWindow, profile_id: str) -> dict[str, str]:
    """Run tags that ask for one run over all days of a profile's window."""
    last = window.end - timedelta(days=1)
    return {
        RANGE_START: partition_key(window.start, profile_id),
        RANGE_END: partition_key(last, profile_id),
        PROFILE_TAG: profile_id,
    }


def account_tags(source: str, profile_id: str) -> dict[str, str]:
    """Run tags of whoever works on an account.

    Args:
        source: name of the platform.
        profile_id: whose account.
    """
    return {PROFILE_TAG: profile_id, ACCOUNT_TAG: f"{source}/{profile_id}"}


def run_tags(trigger: str, profile_id: str | None = None, *, source: str = "", days: int = 1) -> dict[str, str]:
    """Tags of a run that a schedule or a sensor asks for.

    Args:
        trigger: why, as ``nightly`` or the kind of a job.
        profile_id: whose; None for a run of the installation.
        source: name of the platform that is read.
        days: number of days it reads.
    """
    whose = {PROFILE_TAG: profile_id} if profile_id else {}
    if profile_id and source:
        whose = account_tags(source, profile_id)
    load = trigger in _LOADS or days >= LOAD_DAYS
    return {TRIGGER_TAG: trigger, **whose, **({LOAD_TAG: trigger} if load else _TURNS.get(trigger, {}))}
