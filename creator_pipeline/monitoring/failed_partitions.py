"""Check of partitions: those whose last attempt failed, with the command that reads them again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import contiguous
from creator_pipeline.monitoring.platform_checks import checks_of, label
from creator_pipeline.platforms import of_name, of_provider
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.runtime.hooks import LEDGER
from creator_pipeline.store.engine import Warehouse

_overtaken: set[str] = set()
"""Runs that ended badly and whose partitions have all been tried again since: they never matter again. A memo of this
process, as is :data:`_planned`: neither is needed for a true answer."""
_planned: dict[str, list[tuple[dg.AssetKey, str]]] = {}
"""What runs that ended badly had planned: it doesn't change any more."""
_PLANNED, _LANDED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION
_CHUNK = 1_000
_BAD = [dg.DagsterRunStatus.FAILURE]
"""Who stops a run knows it: what a canceled run left is nobody's problem."""


def check(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, warehouse: Warehouse) -> Check:
    """See :func:`failed_partitions`."""
    return Check("partitions/", lambda: failed_partitions(instance, repository, warehouse))


def failed_partitions(
    instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, warehouse: Warehouse
) -> Iterator[Finding]:
    """Partitions whose last attempt failed, by source and profile.

    Args:
        instance: whose runs are read.
        repository: holds the assets; a partition of one that is gone is no problem.
        warehouse: holds the verdicts on what a platform refused for good.
    """
    bad = [one for one in instance.get_run_ids(dg.RunsFilter(statuses=_BAD)) if one not in _overtaken]
    left: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    graph, blamed = repository.asset_graph, set[str]()
    for key, attempts in sorted(_failed(instance, bad).items(), key=lambda one: one[0].to_user_string()):
        definition = graph.get(key).partitions_def if graph.has(key) else None
        if definition is None:
            continue
        failed, blamed = list(attempts), blamed | set(attempts.values())
        # What was deleted, or is a removed profile's, can't be tried again.
        there = _there(instance, definition)
        failed = [one for one in failed if there is None or one.rpartition("|")[2] in there]
        platform = _platform_of(key)
        if platform is not None:
            failed = checks_of(platform).without_verdict(warehouse, failed)
        source = platform.name if platform else key.path[0]
        daily = isinstance(definition, dg.MultiPartitionsDefinition)
        unit = "days" if daily else key.to_user_string()
        for partition in failed:
            left[source, unit, partition.rpartition("|")[2]].add(partition)
    for run_id in set(bad) - blamed:
        _overtaken.add(run_id)
        _planned.pop(run_id, None)
    for (source, unit, owner), keys in sorted(left.items()):
        yield _partitions_left(source, unit, owner, sorted(keys))


def _there(instance: dg.DagsterInstance, definition: dg.PartitionsDefinition[Any]) -> set[str] | None:
    """The profiles or uploads that an asset has partitions of now; None where its partitions can't go."""
    parts = [definition]
    if isinstance(definition, dg.MultiPartitionsDefinition):
        parts = [dimension.partitions_def for dimension in definition.partitions_defs]
    names = [str(part.name) for part in parts if isinstance(part, dg.DynamicPartitionsDefinition)]
    return set(instance.get_dynamic_partitions(names[0])) if names else None


def _platform_of(key: dg.AssetKey) -> Platform | None:
    return of_provider(key.path[-1]) if key.path[0] == LEDGER else of_name(key.path[0])


def _failed(instance: dg.DagsterInstance, bad: Sequence[str]) -> dict[dg.AssetKey, dict[str, str]]:
    """Partitions that one of these runs planned as the last and that didn't land, with the run; by asset.

    Reads what these runs planned, and of other events only the newest of the same partitions.
    """
    storage, asked = instance.event_log_storage, defaultdict[dg.AssetKey, set[str]](set)
    for run_id in bad:
        for key, partition in _planned_by(instance, run_id):
            asked[key].add(partition)
    left: dict[dg.AssetKey, dict[str, str]] = {}
    for key, partitions in asked.items():
        planned = storage.get_latest_storage_id_by_partition(key, _PLANNED, partitions)
        landed = storage.get_latest_storage_id_by_partition(key, _LANDED, partitions)
        ids = [found for partition, found in planned.items() if found > landed.get(partition, 0)]
        for start in range(0, len(ids), _CHUNK):
            wanted = dg.EventRecordsFilter(_PLANNED, asset_key=key, storage_ids=ids[start : start + _CHUNK])
            for record in storage.get_event_records(wanted):
                if record.run_id in bad and record.partition_key:
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


def _partitions_left(source: str, unit: str, owner: str, keys: list[str]) -> Finding:
    shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    text = f"{number(len(keys), 'partition')} of {source} failed: {shown}."
    if unit == "days":
        name, subject = f"partitions/{source}/{owner}", f"Some days of {label(of_name(source), source)}"
        spans = contiguous(date.fromisoformat(key.partition("|")[0]) for key in keys)
        first, last = spans[0].start, spans[-1].end - timedelta(days=1)
        hint = f"creator-pipeline backfill {source} --profile {owner} --from {first} --to {last}"
    else:
        name, subject = f"partitions/{unit}/{owner}", unit
        hint = f"dagster asset materialize -m creator_pipeline.definitions --select {unit} --partition {owner}"
    return Finding(name, "no", text, hint, subject, owner, told=True)
