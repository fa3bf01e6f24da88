"""The night of the demo: what the schedules ask for, done at once; and the checks that are red after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import click
import httpx

from creator_pipeline import settings
from creator_pipeline.core.errors import TransientError
from creator_pipeline.core.text import number
from creator_pipeline.platforms import PLATFORMS

if TYPE_CHECKING:
    import dagster as dg

    from creator_pipeline.store.engine import Warehouse

SETTLE_SECONDS = 60
"""How long the runs that are at work may take before the checks are shown as they are."""
_SEEN = """{ instance { info }
    runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}) { ... on Runs { count } }
    assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
    name executionForLatestMaterialization { status evaluation { success description } } } } } } }"""


def play(defs: dg.Definitions) -> list[str]:
    """Do what a night asks for, so that every asset is read and every check has a result; returns what failed.

    Left out are the jobs that the demo's backfills are made of: they have run a moment before.
    """
    from creator_pipeline.runtime.context import instance
    from creator_pipeline.runtime.run_here import run_here
    from creator_pipeline.runtime.tags import run_tags

    failures = list[str]()
    with instance() as dagster:
        for job, asked in _asked(defs, dagster):
            tags, config = dict(asked.tags), dict(asked.run_config or {})
            failures += run_here(defs, dagster, job, tags, partition_key=asked.partition_key, run_config=config)
        failures += run_here(defs, dagster, "ledger", run_tags("nightly"))
    for line in failures:
        click.echo(line, err=True)
    return failures


def _asked(defs: dg.Definitions, dagster: dg.DagsterInstance) -> Iterator[tuple[str, dg.RunRequest]]:
    import dagster as dg

    from creator_pipeline.runtime.resources import WarehouseResource

    backfills = [parts.backfill for platform in PLATFORMS if (parts := platform.dagster.get()).backfill is not None]
    done = {job for backfill in backfills if backfill for job in (backfill.job, backfill.snapshot)}
    schedules = [one for one in cast("list[dg.ScheduleDefinition]", defs.schedules) if one.name.endswith("_nightly")]
    resources = {"warehouse": WarehouseResource()}
    repository, moment = defs.get_repository_def(), datetime.now(UTC)
    context = dg.build_schedule_context(dagster, moment, repository_def=repository, resources=resources)
    for schedule in sorted(schedules, key=_due):
        if schedule.job_name not in done:
            for request in schedule.evaluate_tick(context).run_requests or ():
                yield schedule.job_name, request


def _due(schedule: dg.ScheduleDefinition) -> tuple[int, int]:
    minute, hour, *_ = str(schedule.cron_schedule).split()
    return int(hour), int(minute)


def show_checks(warehouse: Warehouse, ui: str) -> bool:
    """Say which checks are red in the UI and what health found; whether there is nothing of it.

    Args:
        warehouse: holds what health found.
        ui: URL of Dagster's webserver.

    Raises:
        TransientError: another installation's webserver answers there.
    """
    from creator_pipeline.monitoring.health import open_problems

    answer = _settled(ui)
    seen = [
        (f"{'/'.join(node['assetKey']['path'])} {check['name']}", check["executionForLatestMaterialization"])
        for node in answer["assetNodes"]
        for check in node["assetChecksOrError"].get("checks", ())
    ]
    red = [f"{name}: {_why(ran)}" for name, ran in seen if ran is None or ran["status"] != "SUCCEEDED"]
    found = [f"health: {problem['text']}" for problem in open_problems(warehouse)]
    click.echo(f"\n{number(len(seen) - len(red), 'check')} of {len(seen)} hold.")
    for line in [*red, *found]:
        click.echo(f"    {line}", err=True)
    return not red and not found


def _settled(ui: str) -> dict[str, Any]:
    """What the UI shows once no run is at work. The daemon has runs of its own, for the upload and the sale.

    A run stores an asset first and then its checks; between the two, a check has no result.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        answer: Any = httpx.post(f"{ui}/graphql", json={"query": _SEEN}, timeout=60).json()["data"]
        if str(settings.load().home) not in answer["instance"]["info"]:
            raise TransientError(f"Another process has taken {ui}.", hint="Start the demo again: it takes a free port.")
        if not answer["runsOrError"]["count"] or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def _why(ran: dict[str, Any] | None) -> str:
    if ran is None:
        return "not evaluated"
    evaluation = ran["evaluation"] or {}
    return evaluation.get("description") or str(ran["status"]).lower().replace("_", " ")
