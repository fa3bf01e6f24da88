"""Assets made from streams: one factory for tables that are partitioned by day and profile, one for snapshots."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Generic, TypeVar

import dagster as dg
from sqlalchemy import Table

from creator_pipeline.core.windows import DayWindow, contiguous, now, partition_key
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.describe import OWNERS, column_schema, ledger_preview, ledger_totals
from creator_pipeline.runtime.hooks import hooks_of
from creator_pipeline.runtime.outcome import RETRY, Outcome, allow_shrink
from creator_pipeline.runtime.partitions import DATE, PROFILE, daily, days_by_profile
from creator_pipeline.runtime.refused_tokens import noting_refusals
from creator_pipeline.runtime.resources import PlatformResource, opened
from creator_pipeline.runtime.step_checks import StepCheck, Tally
from creator_pipeline.runtime.unknown_fields import report_unknown
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import mark_synced
from creator_pipeline.store.source import Source
from creator_pipeline.store.tables import sales_events

NIGHTLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=26))

Resource = TypeVar("Resource", bound=PlatformResource)
Usage = Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Request(Generic[Resource]):
    """What a load is asked for.

    Attributes:
        windows: half-open UTC days; none for a snapshot.
        with_ledger: whether the ledger's rows are written in the same transactions.
        allow_shrink: whether a load may drop most of what is stored.
    """

    warehouse: Warehouse
    resource: Resource
    profile_id: str
    windows: Sequence[DayWindow] = ()
    with_ledger: bool = True
    allow_shrink: bool = False


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


def daily_asset(stream: DailyStream[Any]) -> dg.AssetsDefinition:
    """The two assets of a stream: its rows, and the ledger's rows that follow. One pass over the API for both."""
    rows_key, ledger_key = stream.key, stream.ledger
    follows = (
        [dg.AssetDep(stream.follows, partition_mapping=dg.MultiToSingleDimensionPartitionMapping(PROFILE))]
        if stream.follows
        else []
    )

    @dg.multi_asset(
        name=stream.name,
        specs=[
            dg.AssetSpec(
                rows_key,
                deps=follows,
                description=stream.description,
                group_name=stream.source.name,
                kinds={stream.source.name, "python", "table"},
                owners=OWNERS,
                metadata=column_schema(stream.table),
                freshness_policy=NIGHTLY,
                skippable=True,
            ),
            dg.AssetSpec(
                ledger_key,
                deps=[rows_key],
                description=stream.ledger_description,
                group_name="ledger",
                kinds={"python", "table"},
                owners=OWNERS,
                metadata=column_schema(sales_events),
                freshness_policy=NIGHTLY,
                skippable=True,
            ),
        ],
        check_specs=[check.spec() for check in stream.checks],
        can_subset=True,
        partitions_def=dg.MultiPartitionsDefinition({DATE: daily, PROFILE: stream.profiles}),
        hooks=hooks_of(stream.source),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRY,
        pool=f"{stream.source.name}_api",
        required_resource_keys={"warehouse", stream.source.name},
    )
    def body(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
        """Read each profile's days in one pass over the API; both assets land in one transaction."""
        warehouse, outcome, tally = opened(context), Outcome(context), stream.tally()
        selected = set(context.selected_asset_keys)
        done = outcome.done_before()
        for profile_id, days in days_by_profile(context.partition_keys).items():
            todo = [
                day
                for day in days
                if not all((key.to_user_string(), partition_key(day, profile_id)) in done for key in selected)
            ]
            landed: set[str] = set()
            with outcome.isolate([partition_key(day, profile_id) for day in todo], landed):
                request = Request(
                    warehouse,
                    getattr(context.resources, stream.source.name),
                    profile_id,
                    contiguous(todo),
                    with_ledger=ledger_key in selected,
                    allow_shrink=allow_shrink(context),
                )
                for part in _parts(context, stream, request, read=rows_key in selected):
                    if part.part is not None:
                        tally.add(part.part)
                    stream.report(outcome, profile_id, part, selected)
                    landed.update(partition_key(day, profile_id) for day in part.days)
        yield from step_checks.results(stream.checks, tally.verdicts(), context.selected_asset_check_keys)
        outcome.raise_if_failed()

    return body


def _parts(
    context: dg.AssetExecutionContext, stream: DailyStream[Any], request: Request[Any], *, read: bool
) -> Iterator[Landed]:
    if not read:
        yield from stream.rebuild(request)
        return
    started = now()
    with noting_refusals(request.warehouse, stream.source, request.profile_id):
        request.resource.require_enabled()
        for part in stream.load(request):
            for kind, names in part.new_names.items():
                report_unknown(context, request.warehouse, stream.source.name, kind, names)
            yield part
    if stream.ends_sync:
        with request.warehouse.write() as connection:
            mark_synced(connection, stream.source.provider, request.profile_id, started)


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


def snapshot_asset(stream: SnapshotStream[Any]) -> dg.AssetsDefinition:
    """The asset of a stream that is read whole."""

    @dg.multi_asset(
        name=stream.name,
        specs=[
            dg.AssetSpec(
                stream.key,
                description=stream.description,
                group_name=stream.source.name,
                kinds={stream.source.name, "python", "table"},
                owners=OWNERS,
                metadata=column_schema(stream.table),
                freshness_policy=NIGHTLY,
                skippable=True,
            )
        ],
        check_specs=[check.spec() for check in stream.checks],
        can_subset=bool(stream.checks),
        partitions_def=stream.profiles,
        hooks=hooks_of(stream.source),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRY,
        pool=f"{stream.source.name}_api",
        required_resource_keys={"warehouse", stream.source.name},
    )
    def body(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
        """Read each profile of the run and store it."""
        warehouse, outcome, tally = opened(context), Outcome(context), stream.tally()
        done = outcome.done_before()
        for profile_id in context.partition_keys:
            if (stream.key.to_user_string(), profile_id) in done:
                continue
            resource = getattr(context.resources, stream.source.name)
            request = Request(warehouse, resource, profile_id, allow_shrink=allow_shrink(context))
            with outcome.isolate([profile_id], set()):
                with noting_refusals(warehouse, stream.source, profile_id):
                    resource.require_enabled()
                    read = stream.load(request)
                if read.part is not None:
                    tally.add(read.part)
                for kind, names in read.new_names.items():
                    report_unknown(context, warehouse, stream.source.name, kind, names)
                outcome.materialized(stream.key, profile_id, read.rows, read.metadata)
        yield from step_checks.results(stream.checks, tally.verdicts(), context.selected_asset_check_keys)
        outcome.raise_if_failed()

    return body
