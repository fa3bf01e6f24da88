"""``creator-pipeline demo``: everything, on this machine, with invented data."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import httpx

from creator_pipeline import settings
from creator_pipeline.commands.processes import Processes, free_port

if TYPE_CHECKING:
    from creator_pipeline.sandbox.kdp import InventedReport

DAYS = 130
"""Days that are loaded: the whole invented world, and some empty ones before it."""
REPORT_OF = "alice"
REPORT_SECONDS = 60
"""How long the daemon may take for the report; its sensor looks every five seconds."""
_WORKSPACE = """load_from:
  - python_module:
      module_name: creator_pipeline.definitions
      location_name: creator_pipeline
"""


@click.command("demo")
@click.option("--exit", "exit_at_end", is_flag=True, help="End when all is loaded: 0 when every figure agrees, else 1.")
def command(*, exit_at_end: bool) -> None:
    """Start stand-ins of the platforms and Dagster, load three invented profiles, compare, and stay for a look."""
    home = _fresh_home()
    # SIGINT too: Dagster gives SIGTERM the handler of SIGINT, which a shell's background job has set to ignore.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    with Processes(home / "logs") as processes, contextlib.suppress(KeyboardInterrupt):
        agrees = _play(processes)
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
    if Path("dagster.yaml").is_file():
        shutil.copy("dagster.yaml", home)
    # Only what the demo itself sets: a key or a database of the person's own must not be touched.
    for name in settings.Settings.model_fields:
        os.environ[name.upper()] = ""
    os.environ["DAGSTER_HOME"] = str(home)
    (home / "workspace.yaml").write_text(_WORKSPACE, encoding="utf-8")
    # Dagster's processes let a .env of their working directory win over the environment: there is none here.
    os.chdir(home)
    return home


def _play(processes: Processes) -> bool:
    python = sys.executable
    sandbox_port, ui_port = free_port(8099), free_port(3000)
    sandbox, ui = f"http://127.0.0.1:{sandbox_port}", f"http://127.0.0.1:{ui_port}"
    os.environ |= {
        "GUMROAD_API_URL": sandbox,
        # The stand-in has no limit of its own, and nobody wants to watch a pace.
        "GUMROAD_REQUESTS_PER_MINUTE": "60000",
    }
    settings.ensure_home()
    processes.start("sandbox", [python, "-m", "creator_pipeline.sandbox", "--port", str(sandbox_port)])
    processes.start("dagster", [python, "-m", "dagster", "dev", "-w", "workspace.yaml", "-p", str(ui_port)])
    click.echo("Starting stand-ins of the platforms, and Dagster …")
    processes.wait_for("sandbox", f"{sandbox}/_sandbox/world", 60)
    world = httpx.get(f"{sandbox}/_sandbox/world").json()
    failures = _load(world)
    processes.wait_for("dagster", f"{ui}/server_info", 180)
    report = _drop_report(date.fromisoformat(world["today"]))
    agrees = _show(sandbox, world) and not failures
    agrees = _show_report(report) and agrees
    click.echo(f"\nDagster:  {ui}/asset-groups\nSandbox:  {sandbox}/\nTables:   {settings.load().warehouse_url}")
    click.echo(
        "Every figure agrees with the platforms' own totals." if agrees else "Not every figure agrees: see above."
    )
    return agrees


def _load(world: dict[str, Any]) -> list[str]:
    """Connect each profile and backfill it, as the commands ``profiles add`` and ``backfill`` do."""
    from creator_pipeline.automation import backfill
    from creator_pipeline.commands.context import instance, key_ring, warehouse
    from creator_pipeline.core.windows import DayWindow
    from creator_pipeline.store import profiles

    house, ring, failures = warehouse(), key_ring(), list[str]()
    last = date.fromisoformat(world["today"])
    window = DayWindow(last - timedelta(days=DAYS - 1), last + timedelta(days=1))
    with instance() as dagster:
        for profile_id, seller in world["gumroad"].items():
            with house.write() as connection:
                profiles.add_profile(connection, profile_id, seller["email"], timezone=seller["timezone"])
                profiles.connect(connection, ring, "gumroad", profile_id, seller["token"])
            dagster.add_dynamic_partitions(backfill.DYNAMIC["gumroad"], [profile_id])
            failures += backfill.snapshot(dagster, "gumroad", profile_id)
            todo = backfill.plan(house, dagster, "gumroad", profile_id, window)
            with click.progressbar(length=len(todo.days), label=f"{profile_id:8}", file=sys.stderr) as bar:
                failures += backfill.execute(house, dagster, todo, allow_shrink=False, on_progress=bar.update)
    for line in failures:
        click.echo(line, err=True)
    return failures


def _show(sandbox: str, world: dict[str, Any]) -> bool:
    from creator_pipeline.commands.context import warehouse
    from creator_pipeline.sandbox.compare import DayFigures, differences, ledger_days

    house, wrong = warehouse(), 0
    click.echo(f"\n{'profile':9}{'days':>6}{'sales':>7}{'gross':>12}{'refunded':>11}{'fees':>10}  against the platform")
    for profile_id in world["gumroad"]:
        totals = httpx.get(f"{sandbox}/_sandbox/totals/{profile_id}").json()
        truth = {date.fromisoformat(day): tuple(figures.values()) for day, figures in totals.items()}
        off = differences(house, profile_id, truth)
        days = ledger_days(house, profile_id)
        total = DayFigures(*(sum(column) for column in zip(*days.values(), strict=True))) if days else DayFigures()
        click.echo(
            f"{profile_id:9}{len(days):6}{total.sales:7}{total.gross_cents / 100:12.2f}"
            f"{total.refunded_cents / 100:11.2f}{total.fee_cents / 100:10.2f}  "
            + ("equal on every day, to the cent" if not off else f"{len(off)} days differ")
        )
        for day, here, there in off[:5]:
            click.echo(f"    {day}: ledger {here}, platform {there}", err=True)
        wrong += len(off)
    return not wrong


def _drop_report(today: date) -> InventedReport:
    """Put a report into the inbox, as an upload does: written beside it, then renamed in."""
    from creator_pipeline.sandbox.kdp import prior_month

    report, inbox = prior_month(7, today), Path(settings.load().inbox)
    folder = inbox / REPORT_OF
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{report.name}.part"
    part.write_bytes(report.content)
    part.rename(folder / report.name)
    return report


def _show_report(report: InventedReport) -> bool:
    """Wait until the daemon has taken the report, and compare the ledger with it."""
    from creator_pipeline.commands.context import warehouse
    from creator_pipeline.core.money import to_text
    from creator_pipeline.sandbox.kdp import ledger_figures

    house, deadline = warehouse(), time.monotonic() + REPORT_SECONDS
    while (here := ledger_figures(house, REPORT_OF, report.month)) != report.totals and time.monotonic() < deadline:
        time.sleep(0.5)
    click.echo(
        f"\n{'profile':9}{'month':9}{'units':>7}{'KENP pages':>12}  Amazon KDP, from the inbox, against the report"
    )
    for currency, micros in sorted(here.micros.items()) or [("", 0)]:
        equal = report.totals.micros.get(currency) == micros and here[:2] == report.totals[:2]
        click.echo(
            f"{REPORT_OF:9}{report.month:%Y-%m}  {here.units:7}{here.pages:12}"
            f"{to_text(micros, currency):>12} {currency:3}  {'equal to the report' if equal else 'differs'}"
        )
    return here == report.totals


def _wait(processes: Processes) -> None:
    parent = os.getppid()
    # A parent that was killed can't tell: its children are handed to another process.
    while os.getppid() == parent:
        if ended := processes.ended():
            click.echo(f"{ended} ended by itself; its log: {processes.log_of(ended)}", err=True)
            raise click.exceptions.Exit(1)
        time.sleep(0.5)
