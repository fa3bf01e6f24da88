"""Takes an upload back: the ledger is then as if it had never come."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, update

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.platforms.kdp.ingest import lock_uploads
from creator_pipeline.platforms.kdp.ledger_rewrite import decision, rewrite_ledger
from creator_pipeline.platforms.kdp.models import PAYMENTS, WITHDRAWN
from creator_pipeline.platforms.kdp.payouts_store import rewrite_payouts
from creator_pipeline.platforms.kdp.sizes import from_json
from creator_pipeline.platforms.kdp.upload_records import store_statuses
from creator_pipeline.platforms.kdp.view_counts import Counts, counts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change
from creator_pipeline.store.tables import kdp_files, kdp_payments, kdp_royalties, kdp_uploads

_LEAST_DIGITS = 6


class Withdrawn(NamedTuple):
    """An upload that was taken back.

    Attributes:
        held_back: names of the files that are held back now, because it is gone.
        back: names of the files that were held back because of it, and are no longer.
        ledger: what changed in the ledger.
        before: rows of the views by partition, as they were.
    """

    upload_id: str
    profile_id: str
    file_name: str
    held_back: tuple[str, ...]
    back: tuple[str, ...]
    ledger: Change
    before: Counts


def withdraw(warehouse: Warehouse, upload: str) -> Withdrawn:
    """Take an upload back, in one transaction with the ledger and the statuses of the other uploads.

    Its rows are deleted. Its row in ``kdp_uploads`` stays with the status ``withdrawn``, and its file isn't taken again
    by itself; put into the inbox anew, or ingested by the command, it is an upload like any other. Closed months stand:
    what goes away in them is booked now, like every later correction.

    Args:
        warehouse: where it is.
        upload: the first hex digits of its id; six at least.

    Raises:
        ConfigError: no upload, or more than one, begins so.
    """
    with warehouse.write() as connection:
        profile_id = _find(connection, upload).profile_id
        lock_uploads(connection, profile_id)
        row = _find(connection, upload)
        before, rows_before = decision(connection, profile_id), counts(connection, [profile_id])
        here = kdp_uploads.c.id == row.id
        connection.execute(
            update(kdp_uploads)
            .where(here)
            .values(status=WITHDRAWN, slices=None, rows=0, error=None, accepted_smaller=False, partial=False)
        )
        connection.execute(update(kdp_files).where(kdp_files.c.upload_id == row.id).values(state=WITHDRAWN))
        after = decision(connection, profile_id)
        connection.execute(delete(kdp_royalties).where(kdp_royalties.c.upload_id == row.id))
        change = rewrite_ledger(connection, profile_id, before, after, own=from_json(row.slices or "{}")).change
        if row.kind == PAYMENTS:
            connection.execute(delete(kdp_payments).where(kdp_payments.c.upload_id == row.id))
            change += rewrite_payouts(connection, profile_id).ledger
        store_statuses(connection, after)
        gone = before.quarantined - after.quarantined - {row.id}
        return Withdrawn(
            row.id,
            profile_id,
            row.file_name,
            _names(connection, after.quarantined - before.quarantined),
            _names(connection, gone),
            change,
            rows_before,
        )


def _find(connection: Connection, upload: str) -> Any:
    columns, digits = kdp_uploads.c, upload.strip().lower()
    rows = connection.execute(
        select(columns.id, columns.profile_id, columns.file_name, columns.kind, columns.slices)
        .where(columns.id.startswith(digits, autoescape=True), columns.status != WITHDRAWN)
        .limit(2)
    ).all()
    if len(digits) < _LEAST_DIGITS or len(rows) != 1:
        several = (
            f"More than one upload begins with {upload!r}." if len(rows) > 1 else f"There is no upload {upload!r}."
        )
        raise ConfigError(
            several if len(digits) >= _LEAST_DIGITS else f"{upload!r} is too short for an upload.",
            hint="`creator-pipeline kdp uploads` lists all; the first 16 digits are enough.",
        )
    return rows[0]


def _names(connection: Connection, ids: frozenset[str]) -> tuple[str, ...]:
    columns = kdp_uploads.c
    return tuple(
        connection.execute(select(columns.file_name).where(columns.id.in_(ids)).order_by(columns.file_name)).scalars()
    )
