"""What Dagster sees: everything loads, and says what it is."""

import subprocess
import sys

import dagster as dg
import pytest
import yaml

from creator_pipeline.definitions import defs
from creator_pipeline.queue import pace
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.paths import ROOT

YAML = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
GROUPS = {
    "gumroad/products": "gumroad",
    "gumroad/sales": "gumroad",
    "sales_events/gumroad": "ledger",
    "kdp/royalties": "kdp",
    "kdp/payments": "kdp",
    "sales_events/amazon_kdp": "ledger",
    "daily_revenue": "ledger",
}
PARTITIONS = {
    "gumroad/products": "gumroad_profiles",
    "gumroad/sales": {"date", "profile"},
    "sales_events/gumroad": {"date", "profile"},
    "kdp/royalties": "kdp_uploads",
    "kdp/payments": "kdp_uploads",
    "sales_events/amazon_kdp": "kdp_uploads",
    "daily_revenue": None,
}


HEAVY = (
    "alembic authlib cryptography css_inline fastapi httpx jinja2 matplotlib pandas psycopg2 pyarrow pycurl "
    "python_calamine redis resend tenacity"
)


def test_what_only_runs_need_is_not_loaded_with_the_definitions():
    """Guards: each run, tick and command paying for libraries of others: a second before the first request."""
    new = "set(sys.modules) - was"
    look = f"import sys, dagster; was = set(sys.modules); import creator_pipeline.definitions; print(*({new}))"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(HEAVY.split()) & set(done.stdout.split()) == set()


def test_everything_loads():
    """Guards: a code location that is red after a deployment."""
    dg.Definitions.validate_loadable(defs)


@pytest.mark.parametrize("name", GROUPS)
def test_the_contracts_assets_are_here(name):
    """Guards: a renamed asset, whose history and whose users' selections end."""
    spec = SPECS[name]
    assert spec.group_name == GROUPS[name]
    partitions = spec.partitions_def
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        assert set(partitions.partition_dimension_names) == PARTITIONS[name]
        profile = partitions.get_partitions_def_for_dimension("profile")
        assert (profile.name, partitions.get_partitions_def_for_dimension("date").end_offset) == ("gumroad_profiles", 1)
    else:
        assert getattr(partitions, "name", None) == PARTITIONS[name]


@pytest.mark.parametrize("name", sorted(name for name in SPECS if not name.startswith("external/")))
def test_every_asset_says_what_it_is(name):
    """Guards: a box in the UI that nobody can explain."""
    spec = SPECS[name]
    assert spec.description
    assert spec.owners
    assert spec.kinds
    assert spec.group_name in {"gumroad", "whop", "kdp", "ledger", "books", "export", "fx", "facts"}
    assert spec.freshness_policy
    schema = spec.metadata["dagster/column_schema"]
    assert schema.columns
    assert all(column.description for column in schema.columns)


def test_jobs_and_schedules_of_the_contract_are_here():
    """Guards: a job that somebody's script starts by name."""
    repository = defs.get_repository_def()
    assert {"gumroad_sync", "kdp_ingest", "ledger"} <= set(repository.job_names)
    assert {"gumroad_nightly", "gumroad_lookback"} <= {schedule.name for schedule in repository.schedule_defs}
    assert {"kdp_inbox", "profiles"} <= {sensor.name for sensor in repository.sensor_defs}


def test_range_runs_are_one_run():
    """Guards: 365 runs for a backfill of a year."""
    for assets in defs.assets:
        if isinstance(assets, dg.AssetsDefinition) and assets.partitions_def:
            assert assets.backfill_policy == dg.BackfillPolicy.single_run()


def test_the_pace_knows_how_many_runs_there_can_be():
    """Guards: processes that each take the whole budget of a token."""
    assert YAML["concurrency"]["runs"]["max_concurrent_runs"] == pace.PROCESSES


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
def test_one_file_configures_the_instance_on_each_database(storage, tmp_path, monkeypatch):
    """Guards: a key of dagster.yaml that is ignored, and a production that needs another file."""
    if storage == "postgresql":
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", servers.postgres().fresh_database())
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("gumroad_profiles", ["alice"])
        assert instance.get_dynamic_partitions("gumroad_profiles") == ["alice"]
        assert type(instance.run_storage).__name__.startswith("Sqlite" if storage == "sqlite" else "Postgres")
        assert type(instance.run_coordinator).__name__ == "Coordinator"
        assert type(instance.run_launcher).__name__ == "DefaultRunLauncher"
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.telemetry_enabled
        queue = instance.get_concurrency_config().run_queue_config
        assert queue.max_concurrent_runs == YAML["concurrency"]["runs"]["max_concurrent_runs"]
        assert next(limit["key"] for limit in queue.tag_concurrency_limits) == "creator_pipeline/account"
        assert instance.get_settings("retention")["sensor"]["purge_after_days"]["skipped"] == 2
