"""What deploy/ says is true of this release: versions, variables, commands, and one policy in every dagster.yaml."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from creator_pipeline import __version__, settings
from creator_pipeline.gateway.app import create_app
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
    *(
        "PGPASSWORD",
        "ON_SERVER",
        "DEPLOYMENT",
        "PYTHONUNBUFFERED",
        "UI_DOMAIN",
        "UI_USER",
        "UI_PASSWORD_HASH",
        "WEBSERVER",
        "MALLOC_ARENA_MAX",
    ),
}
FAMILY = dict(
    pin.split(";")[0].split("==")
    for pin in (
        *PROJECT["dependencies"],
        *(one for extra in PROJECT["optional-dependencies"].values() for one in extra),
    )
    if pin.startswith("dagster")
)


def snake(values: dict[str, Any]) -> dict[str, Any]:
    """Values of the chart by the names that it renders them with into dagster.yaml."""
    return {
        re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key): snake(one) if isinstance(one, dict) else one
        for key, one in values.items()
    }


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


def test_the_image_gets_what_the_wheel_is_made_of() -> None:
    """Guards: an image that couldn't be built, for a folder that the wheel takes in and the build had not got."""
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = whole["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {word for line in re.findall(r"^COPY (.*)$", TEXTS["Dockerfile"], re.MULTILINE) for word in line.split()}
    assert {*wheel["packages"], *wheel["force-include"]} <= copied
    let_in = {line[1:] for line in TEXTS["Dockerfile.dockerignore"].splitlines() if line.startswith("!")}
    assert {*wheel["packages"], *wheel["force-include"]} <= let_in


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
        elif command not in {"postgres", "redis-server", "redis-cli", "pg_isready", "sleep", "python"}:
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


def test_the_chart_is_told_the_policy_of_dagster_yaml() -> None:
    """Incident: the chart's values were silent about sensors, and nobody had chosen a cluster's threads for them."""
    ours = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    chart = yaml.safe_load(TEXTS["kubernetes/values.yaml"])
    daemon, runs = chart["dagsterDaemon"], chart["concurrency"]["runs"]
    told = {
        "scheduler": {**ours["scheduler"], "config": snake(chart["scheduler"]["config"]["daemonScheduler"])},
        "run_coordinator": daemon["runCoordinator"]["config"]["customRunCoordinator"],
        "run_monitoring": snake(daemon["runMonitoring"]),
        "run_retries": snake(daemon["runRetries"]),
        "sensors": snake(daemon["sensors"]),
        "schedules": snake(daemon["schedules"]),
        "retention": snake(chart["retention"]),
        "python_logs": {"dagster_handler_config": chart["pythonLogs"]["dagsterHandlerConfig"]},
        "telemetry": chart["telemetry"],
        "concurrency": {
            "runs": {"tag_concurrency_limits": runs["tagConcurrencyLimits"]},
            "pools": {"granularity": chart["concurrency"]["pools"]["granularity"]},
        },
        **chart["additionalInstanceConfig"],
    }
    # The chart's own: PostgreSQL, a switch for each section, and how long a tick that has begun is kept.
    del ours["storage"]
    del told["retention"]["enabled"]
    assert told["retention"]["sensor"]["purge_after_days"].pop("started") == -1
    # A cluster is larger, and a pod's start takes longer. A slot is left for webhooks in both.
    assert told["run_monitoring"].pop("start_timeout_seconds") > ours["run_monitoring"].pop("start_timeout_seconds")
    most = [runs["maxConcurrentRuns"], ours["concurrency"]["runs"].pop("max_concurrent_runs")]
    pools = [chart["concurrency"]["pools"]["defaultLimit"], ours["concurrency"]["pools"].pop("default_limit")]
    waiting = [one["concurrency"]["runs"]["tag_concurrency_limits"].pop() for one in (told, ours)]
    assert pools == most
    assert waiting == [{"key": "creator_pipeline/can_wait", "limit": number - 1} for number in most]
    assert told == ours


def test_the_code_location_has_one_name_everywhere() -> None:
    """Guards: a backfill that says COMPLETED while its runs find no such location."""
    names = [yaml.safe_load(TEXTS["workspace.yaml"])["load_from"][0]["grpc_server"]["location_name"]]
    chart = yaml.safe_load(TEXTS["kubernetes/values.yaml"])
    names += [server["name"] for server in chart["dagsterWebserver"]["workspace"]["servers"]]
    names += [chart["dagster-user-deployments"]["deployments"][0]["codeServerArgs"][-1]]
    home = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    assert set(names) == {home["load_from"][0]["python_module"]["location_name"]}


def test_a_run_in_a_container_gets_every_setting_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a list of names that had stayed behind the settings: runs knew no KEEP_… and no EXPORT_URL; and one
    name of the list that wasn't set failed every launch."""
    made = dict[str, Any]()

    class DockerRunLauncher:
        def __init__(self, *, env_vars: list[str], **config: Any) -> None:
            made.update(config, env_vars=env_vars)

    module = ModuleType("dagster_docker")
    monkeypatch.setattr(module, "DockerRunLauncher", DockerRunLauncher, raising=False)
    monkeypatch.setitem(sys.modules, "dagster_docker", module)
    config = yaml.safe_load(TEXTS["docker-runs/dagster.yaml"])["run_launcher"]
    launcher = getattr(importlib.import_module(config["module"]), config["class"])
    monkeypatch.delitem(sys.modules, config["module"])
    assert {name for name in VARIABLES if name in os.environ} - {"DAGSTER_HOME"} <= set(settings.handed_on())
    monkeypatch.setattr(os, "environ", dict.fromkeys([*VARIABLES, "PGPASSWORD"], "x") | {"REDIS_URL": "", "OTHER": "x"})
    launcher(**config["config"])
    assert set(made["env_vars"]) == VARIABLES - {"DAGSTER_HOME", "REDIS_URL"} | {"PGPASSWORD"}
    monkeypatch.setattr(os, "environ", {})
    launcher(**config["config"])
    assert made["env_vars"] == []
    assert settings.handed_on(["NAME=value"]) == ["NAME=value"]


def test_no_password_stands_in_an_address() -> None:
    """Incident: a generated password with an @ and a slash, and no container that came up."""
    for name, text in TEXTS.items():
        assert not re.search(r"://[^\s@]*\$\{?POSTGRES_PASSWORD", text), name


def test_the_ingress_has_every_route_but_the_inner_ones() -> None:
    """Incident: a page of the gateway that was a 404 of the cluster's."""
    parts = list(yaml.safe_load_all(TEXTS["kubernetes/gateway.yaml"]))
    (rule,) = next(part for part in parts if part["kind"] == "Ingress")["spec"]["rules"]
    prefixes = [path["path"] for path in rule["http"]["paths"]]
    routes = {getattr(route, "path", "") for route in create_app(settings.load()).routes} - {"/metrics", "", "/"}
    assert {path for path in routes if not any(f"{path}/".startswith(f"{one}/") for one in prefixes)} == set()
    assert not any("/metrics/".startswith(f"{one}/") for one in prefixes)


def test_the_tables_are_migrated_before_anything_starts() -> None:
    """Guards: ten processes of a new release that all wait for the first one's migration."""
    compose = yaml.safe_load(TEXTS["compose.yaml"])["services"]
    waits = {name for name, one in compose.items() if "migrate" in one.get("depends_on", {})}
    assert waits == {"code", "webserver", "daemon", "gateway"}
    assert compose["migrate"]["command"] == ["creator-pipeline", "migrate"]
    (job,) = yaml.safe_load_all(TEXTS["kubernetes/migrate.yaml"])
    assert job["spec"]["template"]["spec"]["containers"][0]["command"] == ["creator-pipeline", "migrate"]
    assert (
        "ExecStartPre=/opt/creator-pipeline/bin/creator-pipeline migrate"
        in TEXTS["systemd/creator-pipeline-code.service"]
    )


def test_every_container_that_serves_is_asked_whether_it_does() -> None:
    """Guards: a daemon that hangs, and an orchestrator that calls it running."""
    compose = yaml.safe_load(TEXTS["compose.yaml"])["services"]
    assert {name for name, one in compose.items() if "healthcheck" not in one} == {"migrate", "proxy"}
    chart = yaml.safe_load(TEXTS["kubernetes/values.yaml"])
    assert chart["dagsterDaemon"]["livenessProbe"]["exec"]["command"] == ["dagster-daemon", "liveness-check"]
    assert chart["dagster-user-deployments"]["deployments"][0]["readinessProbe"]["enabled"]


UNITS = sorted(name for name in TEXTS if name.startswith("systemd/"))


@pytest.mark.parametrize("name", UNITS)
def test_units_write_only_where_they_may(name: str) -> None:
    """Incident: an inbox in /srv, and "Read-only file system" in every upload."""
    text = TEXTS[name]
    assert {"ProtectSystem=strict", "StateDirectory=creator-pipeline", "UMask=0027"} <= set(text.splitlines())
    assert ("ReadWritePaths=-/srv/creator-pipeline" in text.splitlines()) == ("webserver" not in name)
    assert "EnvironmentFile=/etc/creator-pipeline/environment" in text


def test_the_proxies_speak_the_caddy_of_distributions() -> None:
    """Incident: `unrecognized directive: basic_auth` of the Caddy 2.6 that Debian has."""
    for name in ("Caddyfile", "Caddyfile.ui"):
        lines = [line.strip() for line in TEXTS[name].splitlines()]
        assert not any(line.startswith("basic_auth") for line in lines), name


@pytest.mark.parametrize("where", ["systemd", "compose", "kubernetes"])
def test_one_command_runs_another_wherever_the_installation_is(tmp_path: Path, where: str) -> None:
    """Incident: `creator-pipeline doctor` as root, on a home and a warehouse of its own: everything was well there."""
    for tool in ("systemd-run", "docker", "kubectl"):
        (tmp_path / tool).write_text('#!/bin/sh\nprintf "%s\\n" "$(basename "$0")" "$@"\n', encoding="utf-8")
        (tmp_path / tool).chmod(0o755)
    done = subprocess.run(
        [DEPLOY / "on-server", "creator-pipeline", "profiles", "add", "two words"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "ON_SERVER": where},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    words = done.stdout.splitlines()
    assert words[0] == {"systemd": "systemd-run", "compose": "docker", "kubernetes": "kubectl"}[where]
    assert words[-4:] == ["creator-pipeline", "profiles", "add", "two words"]
    if where == "systemd":
        assert "EnvironmentFile=/etc/creator-pipeline/environment" in words
