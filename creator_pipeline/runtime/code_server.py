"""Dagster's code server, as the process sees it that is one: who waits for a sensor's tick, and what starts runs.

Neither has a public way. Nothing of Dagster is imported here: a process that has not loaded its server is none.
``creator_pipeline_tests/runtime/test_code_server.py`` has a test of each part, so an upgrade fails there by name.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

_call = threading.local()
_WATCHED = "_creator_pipeline"


class CodeServer:
    """A code server of Dagster in this process."""

    def __init__(self, servicer: Any) -> None:
        # What it holds has no public name.
        self._held: dict[str, Any] = vars(servicer)

    @property
    def module(self) -> str | None:
        """Name of the module that holds its definitions; None where they come from elsewhere."""
        origin = self._held["_loadable_target_origin"]
        return origin.module_name if origin else None

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end, and waits for what is under way."""
        return self._held["_shutdown_once_executions_finish_event"].is_set()

    @property
    def starts_runs(self) -> bool:
        """Whether runs are its child processes, by the launcher of ``dagster.yaml``."""
        import dagster as dg

        instance = self._held["_instance"]
        return instance is not None and isinstance(instance.run_launcher, dg.DefaultRunLauncher)

    def start_runs_by(self, processes: BaseContext) -> None:
        """Let its runs be processes of this kind, in the place of new interpreters."""
        self._held["_mp_ctx"] = processes


def watch_code_server(before: Callable[[CodeServer], object]) -> None:
    """Where this process is a code server of Dagster, take note of its ticks, and be called before each and each run.

    A sensor's function isn't told who waits for it, and what starts a run's process can't be configured.

    Args:
        before: must neither raise nor take long.
    """
    module: Any = sys.modules.get("dagster._grpc.server")
    if module is None or hasattr(module.DagsterApiServer, _WATCHED):
        return
    server = module.DagsterApiServer
    evaluate, start = server.SyncExternalSensorExecution, server.StartRun

    def tick(servicer: Any, request: Any, context: Any) -> Any:
        before(CodeServer(servicer))
        _call.now = (CodeServer(servicer), context)
        try:
            return evaluate(servicer, request, context)
        finally:
            del _call.now

    def run(servicer: Any, request: Any, context: Any) -> Any:
        before(CodeServer(servicer))
        return start(servicer, request, context)

    server.SyncExternalSensorExecution, server.StartRun = tick, run
    setattr(server, _WATCHED, True)


def call_is_waited_for() -> bool:
    """Whether this thread evaluates a sensor in a code server that goes on, for a daemon that still waits for it."""
    now = getattr(_call, "now", None)
    return now is not None and not now[0].is_ending and bool(now[1].is_active())
