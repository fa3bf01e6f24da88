"""dagster.yaml files of installations before this release name modules that stand elsewhere now."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._grpc.types import ExecuteRunArgs

from creator_pipeline.definitions import defs
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.paths import ROOT

FORMER = {
    "creator_pipeline.runtime.storage": "creator_pipeline.dagster_support.instance_storage",
    "creator_pipeline.runtime.run_logs": "creator_pipeline.dagster_support.run_logs",
    "creator_pipeline.runtime.celery_launcher": "creator_pipeline.dagster_support.celery_launcher",
}


def former(path: Path) -> str:
    """A dagster.yaml as it was before."""
    text = path.read_text(encoding="utf-8")
    for name, before in FORMER.items():
        text = text.replace(name, before)
    return text


def test_an_instance_of_before_loads_reads_its_runs_and_launches_one(
    sqlite_warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: an upgrade after which no process of Dagster starts, because its dagster.yaml names the former modules."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    job = defs.resolve_job_def("ledger")
    with dg.DagsterInstance.get() as instance:
        done = job.execute_in_process(instance=instance)
    (home / "dagster.yaml").write_text(former(ROOT / "dagster.yaml"), encoding="utf-8")
    with dg.DagsterInstance.get() as instance:
        reference = instance.get_ref()
        assert reference.storage_data is not None
        assert reference.storage_data.module_name == FORMER["creator_pipeline.runtime.storage"]
        assert [run.run_id for run in instance.get_runs()] == [done.run_id]
        pointer = ModuleCodePointer("creator_pipeline.definitions", "defs")
        origin = JobPythonOrigin("ledger", RepositoryPythonOrigin(sys.executable, pointer))
        run = instance.create_run_for_job(job, job_code_origin=origin)
        # What Dagster's launchers start, with the instance written out for another process.
        command = ExecuteRunArgs(origin, run.run_id, reference).get_command_args()
        worker = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.status == dg.DagsterRunStatus.SUCCESS, worker.stderr
    lines = [json.loads(line) for line in worker.stdout.splitlines() if line.startswith('{"time"')]
    assert {"PIPELINE_START", "PIPELINE_SUCCESS"} <= {line.get("event") for line in lines}


@pytest.mark.parametrize("path", [ROOT / "dagster.yaml", *sorted(ROOT.glob("deploy/**/dagster.yaml"))], ids=str)
def test_each_class_of_a_dagster_yaml_of_before_is_the_one_of_today(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a module of this package that a deployment names and that was moved without its former name."""
    launcher, tags = ModuleType("dagster_celery.launcher"), ModuleType("dagster_celery.tags")
    launcher.CeleryRunLauncher, tags.DAGSTER_CELERY_TASK_ID_TAG = object, "task"
    monkeypatch.setitem(sys.modules, "dagster_celery", ModuleType("dagster_celery"))
    monkeypatch.setitem(sys.modules, launcher.__name__, launcher)
    monkeypatch.setitem(sys.modules, tags.__name__, tags)
    names = {"storage": "EnvStorage", "run_logs": "RunLines", "celery_launcher": "WatchedCeleryRunLauncher"}
    used = [name for name in FORMER if name in path.read_text(encoding="utf-8")]
    assert used
    for name in used:
        class_name = names[name.rpartition(".")[2]]
        today, before = importlib.import_module(name), importlib.import_module(FORMER[name])
        assert getattr(before, class_name) is getattr(today, class_name)
    monkeypatch.delitem(sys.modules, "creator_pipeline.runtime.celery_launcher", raising=False)
    monkeypatch.delitem(sys.modules, FORMER["creator_pipeline.runtime.celery_launcher"], raising=False)
