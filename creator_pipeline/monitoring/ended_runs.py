"""Why runs failed, and which of them are tried again by themselves."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, NamedTuple

import dagster as dg

from creator_pipeline.mail.owner_words import ACCESS
from creator_pipeline.monitoring.told_together import FAILED, failed_cause
from creator_pipeline.runtime.hooks import KILLED, will_be_retried
from creator_pipeline.runtime.tags import BACKFILL_TAG

RETRY_SECONDS = 300.0
"""Within this a failed run that Dagster wants to try again has begun again, or isn't tried again."""
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_known: dict[str, Ended] = {}
"""Of runs that ended: it doesn't change any more. A memo of this process."""


class Ended(NamedTuple):
    """Why a run failed.

    Attributes:
        message: the error's first line; what is said of a killed process where it left none.
        code: of a PipelineError; empty where it was another one.
        backfill: the backfill that the run belongs to.
        run_id: of the run.
    """

    message: str
    code: str = ""
    backfill: str = ""
    run_id: str = ""

    @property
    def needs_access(self) -> bool:
        """Whether the profile has to be connected again."""
        return self.code in ACCESS

    def cause(self, source: str, owner: str) -> str:
        """What is told in one mail: a killed process, a backfill, else the same error of the same source."""
        if self.message == KILLED:
            return f"{FAILED}killed"
        if self.backfill:
            return f"{FAILED}backfill/{self.backfill}"
        return failed_cause(source, owner, f"{self.code} {self.message}")


def tried_again(instance: dg.DagsterInstance, bad: Collection[str]) -> set[str]:
    """Runs whose end isn't known yet: those at work, and those of ``bad`` that Dagster will try again."""
    found = set(instance.get_run_ids(dg.RunsFilter(statuses=_UNFINISHED)))
    fresh = [run_id for run_id in bad if run_id not in _known]
    if fresh:
        found |= {
            record.dagster_run.run_id
            for record in instance.get_run_records(dg.RunsFilter(run_ids=fresh))
            if waits_for_retry(record)
        }
    return found


def waits_for_retry(record: dg.RunRecord) -> bool:
    """Whether a run failed just now and Dagster starts it again."""
    ended = record.end_time or 0.0
    return (
        record.dagster_run.status == dg.DagsterRunStatus.FAILURE
        and will_be_retried(record.dagster_run)
        and time.time() - ended < RETRY_SECONDS
    )


def newest(instance: dg.DagsterInstance, run_ids: Collection[str]) -> Ended:
    """Why the newest of these failed runs failed."""
    if len(run_ids) > 1:
        records = instance.get_run_records(dg.RunsFilter(run_ids=list(run_ids)), limit=1)
        run_ids = [record.dagster_run.run_id for record in records]
    run_id = next(iter(run_ids), "")
    if run_id not in _known:
        _known[run_id] = _read(instance, run_id)
    return _known[run_id]


def _read(instance: dg.DagsterInstance, run_id: str) -> Ended:
    run = instance.get_run_by_id(run_id)
    tags = run.tags if run else {}
    backfill = tags.get(BACKFILL_TAG) or tags.get("dagster/backfill") or ""
    message = code = ""
    for record in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        data: Any = record.get_dagster_event().step_failure_data
        user = data.user_failure_data
        told = (user.description if user and user.description else None) or (data.error.message if data.error else "")
        message = told or message
        metadata: dict[str, Any] = dict(user.metadata) if user else {}
        if found := metadata.get("error_code"):
            code = str(found.value)
        if (errors := metadata.get("errors")) and errors.value:
            # Without the partitions, which stand before it in the description.
            message = str(errors.value[0]["message"])
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return Ended(lines[0] if lines else KILLED, code, backfill, run_id)
