"""One tick of ``pipeline_health``: every look, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.caller import Caller
from creator_pipeline.core.errors import AuthError, TransientError
from creator_pipeline.core.windows import today
from creator_pipeline.monitoring import dagster_checks, health, warehouse_checks
from creator_pipeline.monitoring.health import Look, NotSeen, Problem
from creator_pipeline.platforms.gumroad.client import classify
from creator_pipeline.platforms.gumroad.ping_checks import hint_of, missing_pings
from creator_pipeline.platforms.gumroad.sync import PLATFORM
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.runtime.refused_tokens import note_refused_token
from creator_pipeline.runtime.resources import key_ring
from creator_pipeline.runtime.tags import PROFILE_TAG
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected, get_connection

_NOT_FINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUSPENDED,
    dg.DagsterRunStatus.CANCELING,
]


def tick(context: dg.SensorEvaluationContext, house: Warehouse) -> dg.SensorResult:
    """Look at everything; tell of what is new, and of what is solved."""
    config, instance = settings.load(), context.instance
    running = instance.get_runs(dg.RunsFilter(statuses=_NOT_FINISHED))
    at_work = {run.tags[PROFILE_TAG] for run in running if PROFILE_TAG in run.tags}
    looks = warehouse_checks.looks(house, config, job_queue(house), at_work)
    if context.repository_def is not None:
        looks += dagster_checks.looks(instance, context.repository_def, house)
    pinged = connected(house, PLATFORM) if config.enable_gumroad and config.gumroad_webhook_secret else []
    nightly, cursor = _next_pings(house, config, pinged, context.cursor)
    news = health.take([*looks, *nightly, *_not_asked_any_more(house, pinged)], house, config)
    for problem in news.new:
        context.log.warning("%s Hint: %s", problem.text, problem.hint)
    for report_id in news.solved:
        context.log.info("Solved: %s", report_id)
    text = f"{news.open} problems are open." if news.open else "All is well."
    return dg.SensorResult(skip_reason=text, cursor=cursor)


def _not_asked_any_more(house: Warehouse, pinged: list[str]) -> list[Look]:
    """What was said of the pings of profiles that are gone is over."""
    said = [str(row["id"]) for row in health.open_problems(house) if str(row["id"]).startswith("pings/")]
    return [Look(report_id, list[Problem]) for report_id in said if report_id.removeprefix("pings/") not in pinged]


def _next_pings(
    house: Warehouse, config: Settings, names: list[str], cursor: str | None
) -> tuple[list[Look], str | None]:
    """The look at one profile's pings: each profile once a day, one in a tick, because it takes eight requests.

    The cursor is ``day|profile``: the last one looked at.
    """
    day, _, last = (cursor or "").partition("|")
    following = [name for name in names if day != today().isoformat() or name > last]
    if not following:
        return [], cursor
    profile_id = following[0]
    look = Look(f"pings/{profile_id}", lambda: pings(house, config, profile_id))
    return [look], f"{today().isoformat()}|{profile_id}"


def pings(house: Warehouse, config: Settings, profile_id: str) -> Iterator[Problem]:
    """Events of a profile's account that Gumroad doesn't tell us of."""
    try:
        token = get_connection(house, key_ring(config), PLATFORM, profile_id).access_token
        with Caller(config.gumroad_api_url, token, classify) as caller:
            missing = missing_pings(caller, config, profile_id)
    except (AuthError, TransientError) as error:
        # A refused token is told as the connection's; an outage says nothing about pings.
        note_refused_token(house, PLATFORM, profile_id, error)
        raise NotSeen from error
    if missing:
        text = f"Gumroad sends no ping of {profile_id}'s account for {', '.join(missing)}."
        yield Problem(f"pings/{profile_id}", "The Gumroad pings", text, hint_of(PLATFORM, profile_id), profile_id)
