"""A process of ``multiprocessing`` that is a fork of :class:`.forked_runs.ForkServer`, or else a new interpreter."""

from __future__ import annotations

import atexit
import io
import logging
import os
from collections.abc import Mapping
from multiprocessing import forkserver, popen_forkserver, reduction, spawn, util
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnProcess, set_spawning_popen
from typing import Any, ClassVar

from creator_pipeline.runtime.forked_runs import ANSWER_SECONDS, ForkServer

_log = logging.getLogger(__name__)


class Context(ForkServerContext):
    """What makes the processes of runs, with their queues and events: those are the same for either kind."""

    def __init__(self, forks: ForkServer) -> None:
        super().__init__()
        ForkedProcess.forks = forks


class ForkedProcess(ForkServerProcess):
    """The process of a run; as an object here, and as itself in the process."""

    forks: ClassVar[ForkServer]
    environment: Mapping[str, str]

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - the name in multiprocessing
        forks = ForkedProcess.forks
        # What the fork server has is as old as it is.
        process_obj.environment = dict(os.environ)
        if forks.is_ready:
            try:
                return _Fork(process_obj, forks)
            except (OSError, EOFError):
                _log.warning("No fork for a run: it gets an interpreter of its own.", exc_info=True)
                forks.end()
        return SpawnProcess._Popen(process_obj)  # noqa: SLF001 - the one place where its kind is chosen

    def run(self) -> None:
        """Do the work, and what is to be done at exit: a fork ends without it."""
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            super().run()
        finally:
            atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - has no public name


Context.Process = ForkedProcess


class _Fork(popen_forkserver.Popen):
    """The side of the code server."""

    _fds: list[int]
    _pidfd: int | None = None

    def __init__(self, process_obj: Any, forks: ForkServer) -> None:
        self._forks = forks
        super().__init__(process_obj)

    def _launch(self, process_obj: Any) -> None:
        data = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump(spawn.get_preparation_data(process_obj.name), data)
            reduction.dump(process_obj, data)
        finally:
            set_spawning_popen(None)
        self.sentinel, writing = self._forks.connect(self._fds)
        files = [self.sentinel, writing]
        # The end that is written to stays open: its other end tells the fork that this process lives.
        self.finalizer = util.Finalize(self, _close, (files,))
        try:
            if not wait([self.sentinel], ANSWER_SECONDS):
                raise TimeoutError("The fork server doesn't answer.")
            self.pid = forkserver.read_signed(self.sentinel)
            self._pidfd = os.pidfd_open(self.pid)
            files.append(self._pidfd)
            # Not before: what has no number here must not begin, because its run is begun otherwise then.
            with os.fdopen(os.dup(writing), "wb") as pipe:
                pipe.write(data.getbuffer())
        except BaseException:
            self.finalizer()
            raise

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        """The exit code; None while it runs, whoever else has ended."""
        seconds = 0 if flag == os.WNOHANG else None
        # The fork server tells the end of each; its own end must not be taken for the end of all.
        if self.returncode is None and self._pidfd is not None and not wait([self._pidfd], seconds):
            return None
        return super().poll(flag)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
