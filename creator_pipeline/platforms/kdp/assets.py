"""Assets ``kdp/royalties`` and ``sales_events/amazon_kdp``: one partition for each uploaded report."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp import PLATFORM, checks
from creator_pipeline.platforms.kdp.cells import safe_cell
from creator_pipeline.platforms.kdp.inbox import file_of
from creator_pipeline.platforms.kdp.ingest import Ingested, ingest
from creator_pipeline.platforms.kdp.inspect import period
from creator_pipeline.platforms.kdp.model import Report, total
from creator_pipeline.runtime.describe import (
    OWNERS,
    PREVIEW_ROWS,
    column_schema,
    ledger_preview,
    ledger_totals,
    preview,
)
from creator_pipeline.runtime.hooks import hooks_of
from creator_pipeline.runtime.outcome import RETRY, Outcome, allow_shrink
from creator_pipeline.runtime.resources import WarehouseResource, require_enabled
from creator_pipeline.store.tables import kdp_royalties, sales_events

ROYALTIES = dg.AssetKey(["kdp", "royalties"])
EVENTS = dg.AssetKey(["sales_events", "amazon_kdp"])
UPLOADS = dg.DynamicPartitionsDefinition(name=PLATFORM.partitions)
MONTHLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=62), warn_window=timedelta(days=40))
"""KDP settles a month about the fifteenth of the next."""


@dg.multi_asset(
    name="kdp_royalties",
    specs=[
        dg.AssetSpec(
            ROYALTIES,
            description="Every source row of an uploaded KDP report. Where reports overlap, one counts per month or "
            "day: final before monthly before daily, later before earlier. A report that can't be used, or holds "
            "less than what it would replace, fails here with the place and the hint.",
            group_name="kdp",
            kinds={"python", "table"},
            owners=OWNERS,
            metadata=column_schema(kdp_royalties),
            freshness_policy=MONTHLY,
            skippable=True,
        ),
        dg.AssetSpec(
            EVENTS,
            deps=[ROYALTIES],
            description="The ledger's rows of Amazon KDP: one per month or day, book, shop, royalty type and "
            "transaction, from the upload that counts. Estimates until the final report is uploaded.",
            group_name="ledger",
            kinds={"python", "table"},
            owners=OWNERS,
            metadata=column_schema(sales_events),
            freshness_policy=MONTHLY,
            skippable=True,
        ),
    ],
    check_specs=checks.SPECS,
    partitions_def=UPLOADS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY,
    hooks=hooks_of(PLATFORM.source),
)
def royalties(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
    """Ingest each upload of the run, each in one transaction with its ledger."""
    require_enabled(settings.load(), PLATFORM.source)
    house, outcome, landed = warehouse.open(), Outcome(context), list[Ingested]()
    done_before = outcome.done_before()
    for partition in context.partition_keys:
        if (EVENTS.to_user_string(), partition) in done_before:
            continue
        with outcome.isolate([partition], set()):
            done = ingest(
                house, file_of(house, partition), accept_smaller=allow_shrink(context), run_id=context.run.run_id
            )
            if done.error is not None:
                # An observation, because nothing landed: the partition's page shows what is wrong with the file.
                context.log_event(dg.AssetObservation(ROYALTIES, partition=partition, metadata=told(done)))
                raise done.error
            landed.append(done)
            outcome.materialized(ROYALTIES, partition, len(done.report.rows) if done.report else 0, told(done))
            events = list(done.events)
            shown = {**ledger_totals(events), "preview": ledger_preview(events)} if events else {}
            outcome.materialized(
                EVENTS, partition, len(events), {**done.ledger.metadata(), **shown, **_what_counts(done)}
            )
            if done.held_back:
                context.log.warning("Held back since this upload: %s", ", ".join(map(safe_cell, done.held_back)))
    # A step that failed shows its failure; checks over nothing would be green.
    if landed:
        yield from checks.results(house, landed)
    outcome.raise_if_failed()


def _what_counts(done: Ingested) -> dict[str, Any]:
    counts = done.decision.counts if done.decision else {}
    mine = sorted(name for name, upload_id in counts.items() if upload_id == done.file.upload_id)
    told_of = {"counts_for": ", ".join(mine[:PREVIEW_ROWS]) + (" …" if len(mine) > PREVIEW_ROWS else "")}
    return told_of if mine else {"counts_for": "nothing: better reports cover all of it"}


def told(done: Ingested) -> dict[str, Any]:
    """Metadata of an upload, good or not. Names and titles come from outside: never formulas, never markup."""
    report, metadata = done.report, dict[str, Any]()
    metadata |= {
        "file": dg.MetadataValue.text(safe_cell(done.file_name)),
        "profile": done.file.profile_id,
        "verdict": done.status,
    }
    if done.error is not None:
        place = done.error.where()
        metadata["error"] = dg.MetadataValue.text(done.error.message)
        metadata["hint"] = dg.MetadataValue.text(done.error.hint)
        metadata |= {f"error_{name}": dg.MetadataValue.text(safe_cell(str(value))) for name, value in place.items()}
    if report is not None:
        metadata |= _figures(report)
        if done.held_back:
            metadata["held_back_now"] = dg.MetadataValue.text(", ".join(map(safe_cell, done.held_back)))
    if done.problems:
        metadata["problems"] = preview(
            ("level", "sheet", "row", "column", "found", "expected", "hint"),
            [
                (p.level, p.sheet, p.row, p.column, safe_cell(p.found or ""), p.expected, p.hint)
                for p in done.problems[:20]
            ],
        )
    return {**metadata, **done.rows.metadata()}


def _figures(report: Report) -> dict[str, Any]:
    sales, pages = total(report.of_kind("sales")), total(report.of_kind("kenp"))
    money = {
        f"{name}_{code}": to_text(micros, code)
        for name, sums in (("royalty", sales), ("kenp_royalty", pages))
        for code, micros in sorted(sums.royalty_micros.items())
    }
    shown = [
        (
            row.facts.day,
            safe_cell(row.facts.title or ""),
            row.facts.marketplace,
            row.facts.transaction,
            row.figures.units_sold - row.figures.units_refunded or row.figures.pages_read,
            to_text(row.figures.royalty_micros, row.facts.currency) if row.facts.currency else "",
            row.facts.currency,
        )
        for row in report.rows[:PREVIEW_ROWS]
    ]
    return {
        "kind": report.kind,
        "finality": report.finality or "none: no royalties",
        "period": period(report) or "none: no rows",
        "net_units": sales.net_units,
        "free_units": sales.free_units,
        "kenp_pages": pages.pages_read,
        **money,
        "preview": preview(("day", "title", "shop", "transaction", "units or pages", "royalty", "currency"), shown),
    }
