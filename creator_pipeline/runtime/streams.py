"""Streams: what a platform's tables are read from. :mod:`.stream_assets` makes assets of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar

import dagster as dg
from sqlalchemy import Table

from creator_pipeline.core.declared import Place as Declared
from creator_pipeline.core.windows import DayWindow, partition_key
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import Place, places_of
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.describe import ledger_preview, ledger_totals, plotted
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.links import Lineage
from creator_pipeline.runtime.outcome import CHANGED_BY, Outcome
from creator_pipeline.runtime.resources import PlatformResource
from creator_pipeline.runtime.step_checks import StepCheck, Tally
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change
from creator_pipeline.store.source import Source

Resource = TypeVar("Resource", bound=PlatformResource)
Usage = Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Request(Generic[Resource]):
    """What a load is asked for.

    Attributes:
        windows: half-open UTC days; none for a snapshot.
        allow_shrink: whether a load may drop most of what is stored.
        since: a day; everything since then is to be read again, what is final too.
    """

    warehouse: Warehouse
    resource: Resource
    profile_id: str
    windows: Sequence[DayWindow] = ()
    allow_shrink: bool = False
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Landed:
    """Days that are committed, as they stand now.

    Attributes:
        days: each is logged, those without rows too.
        rows: by the day of their partition.
        events: rows of the ledger, by the day of the partition that they come from.
        part: what the stream's checks count; None where nothing is counted.
        usage: requests and waiting so far, of the client.
        new_names: names that this release doesn't know, by what they are names of: ``sale field``.
        rows_change, ledger_change: what writing them did.
    """

    days: Iterable[date]
    rows: Mapping[date, Sequence[Any]]
    events: Mapping[date, Sequence[LedgerEvent]]
    part: Any = None
    usage: Usage = field(default_factory=dict[str, int | float])
    new_names: Mapping[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])
    rows_change: Change = field(default_factory=Change)
    ledger_change: Change = field(default_factory=Change)


Stored = Callable[[Warehouse, str, Sequence[date]], Iterator[Landed]]
"""(warehouse, profile id, UTC days) to these days as they are stored, each part with what the checks count."""
DAYS_AT_ONCE = 31
"""Days whose rows are in memory together where stored days are shown."""


def some_days(days: Iterable[date]) -> Iterator[list[date]]:
    """Days in their order, few at a time."""
    ordered = sorted(set(days))
    return (ordered[start : start + DAYS_AT_ONCE] for start in range(0, len(ordered), DAYS_AT_ONCE))


def partition_of(place: Place) -> date | None:
    """The day of the partition that a row of the ledger comes from; None where it comes from no partition."""
    day, _, owner = place.source.partition("|")
    try:
        return date.fromisoformat(day) if owner else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class DailyStream(Generic[Resource]):
    """A table whose rows belong to a UTC day and a profile, and the ledger's rows that follow from it.

    Attributes:
        source: the platform.
        name: of the step; the asset is ``PLATFORM/…`` as ``key`` says.
        table, description: of the rows.
        ledger_description: of the asset ``sales_events/PROVIDER``.
        profiles: dynamic partitions of the connected profiles.
        load: reads the windows of one profile from the API and stores them, part by part.
        rebuild: makes the ledger of the windows from what is stored; the API isn't asked.
        stored: days as they are stored.
        shown: metadata of one day's rows: sums and a preview without personal data.
        tally, checks: what rides in the step.
        follows: the asset by profile that must be there before.
        ends_sync: whether a load to the end of its days is a sync: what changed before it is never looked for again.
        partition_of: the day of the partition that a row of the ledger comes from; None where it comes from none.
        lineage: the columns that the ledger's are made of.
    """

    source: Source
    name: str
    key: dg.AssetKey
    table: Table
    description: str
    ledger_description: str
    profiles: dg.DynamicPartitionsDefinition
    load: Callable[[Request[Resource]], Iterator[Landed]]
    rebuild: Callable[[Request[Resource]], Iterator[Landed]]
    stored: Stored
    shown: Callable[[Sequence[Any]], Mapping[str, Any]]
    tally: Callable[[], Tally]
    checks: Sequence[StepCheck]
    follows: dg.AssetKey | None = None
    ends_sync: bool = False
    partition_of: Callable[[Place], date | None] = partition_of
    lineage: Lineage = field(default_factory=dict[str, "Mapping[str, tuple[str, ...]]"])

    @property
    def ledger(self) -> dg.AssetKey:
        """The platform's part of the ledger."""
        return asset_key("sales_events", self.source.provider)

    def report(self, outcome: Outcome, profile_id: str, landed: Landed, *, rows: bool = True) -> None:
        """Log every day of a committed part, its rows and its part of the ledger: both are written together.

        Args:
            outcome: of the run.
            profile_id: whose days.
            landed: what was committed.
            rows: whether the rows were read; else only the ledger was made anew.
        """
        days = list(landed.days)
        changes = (landed.rows_change, landed.ledger_change) if len(days) == 1 else ()
        # Of one day also where nothing changed: a plot has no gap then. What a range changed stands in the totals.
        shown = [change.metadata() for change in changes] or [{}, {}]
        with outcome.together():
            for day in days:
                key, of_day = partition_key(day, profile_id), landed.rows.get(day, ())
                events = landed.events.get(day, ())
                if rows:
                    figures = self.shown(of_day) if of_day else {}
                    outcome.materialized(self.key, key, len(of_day), {**shown[0], **figures})
                outcome.materialized(self.ledger, key, len(events), {**shown[1], **shown_events(events)})
        if rows:
            outcome.changed(self.key, landed.rows_change)
            if landed.usage:
                outcome.spent(self.key, profile_id, landed.usage)
        outcome.changed(self.ledger, landed.ledger_change)

    def report_touched(
        self,
        outcome: Outcome,
        warehouse: Warehouse,
        profile_id: str,
        change: Change,
        *,
        by: dg.AssetKey,
        known: Iterable[date] = (),
        tally: Tally | None = None,
    ) -> None:
        """Log the partitions of the ledger that a change touched, beside those that the run has read.

        Args:
            outcome: of the run.
            warehouse: where they are stored.
            profile_id: whose ledger.
            change: of the ledger.
            by: what the run read.
            known: days that are logged already.
            tally: counts these days too; None where the checks are about the days that were read.
        """
        days = {day for place in places_of(change) if (day := self.partition_of(place))} - set(known)
        for some in some_days(days):
            for part in self.stored(warehouse, profile_id, some):
                if tally is not None and part.part is not None:
                    tally.add(part.part)
                with outcome.together():
                    for day in part.days:
                        events = part.events.get(day, ())
                        told = {CHANGED_BY: by.to_user_string(), **shown_events(events)}
                        outcome.materialized(self.ledger, partition_key(day, profile_id), len(events), told)

    def ledger_checks(self) -> list[StepCheck]:
        """Those of the ledger's asset."""
        return [check for check in self.checks if check.asset == self.ledger]


def shown_events(events: Sequence[LedgerEvent]) -> dict[str, Any]:
    """Money of a partition's ledger rows by currency, and the first of them."""
    totals = ledger_totals(events)
    return {**totals, **plotted(totals), "preview": ledger_preview(events)} if events else {}


def by_day(rows: Iterable[Any], day_of: Callable[[Any], date]) -> dict[date, list[Any]]:
    """Rows by day, in their order."""
    days: dict[date, list[Any]] = {}
    for row in rows:
        days.setdefault(day_of(row), []).append(row)
    return days


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one profile's account holds now.

    Attributes:
        rows: number of rows of the partition.
        metadata: figures, and a preview without personal data.
        part, new_names, ledger_change: as of :class:`Landed`.
        landed: False where nothing was read, so that nothing is logged.
    """

    rows: int
    metadata: Mapping[str, Any]
    part: Any = None
    new_names: Mapping[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])
    ledger_change: Change = field(default_factory=Change)
    landed: bool = True


class NoTally:
    """Of a stream without checks."""

    def add(self, part: Any) -> None:
        """Nothing is counted."""

    def verdicts(self) -> Iterator[step_checks.Verdict]:
        """Nothing came out."""
        return iter(())


@dataclass(frozen=True, slots=True)
class SnapshotStream(Generic[Resource]):
    """A table that is read whole: a partition is a profile.

    Attributes:
        source, name, key, table, description, profiles, tally, checks: as of :class:`DailyStream`.
        load: reads all of one profile and stores it.
        follows: assets by profile that go before.
        touches: whose part of the ledger a load changes; None where it changes none.
        declared, page: where it is declared, and its page of the docs; ``load`` and the platform's by default.
    """

    source: Source
    name: str
    key: dg.AssetKey
    table: Table
    description: str
    profiles: dg.DynamicPartitionsDefinition
    load: Callable[[Request[Resource]], Snapshot]
    tally: Callable[[], Tally] = NoTally
    checks: Sequence[StepCheck] = ()
    follows: Sequence[dg.AssetKey] = ()
    touches: DailyStream[Any] | None = None
    declared: Declared | None = None
    page: str = ""

    def report(
        self, outcome: Outcome, warehouse: Warehouse, profile_id: str, read: Snapshot, touched: Tally | None
    ) -> None:
        """Log a profile's partition, and the partitions of the ledger that changed with it.

        Args:
            outcome: of the run.
            warehouse: where they are stored.
            profile_id: whose account.
            read: what was committed.
            touched: counts these partitions of the ledger.
        """
        if read.landed:
            outcome.materialized(self.key, profile_id, read.rows, read.metadata)
        if self.touches is not None:
            change = read.ledger_change
            self.touches.report_touched(outcome, warehouse, profile_id, change, by=self.key, tally=touched)
