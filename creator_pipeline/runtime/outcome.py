"""The account a run gives of itself, partition by partition.

A partition is logged as soon as its transaction is committed, so what a later failure or a killed worker leaves
behind is shown truly, and a retry skips it. The outputs of the assets are skippable for that reason: an output would
log every partition of the run once more, with the same metadata on each.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from creator_pipeline.core.errors import ConfigError, DataError, PipelineError
from creator_pipeline.core.text import number
from creator_pipeline.runtime.dagster_internals import RetryErrors, log_materializations
from creator_pipeline.runtime.tags import SINCE_TAG
from creator_pipeline.store.load import Change

ALLOW_SHRINK_TAG = "creator_pipeline/allow_shrink"
AUTO_RETRY_TAG = "dagster/retry_number"
"""On a run that the daemon started again by itself."""
_PARENT_TAG = "dagster/parent_run_id"
CHANGED_BY = "changed_by"
"""Metadata of a partition of the ledger that a run changed while it read something else: which asset that was. It
doesn't say that the partition was read."""
PERMANENT_TAG = {"dagster/retry_on_asset_or_op_failure": "false"}

RETRY = RetryErrors(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For what is transient; the client's own retries come first. A run that is stopped isn't tried again."""


def allow_shrink(context: dg.AssetExecutionContext) -> bool:
    """Whether the person who launched the run accepts that a load drops most of what is stored."""
    return context.run.tags.get(ALLOW_SHRINK_TAG, "").lower() in {"1", "true", "yes"}


def since(context: dg.AssetExecutionContext) -> date | None:
    """The day since which the person who launched the run wants everything read again.

    Raises:
        ConfigError: the tag is no day.
    """
    told = context.run.tags.get(SINCE_TAG)
    try:
        return date.fromisoformat(told) if told else None
    except ValueError:
        raise ConfigError(f"The run tag {SINCE_TAG} is no day: {told!r}.", hint="Write it as 2026-11-22.") from None


listeners: list[Callable[[str, str | None], None]] = []
"""Called with (asset, partition) as each one lands; for progress bars of runs in this process."""


@dataclass
class _Failed:
    error: PipelineError
    keys: list[str]


@dataclass
class Outcome:
    """Collects what succeeded and what failed in one step."""

    context: dg.AssetExecutionContext | dg.OpExecutionContext
    failed: list[_Failed] = field(default_factory=list[_Failed])
    rows: dict[str, int] = field(default_factory=dict[str, int])
    _usage: dict[tuple[dg.AssetKey, str], Mapping[str, int | float]] = field(
        default_factory=dict[tuple[dg.AssetKey, str], Mapping[str, "int | float"]]
    )
    _changes: dict[dg.AssetKey, Change] = field(default_factory=dict[dg.AssetKey, Change])
    _waiting: list[dg.AssetMaterialization] | None = None

    def done_before(self) -> set[tuple[str, str]]:
        """(asset, partition) pairs that an earlier attempt of this same step has finished."""
        return self._landed(self.context.run.run_id) if self.context.retry_number else set()

    def done_before_kill(self) -> set[tuple[str, str]]:
        """(asset, partition) pairs that the killed runs have finished which this one was started for by Dagster."""
        landed, run = set[tuple[str, str]](), self.context.run
        while AUTO_RETRY_TAG in run.tags:
            parent = self.context.instance.get_run_by_id(run.tags.get(_PARENT_TAG, ""))
            if parent is None:
                break
            landed |= self._landed(parent.run_id)
            run = parent
        return landed

    def _landed(self, run_id: str) -> set[tuple[str, str]]:
        records = self.context.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        events = (record.get_dagster_event() for record in records)
        return {
            (event.asset_key.to_user_string(), event.partition)
            for event in events
            if event.asset_key
            and event.partition
            and CHANGED_BY not in event.step_materialization_data.materialization.metadata
        }

    def materialized(self, key: dg.AssetKey, partition: str | None, rows: int, metadata: Mapping[str, Any]) -> None:
        """Log one partition of one asset as it stands now.

        Args:
            key: of the asset.
            partition: its key; None for an asset without partitions.
            rows: number of rows of the partition.
            metadata: shown beside the number of rows.
        """
        name = key.to_user_string()
        self.rows[name] = self.rows.get(name, 0) + rows
        landed = dg.AssetMaterialization(
            key,
            partition=partition,
            metadata={"dagster/partition_row_count": dg.MetadataValue.int(rows), **metadata},
        )
        if self._waiting is None:
            self.context.log_event(landed)
        else:
            self._waiting.append(landed)
        for listener in listeners:
            listener(name, partition)

    def spent(self, key: dg.AssetKey, profile_id: str, usage: Mapping[str, int | float]) -> None:
        """Note what a client has used so far; the last word on a profile counts.

        Args:
            key: of the asset that is read.
            profile_id: whose account.
            usage: running totals.
        """
        self._usage[key, profile_id] = usage

    def changed(self, key: dg.AssetKey, change: Change) -> None:
        """Add what writing a part of an asset did."""
        self._changes[key] = self._changes.get(key, Change()) + change

    def tell_totals(self) -> None:
        """Log the totals of the run, once for each asset: an observation, as they belong to no partition."""
        keys = dict.fromkeys([*(key for key, _ in self._usage), *self._changes])
        for key in keys:
            totals: dict[str, int | float] = {}
            for usage in (usage for (asset, _), usage in self._usage.items() if asset == key):
                totals |= {name: round(totals.get(name, 0) + value, 3) for name, value in usage.items()}
            change = self._changes[key].metadata() if key in self._changes else {}
            told = dg.AssetObservation(key, description="Totals of the run.", metadata={**totals, **change})
            self.context.log_event(told)
        self._usage.clear()
        self._changes.clear()

    @contextmanager
    def together(self) -> Generator[None]:
        """Log what lands within the block in one write at its end: for a range of days that one transaction wrote."""
        self._waiting = []
        try:
            yield
        finally:
            waiting, self._waiting = self._waiting, None
            log_materializations(self.context, waiting)

    @contextmanager
    def isolate(self, keys: Iterable[str], done: set[str]) -> Generator[None]:
        """Keep a failure to the partitions it belongs to; ``done`` are those of ``keys`` that landed before it."""
        try:
            yield
        except PipelineError as error:
            left = [key for key in keys if key not in done]
            self.failed.append(_Failed(error, left))
            # Never ERROR here: a failure that a retry will solve must not raise an alarm.
            self.context.log.warning("%d partitions did not land: %s", len(left), error)

    def raise_if_failed(self) -> None:
        """End the step: log its totals, and fail when anything did.

        Raises:
            dg.Failure: names the partitions; retried by Dagster only when waiting can help.
        """
        self.tell_totals()
        if not self.failed:
            return
        retry = any(failure.error.retryable for failure in self.failed)
        lines = [f"{describe(failure.keys)}: {failure.error}{_place(failure.error)}" for failure in self.failed]
        if not retry:
            # The step's retry policy reads the exception; run retries read this tag only.
            self.context.instance.add_run_tags(self.context.run.run_id, dict(PERMANENT_TAG))
        raise dg.Failure(
            description="\n".join(lines),
            metadata={
                "failed_partitions": dg.MetadataValue.json([key for failure in self.failed for key in failure.keys]),
                "error_code": sorted({failure.error.code for failure in self.failed})[0],
                "errors": dg.MetadataValue.json([_as_json(failure.error) for failure in self.failed]),
            },
            allow_retries=retry,
        )


def describe(keys: list[str]) -> str:
    """Partitions for a message: the first and the last, and how many."""
    if not keys:
        return "no partitions"
    if len(keys) == 1:
        return keys[0]
    return f"{keys[0]} to {keys[-1]} ({number(len(keys), 'partition')})"


def _place(error: PipelineError) -> str:
    """Where a file is wrong, for the end of a message."""
    parts = error.where() if isinstance(error, DataError) else {}
    # A line of a hint may be a command, and isn't shown to everybody: the place stands beside it, not in it.
    before = "\n" if "\n" in error.hint else " "
    return f"{before}({', '.join(f'{name}: {value}' for name, value in parts.items())})" if parts else ""


def _as_json(error: PipelineError) -> dict[str, str | int]:
    place = error.where() if isinstance(error, DataError) else {}
    return {"code": error.code, "message": error.message, "hint": error.hint, **place}
