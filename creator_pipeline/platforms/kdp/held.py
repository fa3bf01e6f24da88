"""What the owner of a report says of one that is held back."""

from __future__ import annotations

from sqlalchemy import and_, select, update

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.platforms.kdp.ingest import lock_uploads
from creator_pipeline.platforms.kdp.ledger_rewrite import decision, rewrite_ledger
from creator_pipeline.platforms.kdp.models import PAYMENTS
from creator_pipeline.platforms.kdp.payouts_store import rewrite_payouts
from creator_pipeline.platforms.kdp.sizes import from_json
from creator_pipeline.platforms.kdp.upload_records import end_job_of_stored, store_statuses
from creator_pipeline.platforms.kdp.withdraw import withdraw
from creator_pipeline.platforms.uploads import Choice
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_uploads

PART, SMALLER, WRONG = "part", "smaller", "wrong"
HELD = and_(kdp_uploads.c.status == "quarantined", kdp_uploads.c.slices.is_not(None), kdp_uploads.c.answer.is_(None))
"""Reports that wait for an answer."""
CHOICES = (
    Choice(PART, "It is only a part", "One shop, format or author: it counts, and what it lacks stays."),
    Choice(SMALLER, "It is right as it is", "It counts, and what it lacks goes."),
    Choice(WRONG, "It is the wrong file", "It is taken back, as if it had never come."),
)


def answer(warehouse: Warehouse, profile_id: str, upload_id: str, word: str) -> bool:
    """Note what the owner says of a report that is held back. :func:`work_off` does it: the page writes no ledger.

    Args:
        warehouse: where it is.
        profile_id: whose report it must be.
        upload_id: of the report.
        word: of one of :data:`CHOICES`.

    Returns:
        False where the profile has no such report that waits for an answer, or the word is none.
    """
    if word not in {choice.word for choice in CHOICES}:
        return False
    mine = and_(HELD, kdp_uploads.c.id == upload_id, kdp_uploads.c.profile_id == profile_id)
    with warehouse.write() as connection:
        return connection.execute(update(kdp_uploads).where(mine).values(answer=word)).rowcount == 1


def work_off(warehouse: Warehouse) -> list[str]:
    """Do what owners said; the ledger and its roll-up follow.

    Returns:
        A sentence for each report.
    """
    columns = kdp_uploads.c
    asked = select(columns.id, columns.profile_id, columns.answer, columns.status).where(columns.answer.is_not(None))
    with warehouse.read() as connection:
        rows = connection.execute(asked.order_by(columns.uploaded_at, columns.id)).all()
    told: list[str] = []
    for row in rows:
        said = f"The owner of upload {row.id[:12]} of {row.profile_id} said: {row.answer}."
        try:
            # A command may have decided meanwhile.
            if row.status == "quarantined":
                _do(warehouse, row.profile_id, row.id, row.answer)
        except PipelineError as error:
            # It waits for an answer again, and stops no other.
            said = f"{said} It couldn't be done: {error.message}"
        with warehouse.write() as connection:
            connection.execute(update(kdp_uploads).where(columns.id == row.id).values(answer=None))
        told.append(said)
    if rows:
        roll_up(warehouse)
    return told


def _do(warehouse: Warehouse, profile_id: str, upload_id: str, word: str) -> None:
    if word == WRONG:
        withdraw(warehouse, upload_id)
    else:
        _accept(warehouse, profile_id, upload_id, partial=word == PART)


def _accept(warehouse: Warehouse, profile_id: str, upload_id: str, *, partial: bool) -> None:
    here = kdp_uploads.c.id == upload_id
    with warehouse.write() as connection:
        lock_uploads(connection, profile_id)
        row = connection.execute(select(kdp_uploads.c.slices, kdp_uploads.c.kind).where(here)).one()
        before = decision(connection, profile_id)
        connection.execute(update(kdp_uploads).where(here).values(partial=partial, accepted_smaller=not partial))
        after = decision(connection, profile_id)
        rewrite_ledger(connection, profile_id, before, after, own=from_json(row.slices or "{}"))
        if row.kind == PAYMENTS:
            rewrite_payouts(connection, profile_id)
        store_statuses(connection, after)
        end_job_of_stored(connection, profile_id, upload_id)
