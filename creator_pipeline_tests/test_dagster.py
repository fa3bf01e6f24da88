"""The component: what a project gets for the lines of docs/component.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from sqlalchemy import func, select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import today
from creator_pipeline.dagster import CreatorLedgerComponent
from creator_pipeline.definitions import defs as own
from creator_pipeline.runtime import given
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer

# Dagster reads YAML by what pydantic calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")
LINES = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "component.md").read_text(encoding="utf-8"), re.DOTALL)[1]
PREFIXED = """
import json, sys
import dagster as dg
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.dagster import CreatorLedgerComponent

defs = dg.build_defs_for_component(CreatorLedgerComponent(key_prefix="team/creators"))
dg.Definitions.validate_loadable(defs)
from creator_pipeline.monitoring import failed_partitions
from creator_pipeline.platforms import PLATFORMS, sources
from creator_pipeline.runtime import hooks
from creator_pipeline.runtime.keys import asset_key

graph, day = defs.resolve_asset_graph(), str(today())
with dg.DagsterInstance.ephemeral() as instance:
    instance.add_dynamic_partitions("team_creators_gumroad_profiles", ["alice"])
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    tags = {"creator_pipeline/profile": "alice"}
    job = defs.resolve_job_def("gumroad_sync")
    done = job.execute_in_process(instance=instance, run_config=quiet, partition_key=f"{day}|alice", tags=tags)
    events = instance.all_logs(done.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    landed = sorted(event.get_dagster_event().asset_key.to_user_string() for event in events)
    checked = {one.asset_check_key.to_user_string() for one in done.get_asset_check_evaluations()}
    told = hooks.sources_of(done.dagster_run, sources())
    theirs = dg.DagsterRun(job_name="gumroad_sync", tags={"creator_pipeline/installation": "another"})
    print(json.dumps({
        "landed": landed,
        "checks": sorted(checked),
        "keys": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
        "check_keys": sorted(key.asset_key.to_user_string() for key in graph.asset_check_keys),
        "partitions": sorted({platform.partitions_name for platform in PLATFORMS}),
        "told": [one.name for one in told],
        "theirs": [one.name for one in hooks.sources_of(theirs, sources())],
        "tag": done.dagster_run.tags.get("creator_pipeline/installation"),
        "platform": failed_partitions._platform_of(asset_key("sales_events", "amazon_kdp")).name,
    }))
"""


@contextmanager
def project(monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> Iterator[dg.Definitions]:
    """A project with the component, by its YAML. Without a prefix: this process has made its keys already."""
    monkeypatch.setattr(given, "_given", {})
    told = yaml.safe_load(LINES)
    del told["attributes"]["key_prefix"]
    told["attributes"] |= attributes
    told["requirements"]["env"].remove("ASSET_KEY_PREFIX")
    for name in ("KEEP_RUNS_DAYS", "KEEP_RUN_OUTPUT_DAYS"):
        monkeypatch.setenv(name, "")
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(component_cls=CreatorLedgerComponent, defs_yaml_contents=told)
        with sandbox.load_component_and_build_defs(defs_path=path) as (_, defs):
            yield defs


def test_ten_lines_bring_everything(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a team copied our definitions into its project, and every release brought it half of what was new."""
    assert len(LINES.strip().splitlines()) == 10
    assert sqlite_warehouse.engine.url.database
    with project(monkeypatch) as defs:
        dg.Definitions.validate_loadable(defs)
        theirs, ours = defs.get_repository_def(), own.get_repository_def()
        assert theirs.asset_graph.get_all_asset_keys() == ours.asset_graph.get_all_asset_keys()
        assert theirs.asset_graph.asset_check_keys == ours.asset_graph.asset_check_keys
        assert set(theirs.job_names) == set(ours.job_names)
        assert {one.name: one.default_status.value for one in theirs.schedule_defs} == {
            one.name: "RUNNING" for one in ours.schedule_defs
        }
        running = {one.name for one in theirs.sensor_defs if one.default_status.value == "RUNNING"}
        assert running == {one.name for one in ours.sensor_defs}
        specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
        assert all(spec.owners == ["team:data"] for spec in specs.values() if spec.owners)
        conditions = {name for name, spec in specs.items() if spec.automation_condition}
        assert {"daily_revenue", "products", "books/gumroad", "export/ledger"} <= conditions
        assert not {"gumroad/sales", "sales_events/gumroad", "external/bank"} & conditions


def test_an_executor_and_runs_stay_their_owner_s(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: every job of a project in one process since it had this component; its runs gone after a month."""
    with project(monkeypatch) as defs:
        assert defs.executor is None
        assert [os.environ[name] for name in ("KEEP_RUNS_DAYS", "KEEP_RUN_OUTPUT_DAYS")] == ["0", "0"]
        named = [job for job in defs.get_repository_def().get_all_jobs() if not job.name.startswith("__")]
        assert {job.executor_def.name for job in named} == {"in_process"}


def test_some_platforms_schedules_and_sensors_off(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a second code location on the same warehouse that ran every night's work again."""
    more = {"platforms": ["gumroad"], "schedules": False, "sensors": False, "owners": ["team:shop"]}
    with project(monkeypatch, **more) as defs:
        dg.Definitions.validate_loadable(defs)
        repository = defs.get_repository_def()
        assert not [name for name in repository.job_names if name.startswith(("whop_", "kdp_"))]
        switches = [*repository.schedule_defs, *repository.sensor_defs]
        assert {one.default_status.value for one in switches} == {"STOPPED"}
        made = {key.to_user_string() for key in repository.asset_graph.executable_asset_keys}
        assert "gumroad/sales" in made
        assert not [name for name in made if "whop" in name or "kdp" in name]
        assert {tuple(spec.owners) for spec in defs.resolve_all_asset_specs() if spec.owners} == {("team:shop",)}


def test_what_can_t_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: two components in one project, and the money of both in the warehouse of the one that loaded last."""
    monkeypatch.setattr(given, "_given", {})
    for name in ("DATABASE_URL", "ASSET_KEY_PREFIX", "KEEP_RUNS_DAYS", "KEEP_RUN_OUTPUT_DAYS"):
        monkeypatch.setenv(name, "")
    with pytest.raises(ConfigError, match="No platform is called etsy"):
        dg.build_defs_for_component(CreatorLedgerComponent(platforms=["etsy"], warehouse="sqlite:///one"))
    with pytest.raises(ConfigError, match="DATABASE_URL has two values"):
        dg.build_defs_for_component(CreatorLedgerComponent(warehouse="sqlite:///two"))
    with pytest.raises(ConfigError, match="begin with no prefix already"):
        dg.build_defs_for_component(CreatorLedgerComponent(key_prefix="late"))


def test_dg_knows_the_component() -> None:
    """Incident: a component that only those could scaffold who knew its name."""
    found = {one.name: one.value for one in entry_points(group="dagster_dg_cli.registry_modules")}
    assert found["creator_pipeline"] == CreatorLedgerComponent.__module__


def test_everything_goes_by_the_prefix(
    gumroad_warehouse: Warehouse, gumroad_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: an asset ``creators/gumroad/sales`` whose run logged ``gumroad/sales``, whose checks were of nobody, and whose
    mails went out twice, as another installation in the same instance told of its runs too.

    In a process of its own: keys are made when modules are imported.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREFIXED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["landed"] == ["team/creators/gumroad/sales", "team/creators/sales_events/gumroad"]
    assert [name for name in (*told["keys"], *told["check_keys"]) if not name.startswith("team/creators/")] == []
    assert {"team/creators/gumroad/sales", "team/creators/sales_events/gumroad"} == {
        name.partition(":")[0] for name in told["checks"]
    }
    assert told["partitions"] == [
        f"team_creators_{name}" for name in ("gumroad_profiles", "kdp_uploads", "whop_profiles")
    ]
    assert (told["told"], told["theirs"], told["tag"]) == (["gumroad"], [], "team/creators")
    assert told["platform"] == "kdp"
    events = sales_events.c
    with gumroad_warehouse.read() as connection:
        asked = select(func.count()).where(events.event_type == "sale", events.occurred_on == today())
        stored = connection.execute(asked).scalar_one()
    assert stored == gumroad_sandbox.world.gumroad.totals("alice")[today()].sales > 0
