"""``creator-pipeline export`` as a process of its own, and killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import exported, invented_year

COMMAND = (sys.executable, "-m", "creator_pipeline", "export")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPORT_URL", str(tmp_path / "export"))
    return tmp_path / "export"


def test_the_command_says_what_it_wrote_and_what_is_missing(sqlite_warehouse: Warehouse, root: Path) -> None:
    """Guards: an export of everything, where one month was asked for; and a silent one to nowhere."""
    invented_year.fill(sqlite_warehouse, 60)
    run = CliRunner().invoke(cli, ["export", "--since", "2026-11", "--profile", "bea"], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    assert run.output.startswith("ledger ")
    assert exported.files(root).keys() <= {("2026-11", "bea"), ("2026-12", "bea")}
    assert CliRunner().invoke(cli, ["export", "--since", "November"]).exit_code == 2
    missing = CliRunner().invoke(cli, ["export"], env={"EXPORT_URL": ""})
    assert isinstance(missing.exception, ConfigError)
    assert "EXPORT_URL" in missing.exception.message


def test_erasing_a_profile_reaches_the_files(
    sqlite_warehouse: Warehouse, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: an erasure that was confirmed to a seller whose sales stayed in a bucket."""
    invented_year.fill(sqlite_warehouse, 30)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    CliRunner().invoke(cli, ["export"], catch_exceptions=False)
    assert any("alice" in str(path) for path in root.rglob("*.parquet"))
    erased = CliRunner().invoke(cli, ["profiles", "erase", "alice", "--yes"], catch_exceptions=False)
    assert erased.exit_code == 0, erased.output
    held = [path for path in root.rglob("*") if path.is_file()]
    assert not [path for path in held if "alice" in path.name or b"alice" in path.read_bytes()]


def test_an_erasure_that_can_not_reach_the_files_says_so(
    sqlite_warehouse: Warehouse, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: "is gone", said while the files could not be written."""
    invented_year.fill(sqlite_warehouse, 10)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("EXPORT_URL", "nonsense://bucket")
    erased = CliRunner().invoke(cli, ["profiles", "erase", "alice", "--yes"])
    assert isinstance(erased.exception, ConfigError)
    assert "not from the exported files" in erased.exception.message
    assert "creator-pipeline export" in erased.exception.hint


def test_a_killed_export_leaves_whole_months(sqlite_warehouse: Warehouse, root: Path) -> None:
    """Guards: SIGKILL in the middle, and a reader with half a month."""
    invented_year.fill(sqlite_warehouse, 100)
    CliRunner().invoke(cli, ["export"], catch_exceptions=False)
    old, files = invented_year.ledger_sums(sqlite_warehouse), len(list(root.rglob("*.parquet")))
    with sqlite_warehouse.write() as connection:
        for number, name in enumerate(("alice", "bea")):
            invented_year.put_rows(connection, name, 100, seed=number + 7, prefix="later")
    new = invented_year.ledger_sums(sqlite_warehouse)
    with subprocess.Popen(
        COMMAND, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and len(list(root.rglob("*.parquet"))) < files + 3:
            time.sleep(0.005)
        process.kill()
    killed_in_the_middle = exported.sums(root)
    assert killed_in_the_middle in (old, new)
    run = CliRunner().invoke(cli, ["export"], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    assert exported.sums(root) == new != old
