"""Ends everything that works in a folder: the processes of a system under test must not outlive whoever started it.

``python -m creator_pipeline_tests.faults.cleanup FOLDER`` with a pipe as standard input does so when the other end of
the pipe closes, for whatever reason, a ``kill -9`` included, and removes the folder. Processes are told by their
working directory and not by their parents: what a killed process leaves behind is found too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

import psutil


def working_in(folder: Path) -> list[psutil.Process]:
    """Processes whose working directory is ``folder`` or below it; this one excepted."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            # A folder that is gone already is shown as "… (deleted)".
            place = Path(process.cwd().removesuffix(" (deleted)"))
            if process.pid != os.getpid() and (place == folder or folder in place.parents):
                found.append(process)
    return found


def end_all(folder: Path) -> None:
    """``kill -9`` until nothing works there any more, then remove it."""
    # Again and again: one of them may have been starting another.
    while found := working_in(folder):
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=5)
    shutil.rmtree(folder, ignore_errors=True)


def main(folder: Path) -> None:
    """Wait for the end of standard input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_all(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
