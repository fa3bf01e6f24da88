"""Partitions of the ledger that change because of another upload: they are logged with what they hold now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg
from sqlalchemy import select

from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import Place, places_of
from creator_pipeline.platforms.kdp import checks
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS, PLATFORM
from creator_pipeline.platforms.kdp.view_counts import changed, counts
from creator_pipeline.platforms.kdp.withdraw import Withdrawn
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.outcome import CHANGED_BY
from creator_pipeline.runtime.streams import shown_events
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events

_EVENTS, _ROYALTIES = asset_key("sales_events", PLATFORM), asset_key("kdp", "royalties")


def touched(warehouse: Warehouse, places: Iterable[Place], *, by: str) -> list[tuple[str, int, dict[str, Any]]]:
    """The partitions of other uploads that rows of a change come from: key, number of rows, metadata.

    Args:
        warehouse: where the ledger is.
        places: where the rows come from that changed.
        by: the partition of the upload that changed them.
    """
    found: dict[str, list[LedgerEvent]] = {place.source: [] for place in places if place.source != by}
    columns = sales_events.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(sales_events)
            .where(columns.platform == PLATFORM, columns.source.in_(sorted(found)))
            .order_by(columns.occurred_at, columns.id)
        )
        for row in rows:
            event = LedgerEvent(*row)
            found[event.source].append(event)
    marks = {CHANGED_BY: _ROYALTIES.to_user_string(), "upload": by}
    return [(key, len(events), {**marks, **shown_events(events)}) for key, events in sorted(found.items())]


def log_withdrawal(instance: dg.DagsterInstance, warehouse: Warehouse, done: Withdrawn) -> None:
    """Log what a withdrawal did: no run of Dagster makes it.

    Args:
        instance: takes the events.
        warehouse: where the ledger is.
        done: what was taken back.
    """
    partition = done.upload_id[:PARTITION_DIGITS]
    told = {"verdict": "withdrawn", **done.ledger.metadata()}
    instance.report_runless_asset_event(dg.AssetObservation(_ROYALTIES, partition=partition, metadata=told))
    ledger = touched(warehouse, places_of(done.ledger), by="")
    for key, rows, metadata in ledger:
        shown = {**metadata, "upload": partition, "dagster/partition_row_count": dg.MetadataValue.int(rows)}
        instance.report_runless_asset_event(dg.AssetMaterialization(_EVENTS, partition=key, metadata=shown))
    with warehouse.read() as connection:
        after = counts(connection, [done.profile_id])
    for view, key, rows in changed(done.before, after, ()):
        told = {CHANGED_BY: _ROYALTIES.to_user_string(), "dagster/partition_row_count": dg.MetadataValue.int(rows)}
        landed = dg.AssetMaterialization(view.asset.split("/"), partition=key, metadata=told)
        instance.report_runless_asset_event(landed)
    if ledger:
        result = checks.of_ledger(warehouse, [done.profile_id])
        instance.report_runless_asset_event(step_checks.evaluation(result))
