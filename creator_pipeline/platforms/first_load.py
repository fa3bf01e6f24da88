"""The job that reads an account's history once it is connected."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from creator_pipeline.core.windows import today
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.queue.jobs import NewJob
from creator_pipeline.settings import Settings


def first_load(config: Settings, platform: Platform, profile_id: str) -> NewJob:
    """A job for the days from ``PIPELINE_START_DATE`` up to today, and for what has no days."""
    # Half-open, today included.
    span = {"from": config.pipeline_start_date.isoformat(), "to": (today() + timedelta(days=1)).isoformat()}
    return NewJob(profile_id, platform.name, "initial_sync", span, id=uuid4().hex)
