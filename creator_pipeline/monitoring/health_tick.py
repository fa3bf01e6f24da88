"""One tick of ``pipeline_health``: every check, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.windows import today
from creator_pipeline.monitoring import (
    dagster_checks,
    failed_partitions,
    health,
    heartbeat,
    lateness,
    mail_checks,
    platform_checks,
    queue_checks,
    run_queue_checks,
)
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected

_SHOWN = 10


def tick(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult:
    """Run every check; tell of what is new, and of what is solved."""
    config, instance = settings.load(), context.instance
    checks = [
        *queue_checks.health_checks(warehouse, config, job_queue(warehouse)),
        Check("mail/", lambda: mail_checks.delivery(warehouse, config)),
        *platform_checks.health_checks(warehouse, config),
        *run_queue_checks.health_checks(instance),
        lateness.check(instance, warehouse, config),
    ]
    if (repository := context.repository_def) is not None:
        checks += dagster_checks.health_checks(instance, repository)
        checks.append(dagster_checks.never_on(instance, repository, warehouse))
        checks.append(failed_partitions.check(instance, repository, warehouse))
    daily = daily_checks(warehouse, config)
    due, cursor = next_daily(daily, context.cursor)
    changes = health.run([*checks, *due, *_not_asked_any_more(warehouse, daily.values())], warehouse, config)
    for problem in changes.new:
        context.log.warning("%s Hint: %s", problem.detail, problem.hint)
    for report_id in changes.solved:
        context.log.info("Solved: %s", report_id)
    heartbeat.send(config)
    text = f"{changes.open} problems are open." if changes.open else "All is well."
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


def next_daily(daily: Mapping[str, Check], cursor: str | None) -> tuple[list[Check], str | None]:
    """The next daily check, one in a tick, because each takes several requests; and the cursor after it.

    Args:
        daily: of :func:`daily_checks`.
        cursor: ``day|platform|profile`` of the last one; ``day|profile`` of a release with one such platform.
    """
    day, _, last = (cursor or "").partition("|")
    if "|" not in last:
        last = f"{min(daily, default='').partition('|')[0]}|{last}"
    following = [key for key in sorted(daily) if day != today().isoformat() or key > last]
    if not following:
        return [], cursor
    return [daily[following[0]]], f"{today().isoformat()}|{following[0]}"


def _not_asked_any_more(warehouse: Warehouse, daily: Iterable[Check]) -> list[Check]:
    """Checks that find nothing, for what daily checks said of profiles that are not asked any more."""
    asked = {check.name for check in daily}
    prefixes = tuple(
        checks.daily_prefix for one in PLATFORMS if (checks := platform_checks.checks_of(one)).daily_prefix
    )
    names = {str(row["id"]).removeprefix(health.FAILED_CHECK) for row in health.open_problems(warehouse)}
    gone = [name for name in names if name.startswith(prefixes) and name not in asked]
    return [Check(name, list[Finding]) for name in gone]
