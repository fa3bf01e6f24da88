"""Streams: what a platform's tables are read from. :mod:`.stream_assets` makes assets of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar

import dagster as dg
from sqlalchemy import Table

from creator_pipeline.core.windows import DayWindow, partition_key
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.describe import ledger_preview, ledger_totals
from creator_pipeline.runtime.outcome import Outcome
from creator_pipeline.runtime.resources import PlatformResource
from creator_pipeline.runtime.step_checks import StepCheck, Tally
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source

Resource = TypeVar("Resource", bound=PlatformResource)
Usage = Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Request(Generic[Resource]):
    """What a load is asked for.

    Attributes:
        windows: half-open UTC days; none for a snapshot.
        with_ledger: whether the ledger's rows are written in the same transactions.
        allow_shrink: whether a load may drop most of what is stored.
        since: a day; everything since then is to be read again, what is final too.
    """

    warehouse: Warehouse
    resource: Resource
    profile_id: str
    windows: Sequence[DayWindow] = ()
    with_ledger: bool = True
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
    """

    days: Iterable[date]
    rows: Mapping[date, Sequence[Any]]
    events: Mapping[date, Sequence[LedgerEvent]]
    part: Any = None
    usage: Usage = field(default_factory=dict[str, int | float])
    new_names: Mapping[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])


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
        shown: metadata of one day's rows: sums and a preview without personal data.
        tally, checks: what rides in the step.
        follows: the asset by profile that must be there before.
        ends_sync: whether a load to the end of its days is a sync: what changed before it is never looked for again.
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
    shown: Callable[[Sequence[Any]], Mapping[str, Any]]
    tally: Callable[[], Tally]
    checks: Sequence[StepCheck]
    follows: dg.AssetKey | None = None
    ends_sync: bool = False

    @property
    def ledger(self) -> dg.AssetKey:
        """The platform's part of the ledger."""
        return dg.AssetKey(["sales_events", self.source.provider])

    def report(self, outcome: Outcome, profile_id: str, landed: Landed, selected: AbstractSet[dg.AssetKey]) -> None:
        """Log every day of a committed part, for each of the two assets that was asked for.

        Args:
            outcome: of the run.
            profile_id: whose days.
            landed: what was committed.
            selected: asset keys.
        """
        with outcome.together():
            for day in landed.days:
                key, rows, events = partition_key(day, profile_id), landed.rows.get(day, ()), landed.events.get(day, ())
                if self.key in selected:
                    outcome.materialized(
                        self.key, key, len(rows), {**landed.usage, **(self.shown(rows) if rows else {})}
                    )
                if self.ledger in selected:
                    outcome.materialized(self.ledger, key, len(events), shown_events(events))


def shown_events(events: Sequence[LedgerEvent]) -> dict[str, Any]:
    """Money of a partition's ledger rows by currency, and the first of them."""
    return {**ledger_totals(events), "preview": ledger_preview(events)} if events else {}


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
        part, new_names: as of :class:`Landed`.
    """

    rows: int
    metadata: Mapping[str, Any]
    part: Any = None
    new_names: Mapping[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])


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
