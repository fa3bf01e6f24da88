"""A run in this process ends when somebody stops it, wherever it is: real signals, real runs."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from creator_pipeline import cli
from creator_pipeline.runtime.outcome import RETRY
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.run_here import Stopped, run_here

POOL = "of_a_platform"
LANDED = dg.AssetKey("landed")


def definitions(work: Callable[[dg.OpExecutionContext], None]) -> dg.Definitions:
    """One job whose step has the policy of every step that reads a platform."""

    @dg.op(pool=POOL, retry_policy=RETRY, required_resource_keys={"warehouse"})
    def read(context: dg.OpExecutionContext) -> None:
        context.log_event(dg.AssetMaterialization(LANDED))
        work(context)

    @dg.job
    def reading() -> None:
        read()

    return dg.Definitions(jobs=[reading], resources={"warehouse": WarehouseResource()})


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    home = str(tmp_path_factory.mktemp("dagster"))
    with dg.DagsterInstance.local_temp(home, overrides={"telemetry": {"enabled": False}}) as made:
        made.event_log_storage.set_concurrency_slots(POOL, 1)
        yield made


@pytest.fixture(autouse=True)
def _as_in_a_shell() -> Iterator[None]:
    """A worker of the suite ignores Ctrl-C, or not, by what ran in it before."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c() -> None:
    # To this thread: another one that the process's signal goes to may not have had a turn when the run is over.
    signal.raise_signal(signal.SIGINT)


def stop_at(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Ctrl-C as soon as a run has written such an event."""
    handle = dg.DagsterInstance.handle_new_event

    def handled(self: dg.DagsterInstance, entry: dg.EventLogEntry, **words: Any) -> None:
        handle(self, entry, **words)
        if entry.dagster_event and entry.dagster_event.event_type_value == kind:
            ctrl_c()

    monkeypatch.setattr(dg.DagsterInstance, "handle_new_event", handled)


def stopped_run(instance: dg.DagsterInstance, work: Callable[[dg.OpExecutionContext], None]) -> set[str]:
    """Kinds of the events of a run that was stopped; nothing of it is left."""
    with pytest.raises(Stopped, match="Run the same command again"):
        run_here(definitions(work), instance, "reading", {})
    (run,) = instance.get_runs(limit=1)
    assert run.status == dg.DagsterRunStatus.CANCELED
    info = instance.event_log_storage.get_concurrency_info(POOL)
    assert (info.claimed_slots, info.pending_steps) == ([], [])
    return {record.get_dagster_event().event_type_value for record in instance.all_logs(run.run_id)}


def test_ctrl_c_in_a_step_cancels_the_run_and_what_landed_stays(instance) -> None:
    """Incident: the step's policy made a retry of Ctrl-C; the backfill slept ten seconds and went on to the end."""
    kinds = stopped_run(instance, lambda _context: ctrl_c())
    assert "ASSET_MATERIALIZATION" in kinds
    assert not kinds & {"STEP_UP_FOR_RETRY", "PIPELINE_FAILURE", "PIPELINE_SUCCESS"}


def test_terminate_in_the_ui_cancels_the_run(instance) -> None:
    """Incident: a run terminated in the UI was tried again, and ended as a success."""

    def work(context: dg.OpExecutionContext) -> None:
        # What the launcher does: it says so, and sends the signal.
        instance.report_run_canceling(context.run)
        ctrl_c()

    assert "STEP_UP_FOR_RETRY" not in stopped_run(instance, work)


def test_terminate_in_the_ui_works_after_a_look_that_failed(instance, monkeypatch) -> None:
    """Incident: the instance was locked at one look; after it, Terminate in the UI did nothing to a command's run."""
    look, failed = dg.DagsterInstance.get_run_by_id, threading.Event()

    def looked(self: dg.DagsterInstance, run_id: str) -> dg.DagsterRun | None:
        if threading.current_thread().name == "terminate" and not failed.is_set():
            failed.set()
            raise OperationalError("SELECT", {}, Exception("database table is locked: runs"))
        return look(self, run_id)

    def work(context: dg.OpExecutionContext) -> None:
        assert failed.wait(60)
        instance.report_run_canceling(context.run)
        time.sleep(60)

    monkeypatch.setattr("creator_pipeline.runtime.run_here.WATCH_SECONDS", 0.01)
    monkeypatch.setattr(dg.DagsterInstance, "get_run_by_id", looked)
    stopped_run(instance, work)


def test_ctrl_c_ends_a_run_that_waits_for_a_slot(instance, monkeypatch) -> None:
    """Incident: killed runs held every slot of a pool; the command behind them hung and could only be killed."""
    storage = type(instance.event_log_storage)
    claim = storage.claim_concurrency_slot

    def claimed(*words: Any) -> Any:
        ctrl_c()
        return claim(*words)

    instance.event_log_storage.set_concurrency_slots(POOL, 0)
    monkeypatch.setattr(storage, "claim_concurrency_slot", claimed)
    kinds = stopped_run(instance, lambda _context: pytest.fail("It got no slot."))
    assert "STEP_START" not in kinds
    instance.event_log_storage.set_concurrency_slots(POOL, 1)


def test_ctrl_c_ends_a_run_that_waits_for_its_next_try(instance, monkeypatch) -> None:
    """Guards: half a minute between two tries in which Ctrl-C does nothing."""

    def work(_context: dg.OpExecutionContext) -> None:
        raise dg.Failure("The platform is down.")

    stop_at(monkeypatch, "STEP_UP_FOR_RETRY")
    assert "STEP_UP_FOR_RETRY" in stopped_run(instance, work)


def test_ctrl_c_before_the_first_step_leaves_no_run_behind(instance, monkeypatch) -> None:
    """Incident: writing down a range of a thousand days takes a minute; a run stopped in it stayed "not started"."""
    monkeypatch.setattr(dg.DagsterInstance, "get_ref", lambda *_: ctrl_c(), raising=True)
    with pytest.raises(Stopped):
        run_here(definitions(lambda _context: None), instance, "reading", {})
    assert [run for run in instance.get_runs() if not run.is_finished] == []


def test_ctrl_c_between_two_steps_is_not_forgotten(instance, monkeypatch) -> None:
    """Guards: Ctrl-C in the last moment of a run, after which the command begins the next one."""
    stop_at(monkeypatch, "STEP_SUCCESS")
    assert "STEP_SUCCESS" in stopped_run(instance, lambda _context: None)


def test_the_command_says_what_became_of_the_run(monkeypatch, capsys) -> None:
    """Guards: a bare "Stopped." after an hour of reading."""

    @click.command()
    def stopped() -> None:
        raise Stopped("1f2e")

    monkeypatch.setattr(cli, "cli", stopped)
    monkeypatch.setattr("sys.argv", ["creator-pipeline"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "run 1f2e is canceled" in capsys.readouterr().err
