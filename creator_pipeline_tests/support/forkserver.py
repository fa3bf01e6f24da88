"""A process that has imported everything, and forks a command in milliseconds: a new interpreter takes two seconds.

``python -m creator_pipeline_tests.support.forkserver WARM_UP`` calls ``WARM_UP``, reads a JSON line for each child
(``call``, ``arguments``, ``environment``, ``folder``, ``log``) and writes ``started PID``, then ``ended PID CODE``. A
child is a process like any: it has its own arguments, environment, folder, output, signals and exit code. What it does
not show is what happens while the code is imported: that is for tests that start a new interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from creator_pipeline import settings
from creator_pipeline_tests.support.paths import ROOT

PRELOADED = (
    "creator_pipeline.orchestration.backfill",
    "creator_pipeline.commands.backfill",
    "creator_pipeline.commands.gateway",
    "creator_pipeline.commands.migrate",
    "creator_pipeline.commands.profiles",
    "creator_pipeline.gateway.app",
    "creator_pipeline.gateway.server",
    "creator_pipeline.platforms.kdp.child_process",
    "dagster_postgres",
    "matplotlib.backends.backend_agg",
    "matplotlib.dates",
    "resend",
)
"""What a child may need: what is imported here costs a child nothing."""
READ_AT_IMPORT = frozenset({"DBT_TARGET", "PIPELINE_START_DATE"})
"""Variables that are read while the definitions are loaded: here they were loaded without them."""
_BIN = Path(sys.executable).parent


class Child:
    """A forked process, with what of :class:`subprocess.Popen` its owner needs."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server, self.pid = server, pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """As :meth:`subprocess.Popen.poll`."""
        return self._server.codes.get(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """As :meth:`subprocess.Popen.wait`."""
        if not self._server.wait_for(lambda: self.poll() is not None, timeout or 600.0):
            raise subprocess.TimeoutExpired("a forked process", timeout or 600.0)
        return self._server.codes[self.pid]

    def send_signal(self, number: int) -> None:
        """As :meth:`subprocess.Popen.send_signal`."""
        if self.poll() is None:
            os.kill(self.pid, number)


class ForkServer:
    """The owner's side.

    Args:
        folder: it works in there, so that a cleanup of the folder finds it.
        warm_up: ``module:function`` that is called before the first fork; None imports :data:`PRELOADED` only.
    """

    def __init__(self, folder: Path, warm_up: str = f"{__name__}:load") -> None:
        self.codes: dict[int, int] = {}
        self._started: list[int] = []
        self._news = threading.Condition()
        # No variable of a test may be in what is loaded.
        names = {name.upper() for name in settings.Settings.model_fields}
        environment = {name: value for name, value in os.environ.items() if name not in names}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, warm_up],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="fork-server", daemon=True)
        self._reader.start()

    def fork(
        self, call: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> Child:
        """A new child.

        Args:
            call: ``module:function`` that it is; what it returns or exits with is its exit code.
            arguments: its ``sys.argv``, the command's name first.
            environment: all of its variables.
            folder: where it works.
            log: what it says is added to this file, standard output and errors alike.
        """
        assert not READ_AT_IMPORT & {name for name, value in environment.items() if value}, "start a real process"
        wish = {
            "call": call,
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": str(folder),
            "log": str(log),
        }
        assert self._process.stdin is not None
        with self._news:
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
            if not self._news.wait_for(lambda: self._started, 60):
                raise RuntimeError("the fork server doesn't answer")
            return Child(self, self._started.pop())

    def wait_for(self, condition: Any, seconds: float) -> bool:
        """Whether it holds within this time; it is looked at when a child has started or ended."""
        with self._news:
            return self._news.wait_for(condition, seconds)

    def close(self) -> None:
        """End it; children that run go on."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(10)
        self._reader.join(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                word, *numbers = line.split()
                with self._news:
                    if word == "started":
                        self._started.append(int(numbers[0]))
                    else:
                        self.codes[int(numbers[0])] = int(numbers[1])
                    self._news.notify_all()


@cache
def shared() -> ForkServer:
    """The one of this process, for commands of the tests; it ends with it."""
    server = ForkServer(Path(tempfile.gettempdir()))
    atexit.register(server.close)
    return server


@cache
def _script(name: str) -> str:
    (found,) = entry_points(group="console_scripts", name=name)
    return found.value


def start(command: str, *arguments: str, environment: Mapping[str, str], folder: Path, log: Path) -> Child:
    """A console script of this environment in a process of its own.

    Args:
        command: its name, as ``creator-pipeline`` or ``dagster``.
        arguments: what stands after the name.
        environment: all of its variables.
        folder: where it works.
        log: what it says is added to this file.
    """
    return shared().fork(_script(command), (command, *arguments), environment, folder, log)


def run(
    command: str, *arguments: str, environment: Mapping[str, str], folder: Path, seconds: float = 200.0
) -> tuple[int, str]:
    """Exit code of :func:`start`, and all that it said; it is killed after ``seconds``."""
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8", errors="replace") as log:
        child = start(command, *arguments, environment=environment, folder=folder, log=Path(log.name))
        try:
            code = child.wait(seconds)
        finally:
            child.send_signal(signal.SIGKILL)
        return code, log.read()


def load() -> None:
    """Import what children need, build the definitions."""
    for name in PRELOADED:
        importlib.import_module(name)
    from creator_pipeline.definitions import defs

    defs.get_repository_def()


def main(warm_up: str) -> None:
    """The server's side."""
    _resolve(warm_up)()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            # A timer that was cancelled ends at once.
            thread.join(2)
    assert threading.active_count() == 1, "a fork would lose these threads"
    # A child that collects garbage would copy every page of what is loaded.
    gc.collect()
    gc.freeze()
    ended, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    pending = b""
    while True:
        readable, _, _ = select.select([0, ended], [], [])
        if ended in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(ended, 1 << 12)
            _reap()
        if 0 not in readable:
            continue
        got = os.read(0, 1 << 16)
        if not got:
            return
        *lines, pending = (pending + got).split(b"\n")
        for line in lines:
            wish = json.loads(line)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _be(wish)
            sys.stdout.write(f"started {pid}\n")
            sys.stdout.flush()


def _resolve(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        sys.stdout.write(f"ended {pid} {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _be(wish: dict[str, Any]) -> None:
    """Become the child; never returns."""
    code = 1
    try:
        os.setsid()
        log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(wish["environment"])
        time.tzset()
        os.chdir(wish["folder"])
        sys.argv = [str(_BIN / wish["arguments"][0]), *wish["arguments"][1:]]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(_resolve(wish["call"])())
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - the child must not go on as a second fork server
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            threading._shutdown()
            atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
