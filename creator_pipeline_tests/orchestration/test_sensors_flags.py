"""Feature flags act at once, and lose nothing."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from creator_pipeline import settings
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.installation import job_statuses, run_waiting, totals_of_chen
from creator_pipeline_tests.support.sandbox import SandboxServer


def test_what_arrives_while_a_platform_is_off_is_kept_and_done_when_it_is_back(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: an integration had to be rolled back; its webhooks of that hour were dead letters, and lost."""
    monkeypatch.setenv("ENABLE_GUMROAD", "false")
    sale = sandbox.world.gumroad.add_sale("chen", price=4200)
    job_queue(loaded).enqueue("chen", "gumroad", "webhook", {"sale_ids": [sale.id]})
    for _ in range(3):
        assert run_waiting(instance) == []
    assert job_statuses(loaded) == ["queued"]
    assert differences(loaded, "chen", totals_of_chen(sandbox)) != []
    monkeypatch.setenv("ENABLE_GUMROAD", "true")
    assert [run.success for run in run_waiting(instance)] == [True]
    assert job_statuses(loaded) == ["completed"]
    assert differences(loaded, "chen", totals_of_chen(sandbox)) == []


def test_a_run_that_is_queued_already_when_the_flag_goes_off_reads_nothing(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: "off" let the runs in the queue go on calling a platform that had asked us to stop."""
    from creator_pipeline.definitions import defs

    monkeypatch.setenv("ENABLE_GUMROAD", "false")
    asked = sandbox.faults.requests.total()
    result = defs.resolve_job_def("gumroad_catalogue").execute_in_process(
        instance=instance, partition_key="chen", raise_on_error=False
    )
    assert not result.success
    assert sandbox.faults.requests.total() == asked


def test_the_file_switches_a_process_that_was_started_with_the_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a platform switched off in `.env`, and a daemon that had read the file at its start went on."""
    monkeypatch.setenv("ENABLE_WHOP", "true")
    for written, wanted in (("false", False), ("true", True), ("", True)):
        (tmp_path / ".env").write_text(f"ENABLE_WHOP={written}\n", encoding="utf-8")
        assert settings.load().enable_whop is wanted
