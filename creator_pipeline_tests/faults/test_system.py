"""The harness itself: nothing may be left of a system whose owner was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from creator_pipeline_tests.faults.cleanup import working_in
from creator_pipeline_tests.support.paths import ROOT

OWNER = """
import sys
from creator_pipeline_tests.faults.system import System

with System() as system:
    system.start("redis")
    print(system.folder, flush=True)
    sys.stdin.read()
"""


def test_a_system_ends_with_its_owner_however_that_ends() -> None:
    """Guards: servers of a killed test that hold ports and memory for days."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert [Path(process.exe()).name for process in working_in(folder)] != []
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait(10)
    deadline = time.monotonic() + 30
    while folder.exists() or working_in(folder):
        assert time.monotonic() < deadline, working_in(folder)
        time.sleep(0.05)
