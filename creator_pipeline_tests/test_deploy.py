"""What deploy/ says is true of this release: versions, variables, commands, and one policy in every dagster.yaml."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import entry_points
from typing import Any

import pytest
import yaml

from creator_pipeline import __version__
from creator_pipeline_tests.support.commands import COMMANDS, VARIABLES
from creator_pipeline_tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
TEXTS = {path.relative_to(DEPLOY).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
# Read by others: Celery, uvicorn, PostgreSQL's image, pip and Python, glibc, and the files themselves.
FOREIGN = {
    *("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "FORWARDED_ALLOW_IPS", "DOMAIN", "GATEWAYS", "EXTRAS", "PATH"),
    *("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_CACHE_DIR"),
    *("PYTHONUNBUFFERED", "UI_DOMAIN", "UI_USER", "UI_PASSWORD_HASH", "WEBSERVER", "MALLOC_ARENA_MAX"),
}
FAMILY = dict(
    pin.split("==")
    for pin in (
        *PROJECT["dependencies"],
        *(one for extra in PROJECT["optional-dependencies"].values() for one in extra),
    )
    if pin.startswith("dagster")
)


def test_images_are_of_this_release_and_of_a_python_that_is_supported() -> None:
    """Guards: a cluster that goes on with the former image, and an image whose Python no wheel is made for."""
    tags = re.findall(r'(?:creator-pipeline:|tag: ")(\d[\w.]*)', "\n".join(TEXTS.values()))
    assert tags
    assert set(tags) == {__version__}
    pythons = set(re.findall(r"^FROM python:(\d+\.\d+)", TEXTS["Dockerfile"], flags=re.MULTILINE))
    assert len(pythons) == 1
    assert {f"Programming Language :: Python :: {each}" for each in pythons} <= set(PROJECT["classifiers"])


def test_the_family_is_of_one_release() -> None:
    """Guards: a launcher of another release than the daemon, which unpacks what the other has packed."""
    dagster = FAMILY["dagster"]
    library = f"0.{16 + int(dagster.split('.')[1])}.{dagster.split('.')[2]}"
    assert set(FAMILY.values()) == {dagster, library}
    assert set(re.findall(r"--version (\S+)|release (\d[\d.]+\d)", TEXTS["kubernetes/values.yaml"])) == {
        (dagster, ""),
        ("", dagster),
    }


@pytest.mark.parametrize("name", TEXTS)
def test_variables_exist(name: str) -> None:
    """Guards: a secret handed to every process under a name that nobody reads."""
    text = re.sub(r"^\s*#.*$", "", TEXTS[name], flags=re.MULTILINE)
    found = set(re.findall(r"(?<![\w.])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b(?=[=:?}, \]\n])", text))
    assert found <= VARIABLES | FOREIGN


@pytest.mark.parametrize("name", TEXTS)
def test_commands_can_be_given(name: str) -> None:
    """Guards: a unit that is restarted every two seconds because its command was renamed."""
    scripts = {point.name for point in entry_points(group="console_scripts")} | {"celery"}
    text = re.sub(r'[\[\],"]', " ", TEXTS[name])
    called = re.findall(
        r"(?:ExecStart(?:Pre)?=/opt/creator-pipeline/bin/|command:\s+|CMD\s+)([a-z][\w-]*)([^\n]*)", text
    )
    for command, words in called:
        if command == "creator-pipeline":
            given = words.split()
            if given == ["--help"]:
                continue
            options = {option for parameter in COMMANDS[(given[0],)].params for option in parameter.opts}
            assert {word for word in given if word.startswith("--")} <= options
        elif command not in {"postgres", "redis-server", "redis-cli", "pg_isready", "sleep"}:
            assert command in scripts


def test_every_dagster_yaml_has_the_same_policy() -> None:
    """Guards: one run for each profile at home, and two of them on the workers."""
    ours = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    docker, celery = (yaml.safe_load(TEXTS[f"{name}/dagster.yaml"]) for name in ("docker-runs", "celery"))
    own = ("run_launcher", "compute_logs")
    assert {key: value for key, value in docker.items() if key not in own} == ours
    assert celery["concurrency"]["pools"]["default_limit"] == celery["concurrency"]["runs"]["max_concurrent_runs"]
    for runs in (celery["concurrency"]["runs"], ours["concurrency"]["runs"]):
        # A slot is left for webhooks.
        assert runs["tag_concurrency_limits"].pop() == {
            "key": "creator_pipeline/can_wait",
            "limit": runs["max_concurrent_runs"] - 1,
        }
    celery["concurrency"]["runs"]["max_concurrent_runs"] = ours["concurrency"]["runs"]["max_concurrent_runs"]
    celery["concurrency"]["pools"]["default_limit"] = ours["concurrency"]["pools"]["default_limit"]
    for key in ("start_timeout_seconds", "poll_interval_seconds"):
        celery["run_monitoring"][key] = ours["run_monitoring"][key]
    assert {key: value for key, value in celery.items() if key not in own} == ours
    chart = yaml.safe_load(TEXTS["kubernetes/values.yaml"])
    limits = ours["concurrency"]["runs"]["tag_concurrency_limits"]
    runs = chart["concurrency"]["runs"]
    assert runs["tagConcurrencyLimits"].pop() == {
        "key": "creator_pipeline/can_wait",
        "limit": runs["maxConcurrentRuns"] - 1,
    }
    assert runs["tagConcurrencyLimits"] == limits
    assert chart["pythonLogs"]["dagsterHandlerConfig"] == ours["python_logs"]["dagster_handler_config"]
    daemon = chart["dagsterDaemon"]
    assert daemon["runCoordinator"]["config"]["customRunCoordinator"] == ours["run_coordinator"]
    assert (
        daemon["runMonitoring"]["freeSlotsAfterRunEndSeconds"]
        == ours["run_monitoring"]["free_slots_after_run_end_seconds"]
    )
    assert daemon["runRetries"] == {
        "enabled": True,
        "maxRetries": ours["run_retries"]["max_retries"],
        "retryOnAssetOrOpFailure": ours["run_retries"]["retry_on_asset_or_op_failure"],
    }


def test_the_code_location_has_one_name_everywhere() -> None:
    """Guards: a backfill that says COMPLETED while its runs find no such location."""
    names = [yaml.safe_load(TEXTS["workspace.yaml"])["load_from"][0]["grpc_server"]["location_name"]]
    chart = yaml.safe_load(TEXTS["kubernetes/values.yaml"])
    names += [server["name"] for server in chart["dagsterWebserver"]["workspace"]["servers"]]
    names += [chart["dagster-user-deployments"]["deployments"][0]["codeServerArgs"][-1]]
    home = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    assert set(names) == {home["load_from"][0]["python_module"]["location_name"]}
