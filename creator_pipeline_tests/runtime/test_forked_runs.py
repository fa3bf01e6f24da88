"""Runs that are forks: begun once, seen to their end, terminated, and with an interpreter of their own where in doubt.

With Dagster's own code server in this process, and a real fork server of its own.
"""

from __future__ import annotations

import contextvars
import importlib.util
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import FuturesAwareThreadPoolExecutor
from dagster._grpc import server as grpc_server
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._grpc.types import CancelExecutionRequest, ExecuteExternalJobArgs, StartRunResult
from dagster._serdes import deserialize_value, serialize_value

from creator_pipeline.runtime import forked_process, forked_runs, preload
from creator_pipeline.runtime.code_server import watch_code_server
from creator_pipeline.runtime.forked_process import Context
from creator_pipeline.runtime.forked_runs import AHEAD, ForkServer
from creator_pipeline_tests.support import forked_location
from creator_pipeline_tests.support.paths import ROOT

MODULE = forked_location.__name__
CALL = SimpleNamespace(is_active=lambda: True)


def until(holds: Callable[[], object]) -> None:
    """However busy the machine is: only the test's own bound ends it."""
    while not holds():
        time.sleep(0.01)


@pytest.fixture(scope="module", autouse=True)
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What runs say of their processes."""
    path = tmp_path_factory.mktemp("forked") / "lines"
    path.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORKED_LINES", str(path))
        yield path


@pytest.fixture
def forks(_shared: ForkServer) -> ForkServer:
    """Ready; started anew where the test before has ended it."""
    _shared._started = _shared._looked = float("-inf")
    _shared.start()
    until(lambda: _shared.is_ready)
    return _shared


@pytest.fixture(scope="module")
def _shared(lines: Path) -> Iterator[ForkServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        made = ForkServer(MODULE, ())
        yield made
        made.end()
        made._forks._stop()


def said(lines: Path, word: str) -> list[tuple[int, int]]:
    """Processes that said it, each with the one that had loaded its code."""
    found = [line.split() for line in lines.read_text(encoding="utf-8").splitlines()]
    return [(int(own), int(loader)) for name, own, loader in found if name == word]


def begin(forks: ForkServer, name: str, end: Path) -> Any:
    process = Context(forks).Process(target=forked_location.work, args=(name, str(end)))
    process.start()
    return process


def test_a_process_is_a_fork_that_has_its_code(forks: ForkServer, lines: Path, tmp_path: Path) -> None:
    """Incident: over half of each run was the import of what every run imports."""
    (tmp_path / "end").touch()
    process = begin(forks, "fork", tmp_path / "end")
    process.join()
    assert process.exitcode == 7
    assert said(lines, "fork") == [(process.pid, forks.pid)]


def test_a_killed_fork_server_takes_no_run_with_it(forks: ForkServer, lines: Path, tmp_path: Path) -> None:
    """Guards: a run that is told as crashed and begun again while it still works."""
    process = begin(forks, "orphan", tmp_path / "end")
    until(lambda: said(lines, "orphan"))
    forks.end()
    assert forks.pid is None
    assert process.is_alive()
    (tmp_path / "end").touch()
    until(lambda: not process.is_alive())
    assert process.exitcode is not None


@pytest.mark.parametrize("fault", ["killed", "stands still", "gone"])
def test_what_is_not_answered_begins_once(
    forks: ForkServer, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Guards: one run in two processes, or in none, when the fork server ends at the worst moment."""
    connect, pid = forks.connect, forks.pid
    assert pid is not None
    monkeypatch.setattr(forked_process, "ANSWER_SECONDS", 0.1)

    def fails(files: list[int]) -> tuple[int, int]:
        if fault == "gone":
            raise ConnectionRefusedError
        if fault == "stands still":
            os.kill(pid, signal.SIGSTOP)
            return connect(files)
        found = connect(files)
        forks.end()
        return found

    monkeypatch.setattr(forks, "connect", fails)
    (tmp_path / "end").touch()
    process = begin(forks, fault.replace(" ", "_"), tmp_path / "end")
    process.join()
    assert process.exitcode == 7
    ((own, loader),) = said(lines, fault.replace(" ", "_"))
    assert own == loader == process.pid
    assert forks.pid is None


def test_other_code_is_loaded_anew(
    forks: ForkServer, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a run with the code of yesterday."""
    before = forks.pid
    monkeypatch.setattr(forked_runs, "_state_of_files", lambda _module: (1, 2))
    assert not forks.is_ready
    (tmp_path / "end").touch()
    process = begin(forks, "meanwhile", tmp_path / "end")
    process.join()
    assert said(lines, "meanwhile") == [(process.pid, process.pid)]
    forks._looked = float("-inf")
    forks.start()
    until(lambda: forks.is_ready)
    assert forks.pid != before


def test_a_fork_server_that_nobody_told_what_to_load_is_replaced(forks: ForkServer) -> None:
    """Guards: multiprocessing that begins its server anew by itself, and runs that are slow for ever after."""
    forks.end()
    forks._forks.ensure_running()
    assert forks.pid is not None
    assert not forks.is_ready
    forks._started = float("-inf")
    forks.start()
    until(lambda: forks.is_ready)


def test_the_state_of_files_tells_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a changed, a new or a deleted file that nobody notices."""
    monkeypatch.setattr(forked_runs, "_PACKAGE", tmp_path)
    states = [forked_runs._state_of_files(MODULE)]
    (tmp_path / "a.py").touch()
    states.append(forked_runs._state_of_files(MODULE))
    (tmp_path / "b.py").touch()
    states.append(forked_runs._state_of_files(MODULE))
    # Also to an older one, as a copy that keeps the times of what it copies.
    os.utime(tmp_path / "a.py", ns=(1, 1))
    states.append(forked_runs._state_of_files(MODULE))
    assert len(set(states)) == 4


def test_the_code_of_this_project_can_be_loaded_ahead(lines: Path) -> None:
    """Incident: a library's module that can't be imported was among those that are, and no run was ever forked."""
    whole = ForkServer("creator_pipeline.definitions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        whole.start()
    pid = whole.pid
    until(lambda: whole.is_ready or whole.pid is None)
    assert whole.pid == pid
    assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1
    whole.end()
    whole._forks._stop()


def test_a_process_with_threads_is_never_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a lock that a thread held when its process was forked, and that nobody ever opens."""
    monkeypatch.setattr(preload, "ENDING_SECONDS", 0.0)
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="threads"):
            # A context of its own, as a new process has: Dagster leaves its last instance in the tests' one.
            contextvars.Context().run(preload.load, MODULE, (), str(tmp_path / "ready"))
    finally:
        ended.set()
        thread.join()
    assert not (tmp_path / "ready").exists()


def test_all_that_runs_import_is_there_to_be_imported() -> None:
    """Guards: names of modules that an upgrade has moved, and runs that are slow again."""
    assert [name for name in AHEAD if importlib.util.find_spec(name) is None] == []


@pytest.fixture
def code_server(forks: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Dagster's, in this process, with the project's dagster.yaml."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    for name in ("StartRun", "SyncExternalSensorExecution"):
        monkeypatch.setattr(grpc_server.DagsterApiServer, name, getattr(grpc_server.DagsterApiServer, name))
    monkeypatch.setattr(grpc_server.DagsterApiServer, "_creator_pipeline", True, raising=False)
    monkeypatch.delattr(grpc_server.DagsterApiServer, "_creator_pipeline")
    monkeypatch.setattr(forked_runs, "_servers", [])
    monkeypatch.setattr(forked_runs, "ForkServer", lambda _module: forks)
    watch_code_server(forked_runs.prepare)
    with FuturesAwareThreadPoolExecutor() as pool:
        servicer = grpc_server.DagsterApiServer(
            threading.Event(), logging.getLogger(), pool, LoadableTargetOrigin(module_name=MODULE)
        )
        yield servicer
        servicer.cleanup()


def launch(servicer: Any, job: dg.JobDefinition) -> str:
    """As the daemon does by Dagster's launcher."""
    instance: dg.DagsterInstance = servicer._instance
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("creator_pipeline"), "__repository__")
    origin = RemoteJobOrigin(place, job.name)
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTING, remote_job_origin=origin)
    wish = serialize_value(
        ExecuteExternalJobArgs(job_origin=origin, run_id=run.run_id, instance_ref=instance.get_ref())
    )
    answer = servicer.StartRun(dagster_api_pb2.StartRunRequest(serialized_execute_run_args=wish), CALL)
    assert deserialize_value(answer.serialized_start_run_result, StartRunResult).success
    return run.run_id


def status(servicer: Any, run_id: str) -> dg.DagsterRunStatus:
    return servicer._instance.get_run_by_id(run_id).status


def test_a_run_of_the_code_server_is_a_fork_and_is_terminated_as_any(
    code_server: Any, forks: ForkServer, lines: Path
) -> None:
    """Guards: a way to start runs that no longer can end them."""
    quick = launch(code_server, forked_location.quick)
    until(lambda: status(code_server, quick) == dg.DagsterRunStatus.SUCCESS)
    assert said(lines, "quick")[-1][1] == forks.pid
    run_id = launch(code_server, forked_location.long)
    until(lambda: said(lines, "begun"))
    assert said(lines, "begun")[-1][1] == forks.pid
    code_server._instance.report_run_canceling(code_server._instance.get_run_by_id(run_id))
    wish = serialize_value(CancelExecutionRequest(run_id=run_id))
    code_server.CancelExecution(dagster_api_pb2.CancelExecutionRequest(serialized_cancel_execution_request=wish), CALL)
    until(lambda: status(code_server, run_id) == dg.DagsterRunStatus.CANCELED)


def test_a_killed_run_is_told_as_failed_and_one_without_fork_server_is_not(code_server: Any, forks: ForkServer) -> None:
    """Guards: a run whose process was killed and that looks busy for ever; and one that works and is told as dead."""
    run_id = launch(code_server, forked_location.long)
    ((process, _),) = code_server._executions.values()
    forks.end()
    code_server._check_for_orphaned_runs()
    assert not code_server._instance.get_run_by_id(run_id).is_finished
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: status(code_server, run_id) == dg.DagsterRunStatus.FAILURE)
