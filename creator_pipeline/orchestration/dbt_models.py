"""The dbt models as assets ``dbt/MODEL`` below the ledger, where ``DBT_TARGET`` and the extra ``dbt`` are there."""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import make_url

from creator_pipeline import settings
from creator_pipeline.core.declared import Place
from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.datasets.declared import DAILY_REVENUE, DATASETS, LEDGER
from creator_pipeline.orchestration import export
from creator_pipeline.runtime.describe import OWNERS
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.links import code, see
from creator_pipeline.runtime.stream_assets import NIGHTLY
from creator_pipeline.runtime.tags import run_tags
from creator_pipeline.settings import Settings

_LOG = logging.getLogger(__name__)
GROUP = "dbt"
PARTIAL_PARSE = "partial_parse.msgpack"
"""What dbt goes on with, so that it doesn't parse the project again."""
ELSEWHERE = "dbt"
"""What PATH finds, where no executable is beside this Python: it may be of another version than the library here."""
FILES = "export_files"
"""The dbt source of the exported files; any other is the warehouse."""
_READ_BY = {
    "revenue": "ledger",
    "sales_events": "ledger",
    "daily_revenue_amounts": "daily_revenue",
    "payout_amounts": "payouts",
    "products": "products_sold",
}
"""View or table of the warehouse to the dataset that has the same rows, where it is called otherwise."""


def installed() -> bool:
    """Whether the extra ``dbt`` is there."""
    return find_spec("dagster_dbt") is not None


def project() -> Path:
    """The dbt project: that of the package, else of the checkout."""
    package = Path(settings.__file__).parent
    places = (package / "dbt_project", package.parent / "dbt")
    return next((place for place in places if (place / "dbt_project.yml").is_file()), places[0])


def assets() -> list[dg.AssetsDefinition]:
    """The models; none while they are off. What keeps them from loading is logged, and keeps nothing else."""
    config = settings.load()
    if config.dbt_target is None:
        return []
    if not installed():
        _LOG.error("DBT_TARGET is set, and the extra dbt is not installed: pip install 'creator-pipeline[dbt]'")
        return []
    try:
        return [_models(config, config.dbt_target)]
    except Exception:  # noqa: BLE001 - whatever dbt raises, the ledger's own assets must load
        _LOG.exception("The dbt models can't be read: see docs/dbt.md.")
        return []


def sensors(models: list[dg.AssetsDefinition]) -> list[dg.SensorDefinition]:
    """What asks for the models when their condition holds; it is on where they are."""
    if not models:
        return []
    return [
        dg.AutomationConditionSensorDefinition(
            "dbt_models",
            target=dg.AssetSelection.assets(*models),
            default_status=dg.DefaultSensorStatus.RUNNING,
            run_tags=run_tags("dbt"),
            description="Builds the dbt models after what they read has changed, at most once an hour.",
        )
    ]


def condition() -> dg.AutomationCondition[dg.AssetKey]:
    """What a model reads has changed and is written by no run, and the hour has passed.

    A partition that was never read is no reason to wait: a seller who joined later has them for ever. Of the ledger's
    days and profiles, a million of them, the roll-up tells that some changed.
    """
    changed = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
    changed = changed.ignore(dg.AssetSelection.assets(*export.follows(LEDGER)))
    hour = dg.AutomationCondition.cron_tick_passed("20 * * * *").since(dg.AutomationCondition.newly_requested())
    return (changed & hour).with_label("changed, at most hourly")


def upstream(source: str, table: str) -> list[dg.AssetKey]:
    """The pipeline's assets that a source of the project is made of.

    Args:
        source: of the dbt project.
        table: of it.
    """
    name = table if source == FILES else _READ_BY.get(table, table)
    dataset = next(one for one in DATASETS if one.name == name)
    if source == FILES:
        return [export.key_of(dataset)]
    return [*export.follows(dataset), *(export.follows(DAILY_REVENUE) if dataset is LEDGER else [])]


def environment(config: Settings) -> dict[str, str]:
    """What dbt reads for its target.

    Args:
        config: of this moment.

    Raises:
        ConfigError: a variable that the target needs is not set.
    """
    if config.dbt_target == "duckdb":
        url = config.require("EXPORT_URL")
        path = config.dbt_duckdb_path or str(config.home / "models.duckdb")
        # dbt works in another folder.
        here = url if "://" in url else str(Path(url).absolute())
        return {"EXPORT_URL": here.removeprefix("file://"), "DBT_DUCKDB_PATH": str(Path(path).absolute())}
    url = make_url(config.require("DBT_DATABASE_URL"))
    parts = {
        "PGHOST": url.host,
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        **{f"PG{name.upper()}": str(value) for name, value in url.query.items()},
    }
    return {name: value for name, value in parts.items() if value}


@contextmanager
def _set(variables: Mapping[str, str]) -> Generator[None]:
    """dbt's command inherits the environment, and its library reads it in this process."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _executable() -> str:
    beside = Path(sys.executable).with_name("dbt")
    return str(beside) if beside.is_file() else ELSEWHERE


def _manifest(config: Settings, target: str) -> Path:
    """What dbt made of the project; made once for each state of it, which takes seconds.

    Args:
        config: of this moment.
        target: of the profile.

    Raises:
        DataError: dbt can't read the project.
    """
    digest = hashlib.sha256(f"{target} {version('dbt-core')}".encode())
    for path in sorted(project().rglob("*")):
        if path.suffix in {".sql", ".yml"}:
            digest.update(path.name.encode() + path.read_bytes())
    kept = config.home / "dbt" / digest.hexdigest()[:16]
    if not (kept / "manifest.json").is_file():
        kept.mkdir(parents=True, exist_ok=True)
        fresh, known = kept.with_name(f"{kept.name}.{os.getpid()}"), dict(os.environ)
        where = ["--project-dir", str(project()), "--profiles-dir", str(project()), "--log-path", str(fresh)]
        asked = [_executable(), "--no-use-colors", "parse", "--target", target, "--target-path", str(fresh), *where]
        # A run goes on with what was parsed only where its profile is the same.
        with suppress(ConfigError):
            known.update(environment(config))
        done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=config.home, env=known)  # noqa: S603 - our own words
        if done.returncode:
            raise DataError(f"dbt can't read the models: {done.stdout[-2000:]}", hint="See docs/dbt.md.")
        # Another process may do the same at this moment.
        for name in (PARTIAL_PARSE, "manifest.json"):
            (fresh / name).replace(kept / name)
        shutil.rmtree(fresh, ignore_errors=True)
    return kept / "manifest.json"


def _models(config: Settings, target: str) -> dg.AssetsDefinition:
    from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets
    from dagster_dbt.compat import DBT_PYTHON_VERSION

    there = project()

    class Translator(DagsterDbtTranslator):
        """Keys, owners and upstream assets as the rest of the pipeline has them."""

        def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
            name = dbt_resource_props["name"]
            source = dbt_resource_props.get("source_name")
            return asset_key(GROUP, name) if source is None else asset_key(GROUP, "source", source, name)

        def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:  # noqa: ARG002 - dagster-dbt's
            return GROUP

        def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
            spec = super().get_asset_spec(manifest, unique_id, project)
            if not unique_id.startswith("model."):
                return spec
            sources = {
                self.get_asset_key(one): upstream(one["source_name"], one["name"])
                for one in manifest["sources"].values()
            }
            found = dict.fromkeys(key for dep in spec.deps for key in sources.get(dep.asset_key, [dep.asset_key]))
            model = Place(str(there / manifest["nodes"][unique_id]["original_file_path"]), 1)
            return spec.replace_attributes(
                deps=list(found),
                owners=OWNERS,
                automation_condition=condition(),
                freshness_policy=NIGHTLY,
                description=f"{spec.description}{see('dbt.md')}",
                metadata={**spec.metadata, **code(model)},
            )

    manifest = _manifest(config, target)

    @dbt_assets(manifest=manifest, dagster_dbt_translator=Translator(), name="build_dbt_models")
    def build(context: dg.AssetExecutionContext) -> Iterator[Any]:
        """Build and test the models that are asked for.

        Raises:
            ConfigError: a variable that the target needs is not set.
        """
        now = settings.load()
        folder = now.home / "dbt" / "runs" / context.run.run_id[:8]
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            # Half of a run's processor time: dbt would parse the project again.
            shutil.copy(manifest.with_name(PARTIAL_PARSE), folder)
        # A test of two models, of which one isn't built here, is none of this run; it may never have been built.
        with _set({**environment(now), "DBT_INDIRECT_SELECTION": "buildable"}):
            there, executable = str(project()), _executable()
            dbt = DbtCliResource(project_dir=there, profiles_dir=there, target=target, dbt_executable=executable)
            if executable != ELSEWHERE:
                # It would start dbt once more to ask for it: more than a second of processor.
                vars(dbt)["_cli_version"] = DBT_PYTHON_VERSION
            yield from dbt.cli(["build"], context=context, target_path=folder).stream()
        # What failed is looked up there; what went well is in Dagster.
        shutil.rmtree(folder, ignore_errors=True)

    return build
