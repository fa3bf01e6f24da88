"""The assets ``dbt/MODEL``: off by default, below the ledger, and never what keeps the ledger from loading."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.export import run
from creator_pipeline.monitoring.installation_checks import flags
from creator_pipeline.orchestration import dbt_models
from creator_pipeline.orchestration.export import export_asset
from creator_pipeline.platforms import sources
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.engine import Warehouse

LEDGER = {"fct_ledger", "revenue_daily", "refund_rate", "dim_products", "dim_works"}
LEDGER_ASSETS = {f"sales_events/{one.provider}" for one in sources()}
needs_dbt = pytest.mark.skipif(
    not dbt_models.installed(), reason="dbt is not installed: the extra dbt has none for this Python"
)


@pytest.fixture(scope="module")
def dbt_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the project is parsed."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def models(dbt_home: Path) -> Iterator[dg.AssetsDefinition]:
    """The models on DuckDB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET", "duckdb")
        patch.setenv("DAGSTER_HOME", str(dbt_home))
        patch.setenv("EXPORT_URL", "export")
        (made,) = dbt_models.assets()
        yield made


class Hours:
    """The sensor's evaluations, at moments of one day."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._defs, self._instance, self._cursor = defs, instance, None

    def asked(self, hour: int, minute: int) -> set[str]:
        """The models that are asked for at a moment."""
        moment = datetime(2026, 3, 1, hour, minute, tzinfo=UTC)
        told = dg.evaluate_automation_conditions(
            self._defs, self._instance, evaluation_time=moment, cursor=self._cursor
        )
        self._cursor = told.cursor
        return {key.path[-1] for key in self._defs.resolve_all_asset_keys() if told.get_requested_partitions(key)}


def stand_in(key: dg.AssetKey) -> dg.AssetsDefinition:
    """An asset of the pipeline; the ledger's have days."""
    days = dg.DailyPartitionsDefinition("2026-01-01") if key.path[0] == "sales_events" else None

    @dg.asset(key=key, partitions_def=days)
    def made() -> None:
        """Nothing."""

    return made


def line() -> tuple[str, str] | None:
    """State and hint of the doctor's line."""
    return next(((one.state, one.hint) for one in flags(settings.load()) if one.name == "flag DBT_TARGET"), None)


def test_they_are_off_until_a_target_is_named() -> None:
    """Guards: an installation without dbt that was slower to load, or asked for it."""
    assert dbt_models.assets() == []
    assert dbt_models.sensors([]) == []
    assert line() is None


def test_what_keeps_the_models_from_loading_keeps_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Guards: sales that were not read for a night, because an analyst's extra was gone with an upgrade."""
    monkeypatch.setenv("DBT_TARGET", "postgres")
    monkeypatch.setattr(dbt_models, "find_spec", lambda _: None)
    assert dbt_models.assets() == []
    assert "creator-pipeline[dbt]" in caplog.text
    monkeypatch.setattr(dbt_models, "find_spec", lambda name: name)

    def gone(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(dbt_models, "version", gone)
    assert dbt_models.assets() == []
    assert "The dbt models can't be read" in caplog.text


def test_sources_of_the_warehouse_are_the_pipelines_own_assets() -> None:
    """Guards: a lineage that ended at a view nobody writes."""
    declared = yaml.safe_load((dbt_models.project() / "models" / "staging" / "sources.yml").read_text(encoding="utf-8"))
    found = {
        (source["name"], table["name"]): {
            key.to_user_string() for key in dbt_models.upstream(source["name"], table["name"])
        }
        for source in declared["sources"]
        for table in source["tables"]
    }
    assert found["warehouse", "revenue"] == LEDGER_ASSETS | {"daily_revenue"}
    assert found["warehouse", "products"] == {"products"}
    assert found["warehouse", "subscriptions_daily"] == {"subscriptions_daily"}
    assert found["export_files", "subscriptions_daily"] == {"export/subscriptions_daily"}
    assert all(found.values())


@needs_dbt
def test_models_stand_below_the_export_with_owner_and_condition(models: dg.AssetsDefinition) -> None:
    """Guards: models without an owner, or that nobody ever asks for."""
    specs = {spec.key.path[-1]: spec for spec in models.specs}
    above = {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in specs.items()}
    assert above["fct_ledger"] == {"export/ledger"}
    assert above["dim_products"] == {"dbt/fct_ledger", "export/products_sold"}
    assert above["payout_reconciliation"] == {"dbt/fct_payouts", "export/payout_lines", "export/unexplained"}
    assert {(spec.group_name, *spec.owners, len(spec.key.path)) for spec in specs.values()} == {("dbt", "team:data", 2)}
    assert all(spec.automation_condition and spec.description for spec in specs.values())
    tested = {key.asset_key.path[-1] for key in models.check_keys}
    assert tested == specs.keys()
    (sensor,) = dbt_models.sensors([models])
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


@needs_dbt
def test_a_change_of_the_ledger_builds_what_is_below_it_once_an_hour(
    models: dg.AssetsDefinition, instance: dg.DagsterInstance
) -> None:
    """Guards: models of last month's sales, and a build for each of a thousand webhooks."""
    hours = Hours(dg.Definitions([models, export_asset()], resources={"warehouse": WarehouseResource()}), instance)
    changed = dg.AssetMaterialization(["export", "ledger"])
    assert hours.asked(10, 0) == set()
    instance.report_runless_asset_event(changed)
    assert hours.asked(10, 5) == set()
    assert hours.asked(10, 21) == LEDGER
    assert hours.asked(10, 22) == set()
    instance.report_runless_asset_event(changed)
    assert hours.asked(10, 30) == set()
    assert hours.asked(11, 21) == LEDGER
    assert hours.asked(12, 21) == set()


def test_the_roll_up_tells_of_the_ledgers_changes(instance: dg.DagsterInstance) -> None:
    """Guards: a million partitions looked at each half minute; a seller without sales for whom the models waited."""
    above = dbt_models.upstream("warehouse", "revenue")
    model = dg.AssetSpec("model", deps=above, automation_condition=dbt_models.condition())
    hours = Hours(
        dg.Definitions([dg.multi_asset(name="build", specs=[model])(lambda: None), *map(stand_in, above)]), instance
    )
    assert hours.asked(10, 0) == set()
    instance.report_runless_asset_event(dg.AssetMaterialization(["sales_events", "gumroad"], partition="2026-02-28"))
    assert hours.asked(10, 21) == set()
    instance.report_runless_asset_event(dg.AssetMaterialization("daily_revenue"))
    assert hours.asked(11, 21) == {"model"}


@needs_dbt
# dagster-dbt's own, gone with its next pin.
@pytest.mark.filterwarnings("ignore:AssetExecutionContext.op is deprecated")
def test_a_run_builds_the_model_that_is_asked_for(
    models: dg.AssetsDefinition,
    sqlite_warehouse: Warehouse,
    instance: dg.DagsterInstance,
    dbt_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Guards: a green box whose table had never been written, and an empty ledger that dbt can't read."""
    monkeypatch.setenv("DBT_TARGET", "duckdb")
    monkeypatch.setenv("DAGSTER_HOME", str(dbt_home))
    missing = dg.materialize([models], instance=instance, selection="dbt/fct_payouts", raise_on_error=False)
    (failed,) = missing.get_step_failure_events()
    assert "EXPORT_URL is not set" in failed.step_failure_data.error_display_string
    state, hint = line() or ("", "")
    assert (state, hint.split(":")[0]) == ("no", "EXPORT_URL")
    monkeypatch.setenv("EXPORT_URL", "export")
    assert line() == ("ok", "")
    run.export(sqlite_warehouse, "export")
    asked = "dagster_dbt.core.resource.check_output"
    monkeypatch.setattr(asked, lambda words: pytest.fail(f"another process, to ask for dbt's version: {words}"))
    done = dg.materialize([models], instance=instance, selection="dbt/fct_payouts")
    assert [event.asset_key.path[-1] for event in done.get_asset_materialization_events()] == ["fct_payouts"]
    assert {one.passed for one in done.get_asset_check_evaluations()} == {True}
    # The project is parsed once: that is half of a run's processor time.
    said = "".join(capfd.readouterr())
    assert "Finished running" in said
    assert "partial parsing" not in said
    with duckdb.connect(str(settings.load().home / "models.duckdb"), read_only=True) as opened:
        assert opened.execute("select count(*) from analytics.fct_payouts").fetchall() == [(0,)]


def test_dbt_is_told_where_by_its_own_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Guards: a password with an @ that named another host, and a folder beside the project instead of beside us."""
    monkeypatch.setenv("DBT_TARGET", "postgres")
    with pytest.raises(ConfigError, match=r"DBT_DATABASE_URL.*pipeline_reader"):
        dbt_models.environment(settings.load())
    monkeypatch.setenv("DBT_DATABASE_URL", "postgresql://reader:p%40ss@db.example.com/warehouse?sslmode=verify-full")
    assert dbt_models.environment(settings.load()) == {
        "PGHOST": "db.example.com",
        "PGPORT": "5432",
        "PGUSER": "reader",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "warehouse",
        "PGSSLMODE": "verify-full",
    }
    monkeypatch.setenv("DBT_TARGET", "duckdb")
    monkeypatch.setenv("EXPORT_URL", "files")
    assert dbt_models.environment(settings.load()) == {
        "EXPORT_URL": str(tmp_path / "files"),
        "DBT_DUCKDB_PATH": str(tmp_path / "home" / "models.duckdb"),
    }
    monkeypatch.setenv("EXPORT_URL", "s3://bucket/folder")
    assert dbt_models.environment(settings.load())["EXPORT_URL"] == "s3://bucket/folder"
