"""Assets ``kdp/royalties``, ``kdp/payments``, ``sales_events/amazon_kdp``: one partition for each uploaded report."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from sqlalchemy import Table, func, select

from creator_pipeline import settings
from creator_pipeline.core.money import to_text
from creator_pipeline.ledger.replace import places_of
from creator_pipeline.platforms.kdp import PLATFORM, checks
from creator_pipeline.platforms.kdp.cells import safe_cell
from creator_pipeline.platforms.kdp.child_process import one_reader
from creator_pipeline.platforms.kdp.inbox import file_of
from creator_pipeline.platforms.kdp.ingest import Ingested, ingest
from creator_pipeline.platforms.kdp.inspect import period
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS, kdp_event
from creator_pipeline.platforms.kdp.lineage import LINEAGE
from creator_pipeline.platforms.kdp.models import Report, total
from creator_pipeline.platforms.kdp.payments_shown import payments_metadata
from creator_pipeline.platforms.kdp.touched import touched
from creator_pipeline.platforms.kdp.view_counts import Counts, changed, counts
from creator_pipeline.platforms.kdp.views import VIEWS
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.describe import (
    OWNERS,
    PREVIEW_ROWS,
    column_schema,
    preview,
)
from creator_pipeline.runtime.hooks import hooks_of
from creator_pipeline.runtime.keys import asset_key, named_key
from creator_pipeline.runtime.links import Lineage, code, column_lineage, external, origins, see
from creator_pipeline.runtime.outcome import AUTO_RETRY_TAG, CHANGED_BY, RETRY, Outcome, allow_shrink
from creator_pipeline.runtime.resources import WarehouseResource, require_enabled
from creator_pipeline.runtime.streams import shown_events
from creator_pipeline.runtime.tags import FILES_TAG
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_files, kdp_royalties, payouts, sales_events

ROYALTIES = asset_key("kdp", "royalties")
PAYMENTS = asset_key("kdp", "payments")
EVENTS = asset_key("sales_events", "amazon_kdp")
UPLOAD_PARTITIONS = dg.DynamicPartitionsDefinition(name=PLATFORM.partitions_name)
"""A partition for each content that was uploaded; its key is the beginning of the content's SHA-256."""
PARTIAL_TAG = "creator_pipeline/partial"
"""Tag of a run whose reports hold only a part: what they lack stays."""
MONTHLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=62), warn_window=timedelta(days=40))
"""KDP gives the final report of a month about the fifteenth of the next."""


def _spec(
    key: dg.AssetKey,
    table: Table,
    *,
    group: str,
    description: str,
    deps: Sequence[dg.AssetKey] = (),
    kind: str = "table",
    made_by: Sequence[Any] = (),
    lineage: Lineage | None = None,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=deps,
        description=f"{description}{see(PLATFORM.page)}",
        group_name=group,
        kinds={"python", kind},
        owners=OWNERS,
        metadata={**column_schema(table, origins(lineage or {})), **code(*made_by), **column_lineage(lineage or {})},
        freshness_policy=MONTHLY,
        skippable=True,
    )


@dg.multi_asset(
    name="kdp_royalties",
    specs=[
        _spec(
            ROYALTIES,
            kdp_royalties,
            group="kdp",
            deps=[external(PLATFORM.name)],
            made_by=[ingest],
            description="Every source row of an uploaded KDP report. Where reports overlap, one counts per month or "
            "day: final before monthly before daily, later before earlier. A report that can't be used, or holds "
            "less than what it would replace, fails here with the place and the hint.",
        ),
        _spec(
            PAYMENTS,
            payouts,
            group="kdp",
            deps=[external(PLATFORM.name)],
            made_by=[ingest],
            description="Payments to the bank and what each is made of, from all Payments reports of a profile "
            "together: the newest reading of a payment counts, and one that is missing in it stays. A partition that "
            "is another report brings no payments and stays empty.",
        ),
        _spec(
            EVENTS,
            sales_events,
            group="ledger",
            deps=[ROYALTIES, PAYMENTS],
            made_by=[kdp_event, ingest],
            lineage=LINEAGE,
            description="The ledger's rows of Amazon KDP: one per month or day, book, shop, royalty type and "
            "transaction, from the upload that counts. Estimates until the final report is uploaded. Of payments only "
            "their adjustments.",
        ),
        *(
            _spec(
                named_key(view.asset),
                view.table,
                group="kdp",
                deps=[named_key(view.follows)],
                kind="view",
                made_by=[view.declared],
                description=f"{view.about} {view.rule} A partition has the rows that its report counts for.",
            )
            for view in VIEWS
        ),
    ],
    check_specs=checks.SPECS,
    # Whatever is ticked, an upload is taken whole: its rows, its payments and the ledger, in one transaction.
    can_subset=True,
    partitions_def=UPLOAD_PARTITIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY,
    hooks=hooks_of(PLATFORM.source),
)
def royalties(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
    """Ingest each upload of the run, each in one transaction with its rows in the ledger.

    Raises:
        ConfigError: the feature flag of KDP is off.
        dg.Failure: an upload is refused or can't be ingested; names the partitions. The other uploads have landed.
    """
    require_enabled(settings.load(), PLATFORM.source)
    store, outcome = warehouse.open(), Outcome(context)
    before = _counts(context, store)
    # One process has the reader loaded for all files.
    with one_reader():
        landed = _ingest_all(context, store, outcome)
    for view, partition, rows in changed(before, _counts(context, store), context.partition_keys):
        told = {} if partition in context.partition_keys else {CHANGED_BY: ROYALTIES.to_user_string()}
        outcome.materialized(named_key(view.asset), partition, rows, told)
    # Checks over nothing would be green beside a step that failed.
    if landed:
        for result in checks.results(store, landed):
            if step_checks.evaluation(result).asset_check_key in context.selected_asset_check_keys:
                yield result
            else:
                step_checks.log_result(context, result)
    outcome.raise_if_failed()


def _counts(context: dg.AssetExecutionContext, store: Warehouse) -> Counts:
    here = func.substr(kdp_files.c.upload_id, 1, PARTITION_DIGITS).in_(context.partition_keys)
    with store.read() as connection:
        owners = connection.execute(select(kdp_files.c.profile_id).where(here).distinct()).scalars()
        return counts(connection, owners)


def _ingest_all(context: dg.AssetExecutionContext, store: Warehouse, outcome: Outcome) -> list[Ingested]:
    landed, whose = list[Ingested](), context.run.tags.get(FILES_TAG)
    done_before = outcome.done_before() | outcome.done_before_kill()
    again = bool(context.retry_number) or AUTO_RETRY_TAG in context.run.tags
    for partition in context.partition_keys:
        if (EVENTS.to_user_string(), partition) in done_before:
            continue
        with outcome.isolate([partition], set()):
            file = file_of(store, partition)
            if whose is not None and (file.profile_id != whose or (file.state != "settled" and not again)):
                continue  # another run has taken it since
            done = ingest(
                store,
                file,
                accept_smaller=allow_shrink(context),
                partial=context.run.tags.get(PARTIAL_TAG) == "true",
                run_id=context.run.run_id,
            )
            if done.error is not None:
                # An observation, because nothing landed: the partition's page shows what is wrong with the file.
                context.log_event(dg.AssetObservation(ROYALTIES, partition=partition, metadata=metadata_of(done)))
                raise done.error
            landed.append(done)
            _log_landed(outcome, partition, done)
            for other, count, told in touched(store, places_of(done.ledger), by=partition):
                outcome.materialized(EVENTS, other, count, told)
            if done.held_back:
                context.log.warning("Held back since this upload: %s", ", ".join(map(safe_cell, done.held_back)))
    return landed


def _log_landed(outcome: Outcome, partition: str, done: Ingested) -> None:
    outcome.materialized(ROYALTIES, partition, len(done.report.rows) if done.report else 0, metadata_of(done))
    if done.report and done.report.payments:
        outcome.materialized(PAYMENTS, partition, len(done.report.payments), payments_metadata(done))
    events = list(done.events)
    shown = {**done.ledger.metadata(), **shown_events(events), **_what_counts(done)}
    outcome.materialized(EVENTS, partition, len(events), shown)


def _what_counts(done: Ingested) -> dict[str, Any]:
    mine = done.decision.counts_of(done.file.upload_id or "") if done.decision else []
    shown = {"counts_for": ", ".join(mine[:PREVIEW_ROWS]) + (" …" if len(mine) > PREVIEW_ROWS else "")}
    return shown if mine else {"counts_for": "nothing: it was withdrawn, or better reports cover all of it"}


def metadata_of(done: Ingested) -> dict[str, Any]:
    """Metadata of an upload, ingested or refused. Names and titles from outside are made safe against formulas."""
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
        metadata |= _contents(report)
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


def _contents(report: Report) -> dict[str, Any]:
    sales, pages = total(report.of_kind("sales")), total(report.of_kind("kenp"))
    money = {
        f"{name}_{code}": to_text(micros, code)
        for name, sums in (("royalty", sales), ("kenp_royalty", pages))
        for code, micros in sorted(sums.royalty_micros.items())
    }
    shown = [
        (
            row.dimensions.day,
            safe_cell(row.dimensions.title or ""),
            row.dimensions.marketplace,
            row.dimensions.transaction,
            row.measures.units_sold - row.measures.units_refunded or row.measures.pages_read,
            to_text(row.measures.royalty_micros, row.dimensions.currency) if row.dimensions.currency else "",
            row.dimensions.currency,
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
