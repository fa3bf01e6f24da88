"""Assets made from streams: one factory for tables by day and profile, one for tables that are read whole."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.windows import DayWindow, contiguous, now, partition_key
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.describe import OWNERS, column_schema
from creator_pipeline.runtime.hooks import hooks_of
from creator_pipeline.runtime.links import code, column_lineage, external, origins, see
from creator_pipeline.runtime.outcome import RETRY, Outcome, allow_shrink, since
from creator_pipeline.runtime.partitions import DATE, PROFILE, daily, days_by_profile
from creator_pipeline.runtime.refused_tokens import noting_refusals
from creator_pipeline.runtime.resources import opened
from creator_pipeline.runtime.streams import DailyStream, Landed, Request, SnapshotStream
from creator_pipeline.runtime.turns import Turn, in_turns
from creator_pipeline.runtime.unknown_fields import report_unknown
from creator_pipeline.store.freshness import mark_fresh, reads_the_present
from creator_pipeline.store.profiles import mark_synced
from creator_pipeline.store.source import Source
from creator_pipeline.store.tables import sales_events

NIGHTLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=26))


def _outside(source: Source) -> list[dg.AssetKey]:
    """What a platform's tables are read from."""
    return [external(source.name)] if source.external else []


def _page(source: Source) -> str:
    return see(source.page) if source.page else ""


def daily_asset(stream: DailyStream[Any]) -> dg.AssetsDefinition:
    """The two assets of a stream: its rows, and the ledger's rows that follow. One pass over the API for both.

    Where only the rows are selected the ledger goes with them, in the same transactions, and is logged too. Where only
    the ledger is selected it is made anew from what is stored.
    """
    rows_key, ledger_key = stream.key, stream.ledger
    source = stream.source
    follows: list[Any] = (
        [dg.AssetDep(stream.follows, partition_mapping=dg.MultiToSingleDimensionPartitionMapping(PROFILE))]
        if stream.follows
        else []
    )

    @dg.multi_asset(
        name=stream.name,
        specs=[
            dg.AssetSpec(
                rows_key,
                deps=[*follows, *_outside(source)],
                description=f"{stream.description}{_page(source)}",
                group_name=stream.source.name,
                kinds={stream.source.name, "python", "table"},
                owners=OWNERS,
                metadata={**column_schema(stream.table), **code(stream.load)},
                freshness_policy=NIGHTLY,
                skippable=True,
            ),
            dg.AssetSpec(
                ledger_key,
                deps=[rows_key],
                description=f"{stream.ledger_description}{_page(source)}",
                group_name="ledger",
                kinds={"python", "table"},
                owners=OWNERS,
                metadata={
                    **column_schema(sales_events, origins(stream.lineage)),
                    **column_lineage(stream.lineage),
                    **code(stream.rebuild, stream.load),
                },
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
        read = rows_key in context.selected_asset_keys
        lands = {rows_key, ledger_key} if read else {ledger_key}
        done = outcome.done_before()
        for profile_id, days in days_by_profile(context.partition_keys).items():
            todo = [
                day
                for day in days
                if not all((key.to_user_string(), partition_key(day, profile_id)) in done for key in lands)
            ]
            landed: set[str] = set()
            with outcome.isolate([partition_key(day, profile_id) for day in todo], landed):
                request = Request(
                    warehouse,
                    getattr(context.resources, stream.source.name),
                    profile_id,
                    contiguous(todo),
                    allow_shrink=allow_shrink(context),
                )
                for part in _parts(context, stream, request, contiguous(days), read=read):
                    if part.part is not None:
                        tally.add(part.part)
                    stream.report(outcome, profile_id, part, rows=read)
                    landed.update(partition_key(day, profile_id) for day in part.days)
                    change = part.ledger_change
                    stream.report_touched(outcome, warehouse, profile_id, change, by=stream.key, known=part.days)
        verdicts = list(tally.verdicts())
        checked = context.selected_asset_check_keys
        yield from step_checks.results(stream.checks, verdicts, checked)
        beside = [check for check in stream.checks if check.asset in lands - set(context.selected_asset_keys)]
        step_checks.log(context, beside, verdicts, left_out=checked)
        outcome.raise_if_failed()

    return body


def _parts(
    context: dg.AssetExecutionContext,
    stream: DailyStream[Any],
    request: Request[Any],
    asked: Sequence[DayWindow],
    *,
    read: bool,
) -> Iterator[Landed]:
    """Read what is left of the days that were asked for; the others landed in an attempt before."""
    if not read:
        yield from stream.rebuild(request)
        return
    started = now()
    with noting_refusals(request.warehouse, stream.source, request.profile_id):
        request.resource.require_enabled()
        turn = Turn(context.instance, context.run)

        def load(windows: Sequence[DayWindow]) -> Iterator[Landed]:
            for part in stream.load(replace(request, windows=windows)):
                yield replace(part, days=tuple(part.days))

        for part in in_turns(turn, request.windows, load, lambda part: part.days):
            for kind, names in part.new_names.items():
                report_unknown(context, request.warehouse, stream.source.name, kind, names)
            yield part
    if stream.ends_sync:
        with request.warehouse.write() as connection:
            mark_synced(connection, stream.source.provider, request.profile_id, started)
            if reads_the_present(asked, started, settings.load().pipeline_start_date):
                mark_fresh(connection, stream.source, request.profile_id, started)


def snapshot_asset(*streams: SnapshotStream[Any], name: str = "") -> dg.AssetsDefinition:
    """The assets of streams that are read whole: of several, one step that reads them one after the other.

    Args:
        streams: of one platform.
        name: of the step; that of the first stream where it is empty.
    """
    source, profiles = streams[0].source, streams[0].profiles
    checks = [check.spec() for stream in streams for check in stream.checks]

    @dg.multi_asset(
        name=name or streams[0].name,
        specs=[
            dg.AssetSpec(
                stream.key,
                deps=[*stream.follows, *_outside(source)],
                description=f"{stream.description}{see(stream.page) if stream.page else _page(source)}",
                group_name=source.name,
                kinds={source.name, "python", "table"},
                owners=OWNERS,
                metadata={**column_schema(stream.table), **code(stream.declared or stream.load)},
                freshness_policy=NIGHTLY,
                skippable=True,
            )
            for stream in streams
        ],
        check_specs=checks,
        can_subset=bool(checks) or len(streams) > 1,
        partitions_def=profiles,
        hooks=hooks_of(source),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRY,
        pool=f"{source.name}_api",
        required_resource_keys={"warehouse", source.name},
    )
    def body(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
        """Read each profile of the run and store it."""
        warehouse, outcome = opened(context), Outcome(context)
        wanted = [(stream, stream.tally()) for stream in streams if stream.key in context.selected_asset_keys]
        touched = {stream.key: stream.touches.tally() for stream, _ in wanted if stream.touches}
        done = outcome.done_before()
        for profile_id in context.partition_keys:
            for stream, tally in wanted:
                if (stream.key.to_user_string(), profile_id) in done:
                    continue
                resource = getattr(context.resources, source.name)
                with outcome.isolate([profile_id], set()):
                    shrink, day = allow_shrink(context), since(context)
                    request = Request(warehouse, resource, profile_id, allow_shrink=shrink, since=day)
                    with noting_refusals(warehouse, source, profile_id):
                        resource.require_enabled()
                        read = stream.load(request)
                    if read.part is not None:
                        tally.add(read.part)
                    for kind, names in read.new_names.items():
                        report_unknown(context, warehouse, source.name, kind, names)
                    stream.report(outcome, warehouse, profile_id, read, touched.get(stream.key))
        for stream, tally in wanted:
            if stream.touches:
                step_checks.log(context, stream.touches.ledger_checks(), touched[stream.key].verdicts())
            selected = {key for key in context.selected_asset_check_keys if key.asset_key == stream.key}
            yield from step_checks.results(stream.checks, tally.verdicts(), selected)
        outcome.raise_if_failed()

    return body
