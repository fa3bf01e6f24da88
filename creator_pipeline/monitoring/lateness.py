"""Profiles that nothing has read for too long: who, since when, and why nothing else has told of it.

A run that fails is told by itself. These are the profiles for which nothing failed, because nothing happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import dagster as dg
from sqlalchemy import Connection

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.windows import now
from creator_pipeline.monitoring.ended_runs import waits_for_retry
from creator_pipeline.platforms import PLATFORMS, of_provider
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.runtime.tags import ACCOUNT_TAG
from creator_pipeline.settings import Settings
from creator_pipeline.store import freshness, health_reports
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.freshness import Freshness

LATE = "late/"
"""Names of the findings begin with it."""
LONGEST_RUN = timedelta(hours=48)
"""A run that reads the account for less than this is work and no silence: a first load can take a day."""
TURN = timedelta(hours=1)
"""A run that waits for less than this waits for its turn."""
_STARTED = {dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED}
_RUNS = 20
_OF_RUNS = {"failed", "queue", "hangs", "nothing"}
"""Words for causes that are about the account's runs."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What Dagster knows of one account's runs.

    Attributes:
        at_work_since: begin of the run that reads it now; None where there is none.
        queued_since: since when a run waits for its turn.
        failed: id of the newest run, where it failed and isn't tried again.
    """

    at_work_since: datetime | None = None
    queued_since: datetime | None = None
    failed: str = ""


@dataclass(frozen=True)
class Dagster:
    """What is asked of Dagster.

    Attributes:
        partitions: profiles that have a partition, by the name of the partitions.
        schedules: whether a schedule is on, by name; one that was never switched on or off is missing.
        runs: (platform, profile id) to what is known of the account's runs.
    """

    partitions: Mapping[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])
    schedules: Mapping[str, bool] = field(default_factory=dict[str, bool])
    runs: Callable[[Platform, str], Seen] = lambda _platform, _profile: Seen()


def check(instance: dg.DagsterInstance, warehouse: Warehouse, config: Settings) -> Check:
    """See :func:`late`."""
    return Check(LATE, lambda: late(warehouse, config, asked(instance), now()))


def asked(instance: dg.DagsterInstance) -> Dagster:
    """What Dagster knows at this moment."""
    names = [one.partitions_name for one in PLATFORMS if one.daily]
    return Dagster(
        {name: frozenset(instance.get_dynamic_partitions(name)) for name in names},
        {state.name: state.is_running for state in instance.all_instigator_state()},
        lambda platform, profile_id: _runs(instance, platform, profile_id),
    )


def _runs(instance: dg.DagsterInstance, platform: Platform, profile_id: str) -> Seen:
    account = dg.RunsFilter(tags={ACCOUNT_TAG: f"{platform.name}/{profile_id}"})
    records = instance.get_run_records(account, limit=_RUNS)
    at_work = [one.create_timestamp for one in records if one.dagster_run.status in _STARTED]
    queued = [one.create_timestamp for one in records if one.dagster_run.status == dg.DagsterRunStatus.QUEUED]
    last = next((one for one in records if one.dagster_run.is_finished), None)
    failed = last is not None and last.dagster_run.is_failure and not waits_for_retry(last)
    return Seen(
        min(at_work, default=None), min(queued, default=None), last.dagster_run.run_id if last and failed else ""
    )


def late(warehouse: Warehouse, config: Settings, dagster: Dagster, moment: datetime) -> Iterator[Finding]:
    """Profiles that no run has read yesterday and today of since it was due. Keeps up what is expected of each.

    Args:
        warehouse: has the connections.
        config: says which platforms are switched on.
        dagster: tells why nothing ran.
        moment: now.
    """
    with warehouse.write() as connection:
        found = freshness.every(connection)
        if _expect(connection, config, found, moment):
            found = freshness.every(connection)
        told = {str(row["id"]) for row in health_reports.open_ones(connection)}
    for one in found:
        platform = of_provider(one.provider)
        if platform is None or platform.daily is None or one.expected_by is None or one.expected_by > moment:
            continue
        finding = _finding(platform, one, dagster, told, moment)
        if finding is not None:
            yield finding


def _expect(connection: Connection, config: Settings, found: Sequence[Freshness], moment: datetime) -> bool:
    """Expect a connection that is new, or whose platform was switched on, from now on, and one that is off no more;
    whether that changed anything."""
    changed = False
    for one in found:
        platform = of_provider(one.provider)
        if platform is None or platform.daily is None:
            continue
        on = config.enabled(platform.name)
        if on == (one.expected_by is None):
            freshness.expect(connection, platform.source, one.profile_id, moment if on else None)
            changed = True
    return changed


def _finding(
    platform: Platform, one: Freshness, dagster: Dagster, told: AbstractSet[str], moment: datetime
) -> Finding | None:
    seen, owner = dagster.runs(platform, one.profile_id), one.profile_id
    if seen.at_work_since is not None and moment - seen.at_work_since < LONGEST_RUN:
        return None
    word, reason, hint = _why(platform, one, dagster, seen)
    its_turn = word == "queue" and seen.queued_since is not None and moment - seen.queued_since < TURN
    if its_turn and f"{LATE}{one.provider}/{owner}" not in told:
        return None  # after a daemon that was down all runs wait at once
    since = f"since {one.fresh_at:%Y-%m-%d %H:%M} UTC" if one.fresh_at else "yet"
    text = f"{platform.label} of {owner} was not read {since}: {reason}"
    elsewhere = one.status != "active" or _told(told, platform, owner, word)
    return Finding(
        f"{LATE}{one.provider}/{owner}",
        "no",
        text,
        hint,
        f"{platform.label} is not read",
        owner,
        told=elsewhere,
        cause="" if elsewhere else f"{LATE}{one.provider}/{word}",
        since=one.expected_by,
    )


def _told(told: AbstractSet[str], platform: Platform, owner: str, word: str) -> bool:
    """Whether what explains it is an open problem of its own.

    What failed and was told explains it also while the next run waits, or has found nothing else to say.
    """
    begins = (f"partitions/{platform.name}", f"job/{platform.name}_", f"dead/{platform.name}/")
    if word in _OF_RUNS and any(name.startswith(begins) and f"/{owner}/" in f"{name}/" for name in told):
        return True
    schedule = platform.daily.schedule if platform.daily else ""
    explained = {"partition": "sensor/profiles", "queue": "run_queue/waiting", "nothing": f"schedule/{schedule}"}
    return explained.get(word) in told


def _why(platform: Platform, one: Freshness, dagster: Dagster, seen: Seen) -> tuple[str, str, str]:
    """Of what is known, the first that explains it: a word for the cause, the reason and the hint."""
    schedule = platform.daily.schedule if platform.daily else ""
    on_again = f"In the UI under Automation, or: dagster schedule start {schedule} -w workspace.yaml"
    read = f"creator-pipeline profiles list --late; then: creator-pipeline doctor --profile {one.profile_id}"
    if one.status != "active":
        return (
            "connection",
            f"its connection is {one.status}.",
            platform.where_to_connect.format(profile_id=one.profile_id),
        )
    if one.profile_id not in dagster.partitions.get(platform.partitions_name, frozenset()):
        return (
            "partition",
            "Dagster has no partition of it, so no run can read it.",
            "Is the sensor profiles on (UI, Automation)? It adds the partition within a minute.",
        )
    if schedule not in dagster.schedules:
        return "schedule", f"the schedule {schedule} was never switched on.", on_again
    if not dagster.schedules[schedule]:
        return "schedule", f"the schedule {schedule} is switched off.", on_again
    if seen.at_work_since is not None:
        text = f"a run has read it since {seen.at_work_since:%Y-%m-%d %H:%M} UTC and doesn't end."
        return "hangs", text, "Terminate that run in the UI; what landed stays."
    if seen.queued_since is not None:
        text = f"its run waits in Dagster's queue since {seen.queued_since:%Y-%m-%d %H:%M} UTC."
        return "queue", text, "UI, Runs, Queued: what holds it? See run_queue in docs/runbook.md."
    if seen.failed:
        return (
            "failed",
            f"its last run failed: run {seen.failed}.",
            "Read the run's log in the UI, fix the cause, run it again.",
        )
    return "nothing", "no run has read yesterday and today, and none waits.", read


def figures(found: Sequence[Freshness], moment: datetime) -> Iterator[Finding]:
    """A line for each profile and platform with its figure: for doctor and smoke, which ask the warehouse only.

    Args:
        found: of :func:`creator_pipeline.store.freshness.every`.
        moment: now.
    """
    for one in found:
        platform = of_provider(one.provider)
        if platform is None or platform.daily is None:
            continue
        name = f"{platform.name} {one.profile_id} fresh"
        age = f"{(moment - one.fresh_at).total_seconds() / 3600:.1f} h ago" if one.fresh_at else "never"
        if one.expected_by is None:
            yield Finding(name, "off", f"read {age}; nothing is expected of it yet", profile_id=one.profile_id)
        elif one.expected_by > moment:
            text = f"read {age}, expected again by {one.expected_by:%Y-%m-%d %H:%M} UTC"
            yield Finding(name, "ok", text, profile_id=one.profile_id)
        else:
            text = f"read {age}; late since {one.expected_by:%Y-%m-%d %H:%M} UTC"
            hint = "See why: creator-pipeline profiles list --late"
            yield Finding(name, "no", text, hint, profile_id=one.profile_id)
