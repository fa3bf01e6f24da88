"""Check of partitions: those whose last attempt failed, with the command that reads them again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import contiguous, now
from creator_pipeline.monitoring import ended_runs
from creator_pipeline.monitoring.ended_runs import Ended
from creator_pipeline.monitoring.platform_checks import checks_of, label
from creator_pipeline.monitoring.told_together import ELSEWHERE
from creator_pipeline.platforms import of_name, of_provider
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.runtime.hooks import LEDGER
from creator_pipeline.runtime.keys import path_of
from creator_pipeline.store import freshness, health_reports
from creator_pipeline.store.engine import Warehouse

_overtaken: set[str] = set()
"""Runs that ended badly and whose partitions have all been tried again since: they never matter again. A memo of this
process, as is :data:`_planned`: neither is needed for a true answer."""
_planned: dict[str, list[tuple[dg.AssetKey, str]]] = {}
"""What runs that ended badly had planned: it doesn't change any more."""
_PLANNED, _LANDED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION
_CHUNK = 1_000
RECONNECTED = timedelta(days=1) + freshness.GRACE
"""From a new connection to the end of the next night."""
_BAD = [dg.DagsterRunStatus.FAILURE]
"""Who stops a run knows it: what a canceled run left is nobody's problem."""


def check(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, warehouse: Warehouse) -> Check:
    """See :func:`failed_partitions`."""
    return Check("partitions/", lambda: failed_partitions(instance, repository, warehouse))


def failed_partitions(
    instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, warehouse: Warehouse
) -> Iterator[Finding]:
    """Partitions whose last attempt failed, by source and profile.

    What is being tried again stays as it was: neither new nor solved.

    Args:
        instance: whose runs are read.
        repository: holds the assets; a partition of one that is gone is no problem.
        warehouse: holds the verdicts on what a platform refused for good, and what was found before.
    """
    bad = [one for one in instance.get_run_ids(dg.RunsFilter(statuses=_BAD)) if one not in _overtaken]
    tried = ended_runs.tried_again(instance, bad)
    left: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    pending = set[tuple[str, str, str]]()
    graph, blamed = repository.asset_graph, set[str]()
    for key, attempts in sorted(_failed(instance, bad, tried).items(), key=lambda one: one[0].to_user_string()):
        definition = graph.get(key).partitions_def if graph.has(key) else None
        if definition is None or not path_of(key):
            continue
        failed, blamed = list(attempts), blamed | set(attempts.values())
        # What was deleted, or is a removed profile's, can't be tried again.
        there = _there(instance, definition)
        failed = [one for one in failed if there is None or one.rpartition("|")[2] in there]
        platform = _platform_of(key)
        if platform is not None:
            failed = checks_of(platform).without_verdict(warehouse, failed)
        source = platform.name if platform else path_of(key)[0]
        daily = isinstance(definition, dg.MultiPartitionsDefinition)
        unit = "days" if daily else key.to_user_string()
        for partition in failed:
            group = source, unit, partition.rpartition("|")[2]
            if attempts[partition] in tried:
                pending.add(group)
            else:
                left[group][partition] = attempts[partition]
    # The former run of what is being tried again counts until that is over.
    for run_id in set(bad) - blamed if not pending else ():
        _overtaken.add(run_id)
        _planned.pop(run_id, None)
    with warehouse.read() as connection:
        refused = {(one.provider, one.profile_id) for one in freshness.every(connection) if one.status != "active"}
        known = {str(row["id"]): row for row in health_reports.open_ones(connection)}
        # Who has connected again is read by the next night at the latest; until then the refusal was told once.
        again = health_reports.open_since(connection, "connection/", now() - RECONNECTED)
    for (source, unit, owner), runs in sorted(left.items()):
        platform = of_name(source)
        account = (platform.in_ledger, owner) if platform else ("", owner)
        elsewhere = account in refused or "/".join(("connection", *account)) in again
        why = ended_runs.newest(instance, set(runs.values()))
        yield _partitions_left(source, unit, owner, sorted(runs), why, told=elsewhere and why.needs_access)
    for source, unit, owner in sorted(pending - left.keys()):
        row = known.get(_name(source, unit, owner))
        if row is not None:
            yield _as_it_was(row)


def _as_it_was(row: Mapping[str, Any]) -> Finding:
    cause = row["cause"] or ""
    told = cause == ELSEWHERE
    words = (str(row["text"]), str(row["hint"]), row["subject"] or "", row["profile_id"] or "")
    cause, run_id = "" if told else cause, row["run_id"] or ""
    return Finding(str(row["id"]), "no", *words, told=told, cause=cause, run_id=run_id)


def _there(instance: dg.DagsterInstance, definition: dg.PartitionsDefinition[Any]) -> set[str] | None:
    """The profiles or uploads that an asset has partitions of now; None where its partitions can't go."""
    parts = [definition]
    if isinstance(definition, dg.MultiPartitionsDefinition):
        parts = [dimension.partitions_def for dimension in definition.partitions_defs]
    names = [str(part.name) for part in parts if isinstance(part, dg.DynamicPartitionsDefinition)]
    return set(instance.get_dynamic_partitions(names[0])) if names else None


def _platform_of(key: dg.AssetKey) -> Platform | None:
    path = path_of(key)
    return of_provider(path[-1]) if path[0] == LEDGER else of_name(path[0])


def _failed(instance: dg.DagsterInstance, bad: Sequence[str], tried: set[str]) -> dict[dg.AssetKey, dict[str, str]]:
    """Partitions that a bad run planned and that didn't land since, with the last run that planned them; by asset.

    Reads what these runs planned, and of other events only the newest of the same partitions. The last run is one of
    ``bad``, or of ``tried``, the runs that may still end well.
    """
    storage, asked = instance.event_log_storage, defaultdict[dg.AssetKey, set[str]](set)
    for run_id in bad:
        for key, partition in _planned_by(instance, run_id):
            asked[key].add(partition)
    left: dict[dg.AssetKey, dict[str, str]] = {}
    wanted_runs = {*bad, *tried}
    for key, partitions in asked.items():
        planned = storage.get_latest_storage_id_by_partition(key, _PLANNED, partitions)
        landed = storage.get_latest_storage_id_by_partition(key, _LANDED, partitions)
        ids = [found for partition, found in planned.items() if found > landed.get(partition, 0)]
        for start in range(0, len(ids), _CHUNK):
            wanted = dg.EventRecordsFilter(_PLANNED, asset_key=key, storage_ids=ids[start : start + _CHUNK])
            for record in storage.get_event_records(wanted):
                if record.run_id in wanted_runs and record.partition_key:
                    left.setdefault(key, {})[record.partition_key] = record.run_id
    return left


def _planned_by(instance: dg.DagsterInstance, run_id: str) -> list[tuple[dg.AssetKey, str]]:
    found = _planned.get(run_id)
    if found is None:
        records = instance.all_logs(run_id, of_type=_PLANNED)
        events = [record.get_dagster_event() for record in records]
        found = [(event.asset_key, event.partition) for event in events if event.asset_key and event.partition]
        _planned[run_id] = found
    return found


def _name(source: str, unit: str, owner: str) -> str:
    return f"partitions/{source if unit == 'days' else unit}/{owner}"


def _partitions_left(source: str, unit: str, owner: str, keys: list[str], why: Ended, *, told: bool) -> Finding:
    # One alone, so that the reason isn't cut off a mail's subject; the command of the hint names the others.
    shown = keys[0] + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")
    text = f"{number(len(keys), 'partition')} of {source} failed: {shown}. {why.message}".strip()
    if unit == "days":
        subject = f"Some days of {label(of_name(source), source)}"
        spans = contiguous(date.fromisoformat(key.partition("|")[0]) for key in keys)
        first, last = spans[0].start, spans[-1].end - timedelta(days=1)
        hint = f"creator-pipeline backfill {source} --profile {owner} --from {first} --to {last}"
    else:
        subject = unit
        hint = f"dagster asset materialize -m creator_pipeline.definitions --select {unit} --partition {owner}"
    name = _name(source, unit, owner)
    cause = why.cause(source, owner)
    return Finding(name, "no", text, hint, subject, owner, told=told, cause=cause, run_id=why.run_id)
