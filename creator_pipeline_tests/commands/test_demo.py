"""The demo, as a newcomer starts it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.project import BIN, copy_project


def processes_of(folder: Path) -> list[str]:
    """Command lines of the living processes whose home is below a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
            state = (path / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if str(folder).encode() in environment and state != "Z" and int(path.name) != os.getpid():
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (OSError, IndexError):
            continue
    return found


def none_left(folder: Path, seconds: float = 60) -> list[str]:
    """What is still alive when it should have ended."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


@pytest.mark.timeout(800)
def test_the_demo_agrees_with_the_platforms_and_leaves_no_process_even_when_killed(tmp_path):
    """Guards: a first impression that fails, and a port that stays taken after Ctrl-C."""
    copy_project(tmp_path)
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DAGSTER_HOME": str(tmp_path / ".data"),
        "LANG": "C.UTF-8",
    }
    log = tmp_path / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BIN / "creator-pipeline", "demo"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 700
        while "Ctrl-C ends it all." not in log.read_text(encoding="utf-8") and time.monotonic() < deadline:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        said = log.read_text(encoding="utf-8")
        assert said.count("equal on every day, to the cent") >= 3
        assert "Every figure agrees" in said, said
        # A newcomer opens the UI: no check is red or without a result, and health has found nothing.
        assert re.search(r"^(\d{3}) checks of \1 hold\.$", said, re.MULTILINE), said
        assert "health: " not in said
        home = tmp_path / ".data/demo"
        assert {path.stem for path in (home / "process_logs").iterdir()} == {"sandbox", "gateway", "dagster"}
        # Dagster sends what is in this folder to its makers, and deletes it.
        assert list((home / "logs").glob("*")) == []
        assert len(processes_of(tmp_path)) >= 3, sys.platform
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert none_left(tmp_path) == []
