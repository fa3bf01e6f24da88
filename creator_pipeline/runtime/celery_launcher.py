"""Whole runs on Celery workers: dagster-celery's launcher, with a check that a worker still has the run.

Celery keeps a task as started for ever when its worker's host is gone, and forgets it when its result store is lost.
dagster-celery's own check believes both. Here the workers are asked. Needs the extra ``celery``.
"""

from __future__ import annotations

import time
from typing import Any

import dagster as dg
from dagster_celery.launcher import CeleryRunLauncher  # pyright: ignore[reportMissingImports] - an extra
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG  # pyright: ignore[reportMissingImports] - an extra

from creator_pipeline.runtime.dagster_internals import CheckRunHealthResult, WorkerStatus
from creator_pipeline.runtime.liveness import Absences

ANSWER_SECONDS = 3.0
"""Seconds that workers have to answer, and that an answer is used again."""
MISSING_SECONDS = 60.0
"""Seconds that a run may be without a worker before it is failed; one that lost the broker is back within half."""


class WatchedCeleryRunLauncher(CeleryRunLauncher):  # pyright: ignore[reportUntypedBaseClass] - an extra
    """The ``run_launcher`` of ``dagster.yaml``; its configuration is dagster-celery's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._absences = Absences(MISSING_SECONDS)
        self._answers: tuple[float, dict[str, set[str]]] = (float("-inf"), {})

    def workers(self) -> dict[str, set[str]]:
        """The workers that answer, each with the ids of the tasks that it runs; at most ``ANSWER_SECONDS`` old.

        Raises:
            kombu.exceptions.OperationalError: the broker can't be reached.
        """
        asked, found = self._answers
        if time.monotonic() - asked > ANSWER_SECONDS:
            answers: Any = self.celery.control.inspect(timeout=ANSWER_SECONDS).active() or {}
            found: dict[str, set[str]] = {name: {task["id"] for task in tasks} for name, tasks in answers.items()}
            self._answers = (time.monotonic(), found)
        return found

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a worker has the run; run monitoring calls it for each started run."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        seen = task_id is None or any(task_id in tasks for tasks in self.workers().values())
        absent = self._absences.note(run.run_id, seen=seen)
        if absent is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"No worker has had it for {absent:.0f} s: its host is gone.")
