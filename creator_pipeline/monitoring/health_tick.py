"""One tick of ``pipeline_health``: every check, and what follows from it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.budget import Budget
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now, today
from creator_pipeline.monitoring import (
    alert_checks,
    dagster_checks,
    failed_partitions,
    gaps,
    health,
    heartbeat,
    lateness,
    mail_checks,
    platform_checks,
    queue_checks,
    run_queue_checks,
    told_together,
)
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected

ASKED_AGAIN = timedelta(minutes=5)
"""Least time between two daily checks that are asked again, because what they found is open."""
_SHOWN = 10


def tick(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult:
    """Run every check; tell of what is new, and of what is solved."""
    config, instance = settings.load(), context.instance
    checks = [
        *queue_checks.health_checks(warehouse, config, job_queue(warehouse), instance),
        Check("mail/", lambda: mail_checks.delivery(warehouse, config)),
        Check(told_together.CHANNEL, lambda: alert_checks.delivery(warehouse, config)),
        *platform_checks.health_checks(warehouse, config),
        *run_queue_checks.health_checks(instance),
        lateness.check(instance, warehouse, config),
        gaps.check(instance, warehouse),
    ]
    if (repository := context.repository_def) is not None:
        checks += dagster_checks.health_checks(instance, repository)
        checks.append(dagster_checks.never_on(instance, repository, warehouse))
        checks.append(failed_partitions.check(instance, repository, warehouse))
    daily = daily_checks(warehouse, config)
    due, cursor = next_daily(daily, context.cursor, _red(warehouse, daily))
    every = [*checks, *due, *_not_asked_any_more(warehouse, daily.values())]
    # Another one is the first each minute: one that takes long keeps no other from being run for ever.
    first = int(time.time() // 60) % len(every)
    changes = health.run([*every[first:], *every[:first]], warehouse, config, Budget())
    for problem in changes.new:
        context.log.warning("%s Hint: %s", problem.detail, problem.hint)
    for report_id in changes.solved:
        context.log.info("Solved: %s", report_id)
    heartbeat.send(config)
    text = f"{number(changes.open, 'problem is', 'problems are')} open." if changes.open else "All is well."
    if late := [row for row in health.open_problems(warehouse) if str(row["id"]).startswith(lateness.LATE)]:
        shown = ", ".join(f"{row['profile_id']} since {row['since']:%Y-%m-%d %H:%M}" for row in late[:_SHOWN])
        more = f" and {len(late) - _SHOWN} more" if len(late) > _SHOWN else ""
        text = f"{text} Not read in time: {shown}{more} (UTC)."
    return dg.SensorResult(skip_reason=text, cursor=cursor)


def daily_checks(warehouse: Warehouse, config: Settings) -> dict[str, Check]:
    """The checks that ask a platform once a day, by ``platform|profile``."""
    return {
        f"{platform.name}|{profile_id}": check
        for platform in PLATFORMS
        if platform.connects and platform.checks
        for profile_id in connected(warehouse, platform.in_ledger)
        if (check := platform.checks.get().daily(warehouse, config, profile_id)) is not None
    }


def next_daily(
    daily: Mapping[str, Check], cursor: str | None, red: Collection[str] = ()
) -> tuple[list[Check], str | None]:
    """The next daily check, one in a tick, because each takes several requests; and the cursor after it.

    Where none is due, one of those that found something is asked again, so that what is mended is over soon.

    Args:
        daily: of :func:`daily_checks`.
        cursor: ``day|platform|profile`` of the last one; ``day|profile`` of a release with one such platform. On a line
            of its own ``moment|platform|profile`` of the last one that was asked again.
        red: keys of ``daily`` whose findings are open.
    """
    regular, _, again = (cursor or "").partition("\n")
    day, _, last = regular.partition("|")
    if "|" not in last:
        last = f"{min(daily, default='').partition('|')[0]}|{last}"
    following = [key for key in sorted(daily) if day != today().isoformat() or key > last]
    if following:
        regular = f"{today().isoformat()}|{following[0]}"
        return [daily[following[0]]], f"{regular}\n{again}" if again else regular
    moment, _, asked = again.partition("|")
    waits = sorted(red, key=lambda key: (key <= asked, key))
    if not waits or (moment and now() < datetime.fromisoformat(moment) + ASKED_AGAIN):
        return [], cursor
    return [daily[waits[0]]], f"{regular}\n{now().isoformat()}|{waits[0]}"


def _red(warehouse: Warehouse, daily: Mapping[str, Check]) -> set[str]:
    """Daily checks with an open problem."""
    names = {str(row["id"]).removeprefix(health.FAILED_CHECK) for row in health.open_problems(warehouse)}
    return {key for key, check in daily.items() if check.name in names}


def _not_asked_any_more(warehouse: Warehouse, daily: Iterable[Check]) -> list[Check]:
    """Checks that find nothing, for what daily checks said of profiles that are not asked any more."""
    asked = {check.name for check in daily}
    prefixes = tuple(
        checks.daily_prefix for one in PLATFORMS if (checks := platform_checks.checks_of(one)).daily_prefix
    )
    names = {str(row["id"]).removeprefix(health.FAILED_CHECK) for row in health.open_problems(warehouse)}
    gone = [name for name in names if name.startswith(prefixes) and name not in asked]
    return [Check(name, list[Finding]) for name in gone]
