"""Runs a command that must not outlive whoever started it.

``python -m creator_pipeline.commands.supervise COMMAND…`` with a pipe as standard input: when the other end of the pipe
closes, for whatever reason, a ``kill -9`` included, the command and everything it started is ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 8.0


def main(arguments: list[str]) -> int:
    """Returns the command's exit code."""
    # A group of its own: one signal reaches the processes that the command itself starts.
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - our own command
    for number in (signal.SIGINT, signal.SIGTERM):
        # The owner decides when to end, by closing the pipe; Ctrl-C reaches it first.
        signal.signal(number, signal.SIG_IGN)
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], 0.2)
        if readable and not os.read(sys.stdin.fileno(), 1024):
            end(child)
    return child.returncode


def end(child: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then make it."""
    _signal(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.05)
    _signal(child.pid, signal.SIGKILL)
    child.wait()


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
