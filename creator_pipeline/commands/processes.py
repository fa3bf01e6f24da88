"""Processes that a command starts and ends."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from creator_pipeline.core.errors import ConfigError, TransientError


def free_port(wanted: int) -> int:
    """``wanted`` where nobody listens on it, else any that is free.

    Raises:
        TransientError: none is free.
    """
    for port in (wanted, 0):
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            return candidate.getsockname()[1]
    raise TransientError("No free port on 127.0.0.1.")


def check_port(host: str, port: int) -> None:
    """Refuse a port that another process listens on, before anything is begun.

    Raises:
        ConfigError: it is busy, or the address is no address of this machine.
    """
    if not port:
        return
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as candidate:
            # As the server does it: a port that was closed a moment ago is free.
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            candidate.bind(address)
    except OSError as error:
        raise ConfigError(
            f"Port {port} of {host} can't be used: {error.strerror or error}.", hint="Another one: --port."
        ) from None


class Processes:
    """Named processes that end with this object, and with this process however it ends.

    Args:
        logs: folder of their logs.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            if process.stdin:
                process.stdin.close()
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)

    def log_of(self, name: str) -> Path:
        """Where a process writes."""
        return self._logs / f"{name}.log"

    def start(self, name: str, arguments: list[str]) -> None:
        """Start a process with the present environment."""
        with self.log_of(name).open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-m", "creator_pipeline.commands.supervise", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for this process; ``supervise`` ends the rest in order.
                start_new_session=True,
            )

    def ended(self) -> str | None:
        """Name of a process that is not running any more; None while all run."""
        return next((name for name, process in self._running.items() if process.poll() is not None), None)

    def wait_for(self, name: str, url: str, seconds: float) -> None:
        """Wait until ``url`` answers.

        Raises:
            TransientError: the process ended, or it did not answer in time; names its log.
        """
        deadline = time.monotonic() + seconds
        # One client: to make one takes twenty milliseconds of the processor's time, which the others begin with.
        with httpx.Client(timeout=2) as client:
            while time.monotonic() < deadline:
                if self.ended() == name:
                    break
                with contextlib.suppress(httpx.TransportError):
                    if client.get(url).is_success:
                        return
                time.sleep(0.2)
        raise TransientError(f"{name} did not start.", hint=f"Its log: {self.log_of(name)}")
