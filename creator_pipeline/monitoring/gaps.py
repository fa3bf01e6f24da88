"""Days that were never read although days before and after them were.

A night reads the last days only, so what stays behind it is read by nobody: days of a seller whom nothing read for
longer than that, of runs that a person canceled, of a storage that was restored from a backup.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta

import dagster as dg
from sqlalchemy import select

from creator_pipeline.core.checks import Check, Finding, NothingKnown
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import contiguous, now
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.runtime.tags import ACCOUNT_TAG
from creator_pipeline.store import health_reports
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections

GAPS = "gaps/"
"""Names of the findings begin with it."""
EVERY, WHILE_OPEN = timedelta(hours=1), timedelta(minutes=5)
"""Between two looks: each reads the days of every profile from Dagster's storage."""
_OPEN = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
_looked: dict[str, datetime] = {}
"""When this process looked last, by warehouse: a new process looks at once."""


def check(instance: dg.DagsterInstance, warehouse: Warehouse) -> Check:
    """See :func:`gaps`; once an hour, more often while something is open.

    Args:
        instance: knows what has landed.
        warehouse: has the connections.

    Raises:
        NothingKnown: by the check, where this process looked a short while ago.
    """

    def find() -> Iterator[Finding]:
        moment, where = now(), str(warehouse.engine.url)
        with warehouse.read() as connection:
            opened = {str(row["id"]) for row in health_reports.open_ones(connection)}
        every = WHILE_OPEN if any(name.startswith(GAPS) for name in opened) else EVERY
        if where in _looked and timedelta(0) <= moment - _looked[where] < every:
            raise NothingKnown
        yield from gaps(instance, warehouse, opened)
        _looked[where] = moment

    return Check(GAPS, find)


def gaps(instance: dg.DagsterInstance, warehouse: Warehouse, opened: Collection[str]) -> Iterator[Finding]:
    """Days between days that have landed, since the account was connected, that have not.

    Args:
        instance: knows what has landed.
        warehouse: has the connections.
        opened: names of problems that are open: what one of them explains is told by it.
    """
    table = platform_connections.c
    asked = select(table.provider, table.profile_id, table.created_at).where(table.access_token.is_not(None))
    with warehouse.read() as connection:
        since = {(row.provider, row.profile_id): row.created_at.date() for row in connection.execute(asked)}
    for platform in PLATFORMS:
        backfill = platform.dagster.get().backfill if platform.daily else None
        if backfill is None:
            continue
        landed = _landed(instance, backfill.assets)
        for owner in sorted(landed):
            first = since.get((platform.in_ledger, owner))
            missing = _between(landed[owner], first) if first else []
            if missing and not _at_work(instance, platform, owner):
                yield _finding(platform, owner, missing, opened)


def _landed(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> dict[str, set[date]]:
    """Profile to the days that have landed in all of these assets."""
    both = set[str].intersection(*(set(instance.get_materialized_partitions(key)) for key in keys))
    days = defaultdict[str, set[date]](set)
    for key in both:
        day, _, owner = key.partition("|")
        days[owner].add(date.fromisoformat(day))
    return days


def _between(days: set[date], first: date) -> list[date]:
    begin, end = max(min(days), first), max(days)
    every = (begin + timedelta(days=number) for number in range((end - begin).days))
    return [day for day in every if day not in days]


def _at_work(instance: dg.DagsterInstance, platform: Platform, owner: str) -> bool:
    """Whether a run reads the account or is about to: it may bring these days."""
    account = {ACCOUNT_TAG: f"{platform.name}/{owner}"}
    return bool(instance.get_run_ids(dg.RunsFilter(tags=account, statuses=_OPEN), limit=1))


def _finding(platform: Platform, owner: str, missing: list[date], opened: Collection[str]) -> Finding:
    first, last = missing[0], missing[-1]
    spans = ", ".join(_span(one.start, one.end - timedelta(days=1)) for one in contiguous(missing)[:3])
    more = "" if len(contiguous(missing)) <= 3 else " and others"
    days = number(len(missing), "day")
    text = f"{days} of {platform.label} of {owner} between days that were read never landed: {spans}{more}."
    source = platform.name
    hint = f"creator-pipeline backfill {source} --profile {owner} --from {first} --to {last}"
    explained = (
        f"late/{platform.in_ledger}/{owner}",
        f"partitions/{platform.name}/{owner}",
        *(f"dead/{platform.name}/{owner}/{kind}" for kind in ("job", "backfill")),
    )
    told = any(one in opened for one in explained)
    name, cause = f"{GAPS}{platform.name}/{owner}", "" if told else f"{GAPS}{platform.name}"
    return Finding(name, "no", text, hint, f"Days of {platform.label} are missing", owner, told=told, cause=cause)


def _span(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
