"""What a process sets up when it starts, and that loading the definitions sets up nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from creator_pipeline_tests.support.paths import ROOT

STATE = """
import gc, json, os, sys, warnings
import dagster as dg
def state():
    ignored = [str(one[2].__name__) for one in warnings.filters if one[0] == "ignore"]
    return {
        "threshold": gc.get_threshold(), "frozen": gc.get_freeze_count() > 0, "collects": gc.isenabled(),
        "ignored": [name for name in ignored if name in ("BetaWarning", "PreviewWarning")],
        "sentry": "sentry_sdk" in sys.modules, "environment": dict(os.environ),
    }
before = state()
"""
DEFINITIONS = "import creator_pipeline.definitions"
INSTANCE = "instance = dg.DagsterInstance.get()"
STORAGE_OF_DAGSTER = "instance = dg.DagsterInstance.get(); instance.get_handlers()"
STARTED = {"threshold": [50_000, 10, 10], "frozen": True, "collects": True, "sentry": True}
DSN = "http://key@127.0.0.1:9/1"


def states(lines: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict, dict]:
    """What a new process is like before and after these lines."""
    monkeypatch.setenv("SENTRY_DSN", DSN)
    script = f"{STATE}\n{lines}\nprint(json.dumps([before, state()]))"
    # Warnings of Dagster's own are not looked at here.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, after = json.loads(done.stdout.splitlines()[-1])
    return before, after


def home(path: Path, storage: str = "") -> None:
    """A ``DAGSTER_HOME`` with the project's settings; its storage may be another."""
    path.mkdir()
    text = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    head, end = text.index("storage:"), text.index("telemetry:")
    (path / "dagster.yaml").write_text(text if not storage else text[:head] + storage + text[end:], encoding="utf-8")


def test_loading_the_definitions_changes_nothing_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a test, a notebook or a tool that imports the definitions, and gets another collector and Sentry."""
    before, after = states(DEFINITIONS, monkeypatch)
    assert after == before


@pytest.mark.parametrize(
    ("storage", "lines"),
    [
        ("", INSTANCE),
        ("storage:\n  sqlite:\n    base_dir: {0}\n", STORAGE_OF_DAGSTER),
        (
            "",
            "from click.testing import CliRunner; from creator_pipeline.cli import cli; CliRunner().invoke(cli, 'keys')",
        ),
    ],
    ids=["every process of Dagster", "a run with a storage of Dagster's own", "a command"],
)
def test_a_process_is_set_up_once(storage: str, lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: errors that nobody hears of, because the definitions no longer start Sentry."""
    home(tmp_path / "home", storage.format(tmp_path))
    _, after = states(lines + "\n" + lines, monkeypatch)
    assert {name: after[name] for name in STARTED} == STARTED
    assert sorted(after["ignored"]) == ["BetaWarning", "PreviewWarning"]
