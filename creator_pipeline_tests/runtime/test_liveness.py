"""Runs whose process was killed don't hold up the next ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from creator_pipeline.definitions import defs
from creator_pipeline.platforms.whop.jobs import CHANGES
from creator_pipeline.runtime import liveness
from creator_pipeline.runtime.tags import PROFILE_TAG
from creator_pipeline.store.engine import Warehouse

TARGET = LoadableTargetOrigin(executable_path=sys.executable, module_name="creator_pipeline.definitions")
POINTER = ModuleCodePointer("creator_pipeline.definitions", "defs")


def started(
    instance: dg.DagsterInstance,
    process: str,
    parent: str | None = None,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> dg.DagsterRun:
    return instance.create_run_for_job(
        defs.resolve_job_def("gumroad_sync"),
        parent_run_id=parent,
        root_run_id=parent,
        status=status,
        tags={liveness.PROCESS_TAG: process, PROFILE_TAG: "alice"},
    )


def ended_process() -> str:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return moved(pid=str(child.pid), began="1")


def moved(**changes: str) -> str:
    """The tag of this process, with another host, boot, … in it."""
    names = ("host", "machine", "boot", "space", "pid", "began")
    parts = dict(zip(names, liveness.this_process().split(":"), strict=True))
    return ":".join((parts | changes).values())


def test_a_run_whose_process_is_gone_is_failed_and_its_profile_free_again() -> None:
    """Incident: after a power cut every profile waited six hours behind runs that nobody was doing."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = started(instance, ended_process())
        assert liveness.fail_dead_runs(instance) == [run.run_id]
        after = instance.get_run_by_id(run.run_id)
        assert after is not None
        assert after.status == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("job", ["ledger", "gumroad_refresh", "whop_changes"])
def test_every_job_says_before_its_first_step_which_process_does_it(sqlite_warehouse: Warehouse, job: str) -> None:
    """Incident: a killed roll-up had no mark and stayed "started": for six hours the day's revenue stood still."""
    config = {"ops": {}}
    if job == "gumroad_refresh":
        config = {"ops": {"gumroad_refresh_sales": {"config": {"profile_id": "alice", "leases": []}}}}
    if job == "whop_changes":
        config = CHANGES.config("alice")
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance, run_config=config, raise_on_error=False
        )
        marked = instance.get_run_by_id(result.run_id)
        assert marked is not None
        assert marked.tags[liveness.PROCESS_TAG] == liveness.this_process()


def test_a_run_that_died_before_its_mark_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a worker killed between its start and its first step held its profile for six hours."""
    with dg.DagsterInstance.ephemeral() as instance:
        repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(TARGET, location_name="creator_pipeline"), "r")
        ours = instance.create_run_for_job(
            defs.resolve_job_def("ledger"),
            status=dg.DagsterRunStatus.NOT_STARTED,
            remote_job_origin=RemoteJobOrigin(repository, "ledger"),
            job_code_origin=JobPythonOrigin("ledger", RepositoryPythonOrigin(sys.executable, POINTER)),
        )
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", "ledger"), ours.run_id)
        foreign = started(instance, "")
        assert liveness.fail_dead_runs(instance) == []
        monkeypatch.setattr(liveness, "UNMARKED_SECONDS", -1.0)
        assert liveness.fail_dead_runs(instance) == [ours.run_id]
        left = instance.get_run_by_id(foreign.run_id)
        assert left is not None
        assert left.status == dg.DagsterRunStatus.STARTED


ELSEWHERE = {
    "alive": {},
    "another host": {"host": "another-host", "pid": "999999999"},
    "a host of the same name": {"machine": "of-another", "boot": "another", "pid": "999999999"},
    "a container beside": {"space": "4026539999", "pid": "999999999"},
    "a container of before": {"boot": "another", "space": "4026539999", "pid": "999999999"},
}


@pytest.mark.parametrize(
    "process", [*(moved(**each) for each in ELSEWHERE.values()), "", "nonsense"], ids=[*ELSEWHERE, "none", "odd"]
)
def test_a_run_that_may_be_alive_is_left_alone(process: str) -> None:
    """Incident: a run on another machine was declared dead, started again, and both wrote."""
    with dg.DagsterInstance.ephemeral() as instance:
        started(instance, process)
        assert liveness.fail_dead_runs(instance) == []


def test_a_number_that_is_used_again_is_another_process() -> None:
    """Incident: the dead run's process number belonged to the new web server, so it was never found."""
    began = liveness.this_process().rpartition(":")[2]
    assert began
    assert liveness.is_gone(moved(began=str(int(began) - 1)))


def test_runs_of_before_a_restart_of_the_machine_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a power cut after which the numbers of dead runs belong to processes that are alive."""
    here = liveness._here()._replace(machine="of-this", space=liveness._FIRST_SPACE)
    monkeypatch.setattr(liveness, "_here", lambda: here)
    assert liveness.is_gone(moved(boot="the-one-before"))


def test_another_try_is_not_failed_by_the_tag_of_the_try_before() -> None:
    """Incident: the second try of a killed run had its tags, and was taken for dead before it could say where it is."""
    with dg.DagsterInstance.ephemeral() as instance:
        process = ended_process()
        first = started(instance, process)
        assert liveness.fail_dead_runs(instance) == [first.run_id]
        second = started(instance, process, parent=first.run_id)
        assert liveness.fail_dead_runs(instance) == []
        instance.add_run_tags(second.run_id, {liveness.PROCESS_TAG: moved(pid="999999999")})
        assert liveness.fail_dead_runs(instance) == [second.run_id]


def test_a_killed_run_is_gone_while_nobody_has_asked_how_it_ended() -> None:
    """Incident: the server that started a run asks for its end every few seconds; until then it counted as alive."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    tag = moved(pid=str(child.pid), began=liveness._started(child.pid))
    assert not liveness.is_gone(tag)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert liveness.is_gone(tag)
    finally:
        child.wait()


def test_a_dead_run_that_was_being_canceled_is_canceled() -> None:
    """Guards: a mail of a failure for a run that somebody ended with force."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = started(instance, ended_process(), status=dg.DagsterRunStatus.CANCELING)
        assert liveness.fail_dead_runs(instance) == [run.run_id]
        after = instance.get_run_by_id(run.run_id)
        assert after is not None
        assert after.status == dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE])
def test_killed_runs_give_back_their_slots_at_once(tmp_path: Path, status: dg.DagsterRunStatus) -> None:
    """Incident: five killed runs held every slot of a platform's pool for ever; webhooks and commands hung behind."""
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as instance:
        storage, dead = instance.event_log_storage, started(instance, ended_process(), status=status)
        alive = started(instance, liveness.this_process())
        storage.set_concurrency_slots("pool", 2)
        for run in (dead, alive):
            assert storage.claim_concurrency_slot("pool", run.run_id, "step", 0).is_claimed
        liveness.fail_dead_runs(instance)
        liveness.free_slots_of_ended_runs(instance)
        assert storage.get_concurrency_info("pool").active_run_ids == {alive.run_id}
