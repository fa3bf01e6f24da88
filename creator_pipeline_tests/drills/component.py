"""The component in somebody's project: ``python -m creator_pipeline_tests.drills.component``. Needs the network.

An empty environment gets the wheel and Dagster's own tools. A new project gets the component by ``dg scaffold`` and the lines
of docs/component.md, an asset of its own beside it, and a second code location whose names are all taken by the first.
Exit 1 where a command of ``dg`` fails, a partition doesn't land as the sandbox has it, or one location hides the other's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text

from creator_pipeline.commands.processes import free_port
from creator_pipeline.core.windows import today
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer, World

TYPE = "creator_pipeline.dagster.CreatorLedgerComponent"
PREFIX = "creators"
DAYS = 20
OWN = '''import dagster as dg


@dg.asset(group_name="export", deps=[dg.AssetKey(["creators", "daily_revenue"])])
def products() -> None:
    """Somebody's own asset: its name and its group are taken in the pipeline."""
'''
OTHERS = """import dagster as dg


@dg.asset(key=["gumroad", "sales"])
def sales() -> None: ...


@dg.asset
def daily_revenue() -> None: ...


ledger = dg.define_asset_job("ledger", [daily_revenue])


@dg.schedule(job=ledger, cron_schedule="0 0 * * *")
def gumroad_nightly() -> dict: return {}


@dg.sensor(job=ledger)
def profiles() -> None: ...


defs = dg.Definitions([sales, daily_revenue], jobs=[ledger], schedules=[gumroad_nightly], sensors=[profiles])
"""
WORKSPACE = """load_from:
  - python_module: {{module_name: shop.definitions, location_name: shop}}
  - python_file: {{relative_path: others.py, location_name: others}}
"""
QUERY = """{ assetNodes { assetKey { path } repository { location { name } } hasMaterializePermission isExecutable }
  repositoriesOrError { ... on RepositoryConnection { nodes { location { name } schedules { name
    scheduleState { status } } sensors { name sensorState { status } } jobs { name } } } } }"""


def lines() -> str:
    """The YAML of docs/component.md."""
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "component.md").read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        raise SystemExit("docs/component.md has no YAML.")
    return found.group(1)


class Project:
    """An environment of its own, and a project in it."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder, self.bin = folder / "shop", folder / "venv" / "bin"
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "PIP_CONFIG_FILE") if name in os.environ}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**kept, "PATH": path, "VIRTUAL_ENV": str(folder / "venv"), "PYTHONWARNINGS": "ignore"}
        self.variables = variables

    def run(self, *words: str, folder: Path | None = None) -> str:
        """Run a command to its end; its output."""
        print("$", " ".join(words), flush=True)
        where, environment = folder or self.folder, self.environment | self.variables
        done = subprocess.run(
            words, cwd=where, env=environment, text=True, capture_output=True, timeout=900, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def make(self) -> None:
        """Install the wheel and Dagster's tools, and scaffold."""
        top, pip = self.folder.parent, (str(self.bin / "python"), "-m", "pip", "install", "--quiet")
        build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(top))
        subprocess.run([*build, str(ROOT)], check=True)
        subprocess.run([sys.executable, "-m", "venv", str(top / "venv")], check=True)
        locked = (ROOT / "requirements" / "main.txt").read_text(encoding="utf-8")
        pins = "\n".join(re.findall(r"^[\w.-]+==[^\\\n]+", locked, re.MULTILINE))
        (top / "pins.txt").write_text(pins, encoding="utf-8")
        version = re.search(r"^dagster==(\S+)", locked, re.MULTILINE)
        tools = [f"create-dagster=={version.group(1) if version else ''}", "hatchling", "editables"]
        wheel = next(top.glob("creator_pipeline-*.whl"))
        self.run(*pip, "-c", str(top / "pins.txt"), str(wheel), *tools, folder=top)
        self.run("create-dagster", "project", "shop", "--no-uv-sync", folder=top)
        self.run(*pip, "--no-deps", "--no-build-isolation", "-e", ".")
        self.run("dg", "scaffold", "defs", TYPE, PREFIX)
        (self.folder / "src" / "shop" / "defs" / PREFIX / "defs.yaml").write_text(lines(), encoding="utf-8")
        (self.folder / "src" / "shop" / "defs" / "own.py").write_text(OWN, encoding="utf-8")
        (self.folder / "others.py").write_text(OTHERS, encoding="utf-8")
        (self.folder / "workspace.yaml").write_text(WORKSPACE.format(), encoding="utf-8")
        told = "".join(f"{name}={value}\n" for name, value in self.variables.items())
        (self.folder / ".env").write_text(told, encoding="utf-8")

    def asked(self) -> dict[str, Any]:
        """What a webserver says of both code locations."""
        port = free_port(3000)
        words = ("dagster-webserver", "-w", "workspace.yaml", "-p", str(port))
        server = subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.environment | self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(240):
                try:
                    answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json={"query": QUERY}, timeout=60)
                    return answer.json()["data"]
                except httpx.TransportError:
                    time.sleep(0.5)
        finally:
            server.terminate()
            server.wait(60)
        raise SystemExit("The webserver did not come up.")


def play(folder: Path) -> list[str]:
    """The drill; returns what is wrong."""
    wrong, home = list[str](), folder / "home"
    home.mkdir()
    day = str(today() - timedelta(days=1))
    world = World.invented(7, today=today(), sizes={"alice": 400}, days=DAYS)
    with SandboxServer(world) as server:
        url = f"sqlite:///{folder / 'warehouse.sqlite'}"
        begin = str(today() - timedelta(days=DAYS))
        variables = {"DAGSTER_HOME": str(home), "DATABASE_URL": url, "ASSET_KEY_PREFIX": PREFIX}
        variables |= {"GUMROAD_API_URL": server.gumroad_url, "PIPELINE_START_DATE": begin}
        project = Project(folder, variables)
        project.make()
        if TYPE not in project.run("dg", "list", "components", "--json"):
            wrong.append("dg list components doesn't know the component.")
        project.run("dg", "check", "yaml")
        project.run("dg", "check", "defs")
        listed = json.loads(project.run("dg", "list", "defs", "--json"))
        keys = {one["asset_key"] for one in listed["assets"]}
        print(f"  {len(keys)} assets, {len(listed['jobs'])} jobs, {len(listed['asset_checks'])} checks")
        wrong += [f"{one} is not listed." for one in (f"{PREFIX}/gumroad/sales", "products") if one not in keys]
        others = {one for one in keys if not one.startswith(f"{PREFIX}/")} - {"products"}
        wrong += [f"{one} has no prefix." for one in sorted(others)]
        token = world.gumroad["alice"].token
        cli = ("creator-pipeline", "profiles", "add", "alice", "--email", "alice@example.com", "--gumroad-token", token)
        project.run(*cli, "--no-first-load")
        project.run("dg", "launch", "--assets", f"{PREFIX}/gumroad/products", "--partition", "alice")
        partition = ("--partition", f"{day}|alice")
        project.run("dg", "launch", "--assets", f"{PREFIX}/gumroad/sales,{PREFIX}/sales_events/gumroad", *partition)
        project.run("dg", "launch", "--job", "ledger")
        engine = create_engine(url)
        with engine.connect() as connection:
            asked = text(
                "SELECT count(*), sum(gross_micros) FROM sales_events "
                "WHERE event_type = 'sale' AND profile_id = 'alice' AND occurred_on = :day"
            )
            rows, gross = connection.execute(asked, {"day": day}).one()
        engine.dispose()
        told = world.gumroad.totals("alice")[date.fromisoformat(day)]
        print(
            f"  {rows} sales of {day} have landed, {gross} micros; the sandbox says {told.sales}, {told.gross_cents} cents"
        )
        # The totals count fewer sales than the list has, of the same money.
        if gross != told.gross_cents * 10_000 or not rows:
            wrong.append(f"{rows} sales of {day} have landed, {gross} micros, and the sandbox says {told}.")
        wrong += locations(project.asked())
    return wrong


def locations(told: dict[str, Any]) -> list[str]:
    """What is wrong with the two code locations side by side."""
    where: dict[str, set[str]] = {}
    for node in told["assetNodes"]:
        if node["isExecutable"]:
            where.setdefault("/".join(node["assetKey"]["path"]), set()).add(node["repository"]["location"]["name"])
    twice = [f"{key} is in {sorted(names)}." for key, names in where.items() if len(names) > 1]
    nodes = {node["location"]["name"]: node for node in told["repositoriesOrError"]["nodes"]}
    states = {
        name: {one["name"]: one for one in (*node["schedules"], *node["sensors"])} for name, node in nodes.items()
    }
    for name, node in nodes.items():
        print(f"  {name}: {len(node['jobs'])} jobs, {len(node['schedules'])} schedules, {len(node['sensors'])} sensors")
    on = [
        states["shop"]["gumroad_nightly"]["scheduleState"]["status"],
        states["shop"]["profiles"]["sensorState"]["status"],
    ]
    theirs = [
        states["others"]["gumroad_nightly"]["scheduleState"]["status"],
        states["others"]["profiles"]["sensorState"]["status"],
    ]
    if on != ["RUNNING"] * 2 or theirs != ["STOPPED"] * 2:
        twice.append(f"Schedules and sensors are {on} and {theirs}.")
    if where.get("gumroad/sales") != {"others"} or where.get(f"{PREFIX}/gumroad/sales") != {"shop"}:
        twice.append("A code location lacks its sales.")
    return twice


def main() -> int:
    """Play it; 1 where something is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        wrong = play(Path(folder))
    print("\n".join(wrong) or "The component works in a project of its own, and beside another.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
