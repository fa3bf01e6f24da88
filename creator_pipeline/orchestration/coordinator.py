"""Dagster's run queue, with the tags of this package on whatever is launched, also in the UI and by a backfill."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from dagster import DagsterRunStatus, QueuedRunCoordinator

from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime.dagster_internals import look_at_sensors_every
from creator_pipeline.runtime.liveness import HERE_TAG, NOT_HERE
from creator_pipeline.runtime.run_here import NO_RETRY_TAG
from creator_pipeline.runtime.tags import (
    CAN_WAIT_TAG,
    FILES_TAG,
    LOAD_DAYS,
    LOAD_TAG,
    PARTITION,
    PRIORITY_TAG,
    RANGE_END,
    RANGE_START,
    SOON,
    TRIGGER_TAG,
    account_tags,
)

if TYPE_CHECKING:
    import dagster as dg

    from creator_pipeline.platforms.contract import Platform

_log = logging.getLogger(__name__)
BY_HAND = "ui"
"""Why a run is there that no schedule, sensor or command asked for."""


SENSOR_LOOP_SECONDS = 1.0
"""Between two looks of the daemon which sensors are due: else up to five pass between two ticks of ``webhook_jobs``."""


class Coordinator(QueuedRunCoordinator):
    """The queue of ``dagster.yaml``. A run that somebody launches in the UI waits for its account like any other."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Dagster makes this object in the daemon's process before its loops begin.
        look_at_sensors_every(SENSOR_LOOP_SECONDS)

    @property
    def dequeue_interval_seconds(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride] - any number will do
        """Seconds between two looks into the queue: half of what dagster.yaml says, where one is the least."""
        return super().dequeue_interval_seconds / 2

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Put a run into the queue, tagged."""
        run = context.dagster_run
        try:
            if missing := missing_tags(run) | self._of_no_command(run):
                self._instance.add_run_tags(run.run_id, missing)
                run = self._instance.get_run_by_id(run.run_id) or run
        except Exception:  # noqa: BLE001 - without its tags it runs all the same
            _log.exception("Run %s got no tags", run.run_id)
        return super().submit_run(context._replace(dagster_run=run))

    def _of_no_command(self, run: dg.DagsterRun) -> dict[str, str]:
        """A command's run that somebody runs again has its tags, but no command that looks after it."""
        if HERE_TAG not in run.tags:
            return {}
        return {HERE_TAG: NOT_HERE, NO_RETRY_TAG: str(self._instance.run_retries_max_retries)}

    def cancel_run(self, run_id: str) -> bool:
        """Terminate a run. One in a command's process is told so by its status, which the process watches."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.tags.get(HERE_TAG, NOT_HERE) == NOT_HERE or run.is_finished:
            return super().cancel_run(run_id)
        if run.status != DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run, "Terminated; the command that does it looks every two seconds.")
        return True


def missing_tags(run: dg.DagsterRun) -> dict[str, str]:
    """Whose run it is, why it is there, whether it is a load and whether it can wait; what a run says itself stands.

    Args:
        run: about to be queued.
    """
    waits = {} if run.tags.get(PRIORITY_TAG) == SOON[PRIORITY_TAG] else {CAN_WAIT_TAG: "true"}
    tags = {TRIGGER_TAG: "backfill" if "dagster/backfill" in run.tags else BY_HAND}
    platform = _platform(run)
    if platform is not None and platform.connects and FILES_TAG not in run.tags:
        owners = {key.rpartition("|")[2] for key in _partitions(run.tags)}
        if len(owners) == 1:
            tags |= account_tags(platform.name, owners.pop())
    if _days(run.tags) >= LOAD_DAYS and PRIORITY_TAG not in run.tags:
        tags[LOAD_TAG] = tags[TRIGGER_TAG]
    if TRIGGER_TAG in run.tags:
        return waits  # a schedule, a sensor or a command has said all the rest
    return waits | {name: value for name, value in tags.items() if name not in run.tags}


def _partitions(tags: Mapping[str, str]) -> set[str]:
    return {tags[name] for name in (PARTITION, RANGE_START, RANGE_END) if name in tags}


def _days(tags: Mapping[str, str]) -> int:
    """Days of a run's range; 1 where it has none."""
    try:
        first, last = (date.fromisoformat(tags[name].partition("|")[0]) for name in (RANGE_START, RANGE_END))
    except (KeyError, ValueError):
        return 1
    return (last - first).days + 1


def _platform(run: dg.DagsterRun) -> Platform | None:
    """The platform whose assets a run makes, or whose job it is."""
    # Whatever is before the platform's word: the prefix is known where the code is, and this is the daemon.
    keys = run.asset_selection or ()
    for platform in PLATFORMS:
        if any(platform.name in key.path[:-1] or platform.in_ledger == key.path[-1] for key in keys):
            return platform
    return next((one for one in PLATFORMS if run.job_name.startswith(f"{one.name}_")), None)
