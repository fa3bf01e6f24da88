"""Runs forked from a process that has imported everything already, in the place of a new interpreter for each.

The code server has a fork server of ``multiprocessing``: a process without threads, connections or handles, which has
loaded the code location (:mod:`.preload`). Dagster's own launcher and code server start, watch and terminate a run as
they always do; only the kind of its process is another. Whatever the fork server can't do, Dagster's way does:

* it isn't ready, has ended, doesn't answer, or a file of the code changed since: a new interpreter, as without it;
* it was killed while a run began: the run's data reach a fork only after its number is known, so none begins twice;
* it was killed later: its forks go on, and their end is seen all the same;
* the code server ends: the fork server ends with the last of its runs. The next code server has its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from creator_pipeline.runtime.code_server import CodeServer

ANSWER_SECONDS = 5.0
"""A fork server that is ready and doesn't answer for so long is ended."""
RESTART_SECONDS = 30.0
"""Between two starts of a fork server that doesn't stay."""
LOOK_SECONDS = 5.0
"""Between two looks whether it has the code of this moment; a run looks by itself."""
_PACKAGE = Path(__file__).resolve().parents[1]
_PRELOAD = "creator_pipeline.runtime.preload"
_VARIABLE = "CREATOR_PIPELINE_PRELOAD"
"""What :mod:`.preload` reads. It must not be imported here: it is the fork server's first module."""
AHEAD = (
    *(f"creator_pipeline.{name}" for name in ("core", "store", "queue", "ledger", "fx", "datasets", "export", "mail")),
    *(f"creator_pipeline.{name}" for name in ("runtime", "platforms", "orchestration", "monitoring")),
    # What Dagster and SQLAlchemy import only when a run is under way.
    "dagster._grpc.impl",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.secrets.loader",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.migration.utils",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.system_config.composite_descent",
    "dagster_postgres",
    "fsspec.implementations.local",
    # The picture of each roll-up.
    "matplotlib.backends.backend_agg",
    "matplotlib.dates",
    "psycopg2.extras",
    "redis",
    "sentry_sdk",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "upath.implementations.local",
    "watchdog.observers.polling",
)
"""Modules and packages that runs import. One that is gone costs each run its import, and nothing else."""
_log = logging.getLogger(__name__)
_lock = threading.Lock()
_servers: list[ForkServer] = []
"""That of this process, once it has one."""


def prepare(server: CodeServer) -> None:
    """Make forks of the code server's runs, where they can be. Dagster calls it before each tick and each run."""
    try:
        from creator_pipeline.runtime.forked_process import Context

        module = server.module
        if sys.platform != "linux" or module is None or not settings.load().fork_runs or not server.starts_runs:
            return
        with _lock:
            if not _servers:
                _servers.append(ForkServer(module))
                server.start_runs_by(Context(_servers[0]))
        _servers[0].start()
    except (ConfigError, OSError):
        _log.exception("Runs are not forked")


class ForkServer:
    """The fork server of one code location. Safe to share between threads.

    Args:
        module: that holds the definitions.
        ahead: what else is imported before the first fork.
    """

    def __init__(self, module: str, ahead: Sequence[str] = AHEAD) -> None:
        from multiprocessing.forkserver import ForkServer as Forks
        from multiprocessing.util import get_temp_dir

        self._module, self._ahead = module, ahead
        self._forks: Any = Forks()
        self._forks.set_forkserver_preload([_PRELOAD])
        self._ready = Path(get_temp_dir()) / f"fork_server_{id(self)}"
        self._loaded: int | None = None
        self._code: tuple[int, int] = (0, 0)
        self._started = self._looked = float("-inf")
        self._own: int | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Its number; None where none runs."""
        pid = vars(self._forks)["_forkserver_pid"]
        with contextlib.suppress(ChildProcessError):
            # Only a look: whoever starts the next one takes the end of this one.
            if pid is not None and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return pid
        return None

    @property
    def is_ready(self) -> bool:
        """Whether it has loaded everything, as it is on disk now."""
        pid = self.pid
        if pid is None:
            return False
        if self._loaded != pid:
            # Read once: a folder of temporary files is emptied after days.
            with contextlib.suppress(OSError):
                self._loaded = int(self._ready.read_text(encoding="utf-8") or 0)
        return self._loaded == pid and self._code == _state_of_files(self._module)

    def start(self) -> None:
        """Start it where it doesn't run, or has loaded other code than there is now. Doesn't wait until it is ready.

        Raises:
            OSError: it can't be started.
        """
        with self._lock:
            # One that multiprocessing itself has begun anew has nothing loaded.
            runs = self.pid is not None and self.pid == self._own
            if runs and time.monotonic() - self._looked < LOOK_SECONDS:
                return
            code, self._looked = _state_of_files(self._module), time.monotonic()
            if runs and code == self._code:
                return
            if not runs and time.monotonic() - self._started < RESTART_SECONDS:
                return
            self.end()
            self._code, self._started = code, time.monotonic()
            # A preloaded module can be told nothing but by the environment.
            told = {"module": self._module, "ahead": self._ahead, "ready": str(self._ready), "path": sys.path}
            os.environ[_VARIABLE] = json.dumps(told)
            try:
                self._forks.ensure_running()
                self._own = self.pid
            finally:
                del os.environ[_VARIABLE]

    def connect(self, files: list[int]) -> tuple[int, int]:
        """Ask for a fork. One end tells its number and how it ended, the other takes its data.

        Args:
            files: descriptors that it gets.

        Raises:
            OSError: nobody is there.
        """
        return self._forks.connect_to_new_process(files)

    def end(self) -> None:
        """End the process. Its forks go on."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _state_of_files(module: str) -> tuple[int, int]:
    """Number of the code's files, and the sum of the moments when each was written."""
    found = sys.modules.get(module)
    files = [Path(found.__file__)] if found is not None and found.__file__ else []
    for folder, _, names in os.walk(_PACKAGE):
        files += [Path(folder, name) for name in names if name.endswith(".py")]
    return len(files), sum(file.stat().st_mtime_ns for file in files)
