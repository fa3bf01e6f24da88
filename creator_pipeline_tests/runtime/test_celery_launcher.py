"""Runs on other hosts' workers: that there are workers is looked at, and no run is given up too early."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher

from creator_pipeline.monitoring import dagster_checks
from creator_pipeline.runtime.liveness import Absences


class Launcher(SyncInMemoryRunLauncher):
    """As the one for Celery: it can say who answers."""

    def __init__(self, answer: dict[str, set[str]] | Exception) -> None:
        super().__init__()
        self._answer = answer

    def workers(self) -> dict[str, set[str]]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def instance(answer: dict[str, set[str]] | Exception) -> dg.DagsterInstance:
    made = dg.DagsterInstance.ephemeral()
    made._run_launcher = Launcher(answer)
    return made


def test_an_installation_without_workers_is_told_of() -> None:
    """Guards: a night in which every run waited for workers that a deployment had not started."""
    with instance({}) as nobody, instance({"runs@w1": set()}) as somebody, dg.DagsterInstance.ephemeral() as plain:
        assert [(one.name, one.state) for one in dagster_checks.workers(nobody, "workers/none")] == [
            ("workers/none", "no")
        ]
        assert [one.state for one in dagster_checks.workers(somebody, "workers/none")] == ["ok"]
        assert list(dagster_checks.workers(plain, "workers/none")) == []


@pytest.mark.parametrize(
    ("answer", "state", "word"),
    [
        ({}, "no", "No Celery worker answers"),
        ({"runs@w1": set()}, "ok", "runs@w1"),
        (OSError("refused"), "no", "broker"),
    ],
)
def test_the_doctor_names_the_workers(answer: dict[str, set[str]] | Exception, state: str, word: str) -> None:
    """Guards: "all is well" with a broker that nobody reaches."""
    with instance(answer) as made:
        (finding,) = dagster_checks.workers(made, "celery workers")
    assert finding.state == state
    assert word in finding.detail


def test_a_run_is_given_up_only_when_nobody_was_seen_at_it_for_long() -> None:
    """Guards: a worker that reconnected after Redis was restarted, while its run was being tried again elsewhere."""
    moment = 0.0
    absences = Absences(60, lambda: moment)
    assert absences.note("run", seen=False) is None
    moment = 59
    assert absences.note("run", seen=False) is None
    assert absences.note("run", seen=True) is None
    moment = 118
    assert absences.note("run", seen=False) is None
    moment = 179
    assert absences.note("other", seen=False) is None
    assert absences.note("run", seen=False) == 61
