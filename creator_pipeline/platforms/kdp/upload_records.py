"""Table ``kdp_uploads``: what each uploaded file is, its status, and the reason. And the jobs of uploads."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.windows import now
from creator_pipeline.mail.wording import SHELL
from creator_pipeline.platforms.kdp.files import File
from creator_pipeline.platforms.kdp.models import Report, slice_period
from creator_pipeline.platforms.kdp.precedence import Decision, Loss
from creator_pipeline.platforms.kdp.problems import Problem
from creator_pipeline.platforms.kdp.sizes import authors_of, sizes_of, to_json
from creator_pipeline.store.load import row_of, upsert
from creator_pipeline.store.tables import ingestion_jobs, kdp_files, kdp_uploads

_NAMED = 3


def store_upload(
    connection: Connection,
    file: File,
    name: str,
    report: Report | None,
    *,
    status: str,
    stored: dict[str, Any] | None,
    error: str | None = None,
    accept_smaller: bool = False,
    partial: bool = False,
) -> None:
    """Write the row of an upload.

    Args:
        connection: in a transaction.
        file: the file that was read.
        name: its name as its owner gave it.
        report: what was read; None where the file was rejected.
        status: ``accepted``, ``quarantined`` or ``rejected``. Only an accepted upload has rows and slices.
        stored: its row so far; None for a new upload.
        error: JSON of :func:`as_json`; None without an error.
        accept_smaller: a person confirmed that this report may hold less than the one before.
        partial: a person said that this report holds only a part, so that what it lacks stays.
    """
    accepted = status == "accepted"
    covered = to_json(sizes_of(report)) if report and accepted else None
    stated_totals = {tab: sums.as_dict() for tab, sums in report.stated.items()} if report else {}
    made_at = report.snapshot_at if report else None
    if made_at is None:
        # A CSV doesn't tell when KDP made it: the file's own time does, the same in whatever order files come.
        earlier = [stored["snapshot_at"]] if stored and stored["snapshot_at"] else []
        made_at = min([file.modified_at, *earlier])
    values: dict[str, Any] = {
        "id": file.upload_id,
        "profile_id": file.profile_id,
        "file_name": name,
        "location": file.location,
        "kind": report.kind if report else None,
        "format": report.format if report else None,
        "finality": report.finality if report else None,
        "period_start": report.period_start if report else None,
        "period_end": report.period_end if report else None,
        "rows": len(report.rows) if report and accepted else 0,
        "status": status,
        "snapshot_at": made_at,
        "totals": orjson.dumps(stated_totals).decode() if stated_totals else None,
        "slices": covered,
        **_said(stored, accept_smaller=accept_smaller, partial=partial),
        "authors": orjson.dumps(authors_of(report)).decode() if report and accepted else None,
        "error": error,
        "uploaded_at": stored["uploaded_at"] if stored else now(),
    }
    upsert(connection, kdp_uploads, [row_of(kdp_uploads, values)])
    connection.execute(
        update(kdp_files).where(kdp_files.c.location == file.location).values(state="requested", problem=None)
    )


def _said(stored: dict[str, Any] | None, *, accept_smaller: bool, partial: bool) -> dict[str, bool]:
    """What a person said of a report, now or before. The newer word counts."""
    if accept_smaller or partial or not stored:
        return {"accepted_smaller": accept_smaller and not partial, "partial": partial}
    return {name: bool(stored[name]) for name in ("accepted_smaller", "partial")}


def store_statuses(connection: Connection, decided: Decision) -> dict[str, DataError]:
    """Write the status of every upload of a decision. Returns the uploads that are held back, with their errors."""
    columns, held = kdp_uploads.c, dict[str, DataError]()
    for upload_id in sorted(decided.quarantined):
        losses = [loss for loss in decided.losses if loss.upload_id == upload_id]
        ids = {upload_id, losses[0].stored_upload_id}
        rows = connection.execute(
            select(columns.id, columns.file_name, columns.location, columns.profile_id).where(columns.id.in_(ids))
        )
        files = {row.id: row for row in rows}
        mine, other = files[upload_id], files.get(losses[0].stored_upload_id)
        held[upload_id] = _held_back(losses, mine.file_name, other.file_name if other else "", mine)
    counting = {upload_id for uploads in decided.counts.values() for upload_id in uploads} - decided.superseded
    for ids, status in ((decided.superseded, "superseded"), (counting, "accepted")):
        connection.execute(
            update(kdp_uploads)
            .where(columns.id.in_(ids), (columns.status != status) | columns.error.is_not(None))
            .values(status=status, error=None)
        )
    for upload_id, error in held.items():
        connection.execute(
            update(kdp_uploads).where(columns.id == upload_id).values(status="quarantined", error=as_json(error, ()))
        )
    return held


def _held_back(losses: Sequence[Loss], name: str, other: str, upload: Any) -> DataError:
    first = losses[0]
    periods = list(dict.fromkeys(slice_period(loss.slice) for loss in losses))
    missing = list(dict.fromkeys(book.replace("|", " at ") for loss in losses for book in loss.missing))
    stored = sum(loss.stored for loss in losses)
    command = f"{SHELL}creator-pipeline kdp ingest {shlex.quote(upload.location)} --profile {upload.profile_id}"
    few = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
    return DataError(
        f"{name} holds less of {periods[0]} than {other or 'an upload'} that is stored, so it is held back: it may be"
        " cut off, only a part (one shop, format or author), or from another account.",
        hint="If it is only a part, export the same range in KDP for all shops, formats and authors, and upload that"
        " file. Otherwise say on your page what it is: only a part, right as it is, or the wrong file. Until then it"
        " doesn't count."
        f"\n{command} --partial (what it lacks stays)"
        f"\n{command} --accept-smaller (what it lacks goes)",
        file=name,
        column=first.slice,
        found=f"less than is stored of {few}" if missing else "fewer units or pages of the same books",
        expected=f"all {stored} that are stored of {', '.join(periods[:_NAMED])}",
    )


def as_json(error: DataError, problems: Sequence[Problem]) -> str:
    """JSON for ``kdp_uploads.error``: message, hint, place, and all problems."""
    return orjson.dumps(
        {
            "message": error.message,
            "hint": error.hint,
            **error.where(),
            "problems": [{"level": each.level, **each.as_dict()} for each in problems],
        }
    ).decode()


def end_job(connection: Connection, file: File, error: DataError | None, events_count: int, run_id: str | None) -> None:
    """End the job of an upload that came by the gateway.

    Args:
        connection: in a transaction.
        file: the file that was ingested.
        error: why it is not in the ledger; None where it is.
        events_count: its rows in the ledger.
        run_id: run of Dagster that did the work.
    """
    values: dict[str, Any] = {
        "status": "dead" if error else "completed",
        "error": str(error)[:2000] if error else None,
        "events_count": events_count,
        "attempts": ingestion_jobs.c.attempts + 1,
        "run_id": run_id,
    }
    _update_job(connection, file.profile_id, file.upload_id or "", values)


def end_job_of_stored(connection: Connection, profile_id: str, upload_id: str) -> bool:
    """End the job of an upload whose content is stored already, because no run will end it.

    Returns whether it is stored.
    """
    columns = kdp_uploads.c
    rows = connection.execute(
        select(columns.rows).where(
            columns.id == upload_id,
            columns.profile_id == profile_id,
            columns.status.in_(("accepted", "superseded")),
        )
    ).scalar()
    if rows is None:
        return False
    _update_job(connection, profile_id, upload_id, {"status": "completed", "error": None, "events_count": rows})
    return True


def _update_job(connection: Connection, profile_id: str, upload_id: str, values: dict[str, Any]) -> None:
    jobs = ingestion_jobs.c
    connection.execute(
        update(ingestion_jobs)
        .where(
            jobs.source == "kdp",
            jobs.kind == "file",
            jobs.profile_id == profile_id,
            jobs.payload.contains(upload_id, autoescape=True),
            jobs.status != "completed",
        )
        .values({**values, "finished_at": now()})
    )
