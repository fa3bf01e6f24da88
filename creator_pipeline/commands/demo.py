"""``creator-pipeline demo``: everything, on this machine, with invented data."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from creator_pipeline import settings
from creator_pipeline.commands.processes import Processes, free_port
from creator_pipeline.runtime.home import dagster_yaml, ensure_home

if TYPE_CHECKING:
    from creator_pipeline.runtime.run_here import LoadDefinitions

_WORKSPACE = """load_from:
  - python_module:
      module_name: creator_pipeline.definitions
      location_name: creator_pipeline
"""


@click.command("demo")
@click.option(
    "--exit",
    "exit_at_end",
    is_flag=True,
    help="End when all is loaded: 0 when every figure agrees and every check holds, else 1.",
)
@click.option("--odd", is_flag=True, help="With fields and words that no platform documents: checks of them are red.")
@click.pass_obj
def command(load_definitions: LoadDefinitions, *, exit_at_end: bool, odd: bool) -> None:
    """Start stand-ins of the platforms and Dagster, load three invented profiles, compare, and stay until Ctrl-C."""
    home = _fresh_home()
    # SIGINT too: Dagster gives SIGTERM the handler of SIGINT, which a shell's background job has set to ignore.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    # Not DAGSTER_HOME/logs: Dagster sends every file in there to its makers and deletes it, telemetry off or not.
    with Processes(home / "process_logs") as processes, contextlib.suppress(KeyboardInterrupt):
        agrees = _play(processes, load_definitions, odd=odd)
        if exit_at_end:
            raise click.exceptions.Exit(0 if agrees else 1)
        click.echo("Ctrl-C ends it all.")
        _wait(processes)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fresh_home() -> Path:
    home = Path(".data/demo").absolute()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if source := dagster_yaml():
        shutil.copy(source, home)
    # Only what the demo itself sets: a key or a database of the person's own must not be touched.
    for name in settings.Settings.model_fields:
        os.environ[name.upper()] = ""
    os.environ["DAGSTER_HOME"] = str(home)
    (home / "workspace.yaml").write_text(_WORKSPACE, encoding="utf-8")
    # Dagster's processes let a .env of their working directory win over the environment: here it says the same.
    os.chdir(home)
    return home


def _play(processes: Processes, load_definitions: LoadDefinitions, *, odd: bool) -> bool:
    from creator_pipeline.commands import demo_books, demo_night
    from creator_pipeline.commands import demo_story as story

    python = sys.executable
    sandbox, ui, gateway = (f"http://127.0.0.1:{free_port(port)}" for port in (8099, 3000, 8088))
    variables = {"DAGSTER_HOME": str(Path.cwd())} | story.environment(sandbox, ui, gateway)
    os.environ |= variables
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")
    ensure_home()
    story.prepare()
    world = ["--port", _port(sandbox), "--seed", str(story.WORLD_SEED), "--days", str(story.WORLD_DAYS)]
    world += ["--odd"] if odd else []
    processes.start("sandbox", [python, "-m", "creator_pipeline", "sandbox", *world])
    processes.start("gateway", [python, "-m", "creator_pipeline", "gateway", "--port", _port(gateway)])
    processes.start("dagster", [python, "-m", "dagster", "dev", "-w", "workspace.yaml", "-p", _port(ui)])
    click.echo("Starting stand-ins of the platforms, the gateway, and Dagster …")
    processes.wait_for("sandbox", f"{sandbox}/_sandbox/world", 60)
    demo = story.begin(sandbox)
    defs = load_definitions()
    failures = story.load(demo, defs)
    processes.wait_for("gateway", f"{gateway}/healthz", 60)
    processes.wait_for("dagster", f"{ui}/server_info", 180)
    story.upload(demo)
    agrees = story.webhooks(demo) and not failures
    agrees = not demo_night.play(defs) and agrees
    agrees = story.compare(demo) and agrees
    demo_books.show(demo)
    well = demo_night.show_checks(demo.warehouse, ui) or odd
    click.echo(
        f"\nDagster:  {ui}/asset-groups\nGateway:  {gateway}/docs\nSandbox:  {sandbox}/\nMails:    {sandbox}/inbox\n"
        f"A page:   {story.page_of(demo)}\nCommands: cd {Path.cwd()} && creator-pipeline smoke --staging"
    )
    click.echo(f"Tables:   {settings.load().warehouse_url}")
    click.echo(
        "Every figure agrees with the platforms' own totals." if agrees else "Not every figure agrees: see above."
    )
    if not well:
        click.echo("Not every check holds: see above.")
    return agrees and well


def _port(url: str) -> str:
    return url.rpartition(":")[2]


def _wait(processes: Processes) -> None:
    parent = os.getppid()
    # A parent that was killed can't tell: its children are handed to another process.
    while os.getppid() == parent:
        if ended := processes.ended():
            click.echo(f"{ended} ended by itself; its log: {processes.log_of(ended)}", err=True)
            raise click.exceptions.Exit(1)
        time.sleep(0.5)
