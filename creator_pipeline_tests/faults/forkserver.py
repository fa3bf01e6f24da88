"""A process that has imported everything, and forks a part in milliseconds: rounds by the thousand need it.

``python -m creator_pipeline_tests.faults.forkserver``: reads a JSON line for each child (``arguments``, ``environment``,
``folder``, ``log``) and writes ``started PID``, then ``ended PID CODE``. A child is ``creator-pipeline ARGUMENTS``, or
``daemon`` or ``worker`` of
:mod:`creator_pipeline_tests.faults.daemon_loops`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from creator_pipeline_tests.support.paths import ROOT

PRELOADED = (
    "creator_pipeline.orchestration.backfill",
    "creator_pipeline.commands.backfill",
    "creator_pipeline.commands.gateway",
    "creator_pipeline.commands.migrate",
    "creator_pipeline.gateway.app",
    "creator_pipeline.gateway.server",
    "creator_pipeline.platforms.kdp.child_process",
    "creator_pipeline_tests.faults.worker",
    "dagster_postgres",
    "resend",
)
"""What a child may need: what is imported here costs a child nothing."""


class Child:
    """A forked process, with what of :class:`subprocess.Popen` a system needs."""

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
        deadline = time.monotonic() + (timeout or 600.0)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a forked process", timeout or 600.0)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """As :meth:`subprocess.Popen.send_signal`."""
        if self.poll() is None:
            os.kill(self.pid, number)


class ForkServer:
    """The owner's side. It works in ``folder``, so that the cleanup of a system finds it."""

    def __init__(self, folder: Path) -> None:
        self.codes: dict[int, int] = {}
        self._started: list[int] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "creator_pipeline_tests.faults.forkserver"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="fork-server", daemon=True)
        self._reader.start()

    def fork(self, arguments: Sequence[str], environment: dict[str, str], folder: Path, log: Path) -> Child:
        """A new child."""
        wish = {"arguments": list(arguments), "environment": environment, "folder": str(folder), "log": str(log)}
        assert self._process.stdin is not None
        with self._news:
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
            if not self._news.wait_for(lambda: self._started, 60):
                raise RuntimeError("the fork server doesn't answer")
            return Child(self, self._started.pop())

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


def main() -> None:
    """The server's side."""
    for name in PRELOADED:
        importlib.import_module(name)
    from creator_pipeline_tests.faults.daemon_loops import warm_up

    warm_up()
    assert threading.active_count() == 1, "a fork would lose these threads"
    pending = b""
    while True:
        readable, _, _ = select.select([0], [], [], 0.01)
        _reap()
        if not readable:
            continue
        got = os.read(0, 1 << 16)
        if not got:
            return
        *lines, pending = (pending + got).split(b"\n")
        for line in lines:
            wish = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _be(wish)
            sys.stdout.write(f"started {pid}\n")
            sys.stdout.flush()


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
        os.chdir(wish["folder"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _run(wish["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:  # noqa: BLE001 - the child must not go on as a second fork server
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(arguments: list[str]) -> None:
    from creator_pipeline_tests.faults import daemon_loops

    daemon_loops.listen_for_jumps()
    if arguments[0] in ("daemon", "worker"):
        getattr(daemon_loops, arguments[0])()
        return
    from creator_pipeline.cli import main as command

    sys.argv = ["creator-pipeline", *arguments]
    command()


if __name__ == "__main__":
    main()
