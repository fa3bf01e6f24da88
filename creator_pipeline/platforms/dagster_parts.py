"""What a platform brings to Dagster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import dagster as dg

from creator_pipeline.core.windows import DayWindow


@dataclass(frozen=True, slots=True)
class Schedule:
    """A line of the table of schedules: one run for each connected profile.

    Attributes:
        name: of the schedule.
        cron: when, in UTC.
        job: what runs.
        trigger: why, in the run's tags: ``nightly``, ``lookback``, ``drift``.
        why: its description in the UI.
        days: the run reads the last ``days`` days up to today; 0: a partition is a profile, not a day.
        window: replaces ``days``: (day, last sync of the profile, first partition) to the days to read.
        config: (profile id) to the run config of a job without partitions.
        key: begins the run keys; ``trigger`` where it is empty.
    """

    name: str
    cron: str
    job: str
    trigger: str
    why: str
    days: int = 0
    window: Callable[[date, datetime | None, date], DayWindow] | None = None
    config: Callable[[str], Mapping[str, Any]] | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What ``creator-pipeline backfill NAME`` runs.

    Attributes:
        job: reads days.
        assets: a day is done when all of these have landed.
        snapshot: the job that reads what has no days, by profile.
    """

    job: str
    assets: Sequence[dg.AssetKey]
    snapshot: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """The job that works off the queue's jobs of one profile.

    Attributes:
        job: takes ids of jobs with the attempt that was claimed.
        config: (profile id, leases) to its run config.
    """

    job: dg.JobDefinition
    config: Callable[[str, list[str]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class DagsterParts:
    """What the platform brings to Dagster.

    Attributes:
        assets, checks, jobs, sensors: definitions, merged with the installation's own.
        resource: the platform's client, by the platform's name; None where no API is read.
        schedules: lines of the one table.
        backfill, refresh: None where there are no days to read, or no webhooks.
    """

    assets: Sequence[dg.AssetsDefinition]
    jobs: Sequence[Any]
    resource: dg.ConfigurableResource[Any] | None = None
    checks: Sequence[dg.AssetChecksDefinition] = ()
    sensors: Sequence[dg.SensorDefinition] = ()
    schedules: Sequence[Schedule] = ()
    backfill: Backfill | None = None
    refresh: Refresh | None = None
