"""Dagster's code server has the parts that the package looks at; the name of the test is the part that changed."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import FuturesAwareThreadPoolExecutor
from dagster._grpc.server import DagsterApiServer

from creator_pipeline.runtime import code_server


@pytest.fixture
def server_class(monkeypatch: pytest.MonkeyPatch) -> type[DagsterApiServer]:
    """Dagster's code server, as it was before this process watched it, and is again afterwards."""
    for name in ("StartRun", "SyncExternalSensorExecution"):
        monkeypatch.setattr(DagsterApiServer, name, getattr(DagsterApiServer, name))
    monkeypatch.setattr(code_server, "_WATCHED", f"_watched_{uuid4().hex}")
    return DagsterApiServer


def test_code_server(tmp_path: Path, server_class: type[DagsterApiServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    target = LoadableTargetOrigin(module_name="creator_pipeline_tests.support.forked_location")
    with FuturesAwareThreadPoolExecutor() as pool:
        servicer = server_class(threading.Event(), logging.getLogger(), pool, target)
        server = code_server.CodeServer(servicer)
        assert (server.module, server.is_ending, server.starts_runs) == (target.module_name, False, True)
        processes = multiprocessing.get_context("fork")
        server.start_runs_by(processes)
        assert servicer._mp_ctx is processes
        servicer.cleanup()
    assert server.is_ending


def test_watch_code_server(server_class: type[DagsterApiServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a tick it is known whether somebody waits for it: its daemon may be gone, or the server be told to end."""
    ending, active, seen, before = threading.Event(), [True], list[bool](), list[str]()
    servicer = SimpleNamespace(_shutdown_once_executions_finish_event=ending, _loadable_target_origin=None)

    def tick(_servicer: object, _request: object, _context: object) -> None:
        seen.append(code_server.call_is_waited_for())
        active[0] = False
        seen.append(code_server.call_is_waited_for())
        active[0] = True
        ending.set()
        seen.append(code_server.call_is_waited_for())

    monkeypatch.setattr(server_class, "SyncExternalSensorExecution", tick)
    monkeypatch.setattr(server_class, "StartRun", lambda *_: before.append("run"))
    for _ in range(2):
        code_server.watch_code_server(lambda _: before.append("asked"))
    call = SimpleNamespace(is_active=lambda: active[0])
    server_class.SyncExternalSensorExecution(servicer, None, call)
    server_class.StartRun(servicer, None, call)
    assert seen == [True, False, False]
    assert before == ["asked", "asked", "run"]
    assert not code_server.call_is_waited_for()
