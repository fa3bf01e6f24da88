"""Which checks the demo says are red."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from creator_pipeline.commands import demo_night
from creator_pipeline.core.errors import TransientError
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.http_server import Server, says

PASSED = {"status": "SUCCEEDED", "evaluation": {"success": True, "description": None}}
FAILED = {"status": "FAILED", "evaluation": {"success": False, "description": "Two sums differ."}}


@pytest.fixture
def webserver() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


def _shown(home: Path, check: dict[str, Any] | None, at_work: int = 0) -> Any:
    checks = [{"name": "equals_ledger", "executionForLatestMaterialization": check}]
    node = {"assetKey": {"path": ["daily_revenue"]}, "assetChecksOrError": {"checks": checks}}
    data = {"instance": {"info": f"base_dir: {home}"}, "runsOrError": {"count": at_work}, "assetNodes": [node]}
    return says(200, json.dumps({"data": data}).encode())


def test_a_run_that_is_at_work_is_waited_for(
    webserver: Server, home: Path, sqlite_warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    """Incident: the daemon added up the demo's sale while the checks were counted; four were "not evaluated"."""
    webserver.script = [_shown(home, None, 1), _shown(home, None, 2), _shown(home, PASSED)]
    assert demo_night.show_checks(sqlite_warehouse, webserver.url)
    assert "1 check of 1 hold." in capsys.readouterr().out


def test_what_is_red_is_said_with_its_reason(
    webserver: Server,
    home: Path,
    sqlite_warehouse: Warehouse,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards: a wait that hides a check without a result, or a run that never ends."""
    monkeypatch.setattr(demo_night, "SETTLE_SECONDS", 0)
    for check, said in ((None, "not evaluated"), (FAILED, "Two sums differ.")):
        webserver.script = [_shown(home, check, 1)]
        assert not demo_night.show_checks(sqlite_warehouse, webserver.url)
        assert f"daily_revenue equals_ledger: {said}" in capsys.readouterr().err


def test_another_installations_webserver_is_no_answer(
    webserver: Server, home: Path, sqlite_warehouse: Warehouse
) -> None:
    """Guards: checks of another demo that has the port."""
    webserver.script = [_shown(home.parent / "another", PASSED)]
    with pytest.raises(TransientError, match="Another process"):
        demo_night.show_checks(sqlite_warehouse, webserver.url)
