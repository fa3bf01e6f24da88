"""The uploads' own table: what each file is, what became of it, and why."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.kdp.files import File
from creator_pipeline.platforms.kdp.model import Report
from creator_pipeline.platforms.kdp.overlap import Decision, Shrunk, Size
from creator_pipeline.platforms.kdp.refusals import Problem
from creator_pipeline.store.load import row_of, upsert
from creator_pipeline.store.tables import ingestion_jobs, kdp_files, kdp_uploads


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
) -> None:
    """Write an upload's row; only one that lands covers slices.

    Args:
        stored: its row so far.
        error: JSON of :func:`as_json`.
    """
    lands = status == "accepted"
    covered = {slice_: list(Size.of(sums)) for slice_, sums in report.slices().items()} if report and lands else None
    control = {tab: sums.as_dict() for tab, sums in report.control.items()} if report else {}
    made_at = report.snapshot_at if report else None
    if made_at is None:
        # A CSV doesn't tell when KDP made it: the file's own time is next, the same in whatever order files come.
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
        "rows": len(report.rows) if report and lands else 0,
        "status": status,
        "snapshot_at": made_at,
        "totals": orjson.dumps(control).decode() if control else None,
        "slices": orjson.dumps(covered).decode() if covered is not None else None,
        "accepted_smaller": accept_smaller or bool(stored and stored["accepted_smaller"]),
        "error": error,
        "uploaded_at": stored["uploaded_at"] if stored else now(),
    }
    upsert(connection, kdp_uploads, [row_of(kdp_uploads, values)])
    connection.execute(
        update(kdp_files).where(kdp_files.c.location == file.location).values(state="requested", problem=None)
    )


def judge(connection: Connection, decided: Decision) -> dict[str, DataError]:
    """Write the status of every upload that takes part; returns those held back, with the reason of each."""
    columns, held = kdp_uploads.c, dict[str, DataError]()
    for shrunk in decided.shrunk:
        if shrunk.upload_id not in held:
            row = connection.execute(
                select(columns.file_name, columns.location, columns.profile_id).where(columns.id == shrunk.upload_id)
            ).one()
            held[shrunk.upload_id] = _smaller(shrunk, *row)
    connection.execute(
        update(kdp_uploads).where(columns.id.in_(decided.superseded)).values(status="superseded", error=None)
    )
    counting = set(decided.counts.values()) - decided.superseded
    connection.execute(update(kdp_uploads).where(columns.id.in_(counting)).values(status="accepted", error=None))
    for upload_id, error in held.items():
        connection.execute(
            update(kdp_uploads).where(columns.id == upload_id).values(status="quarantined", error=as_json(error, ()))
        )
    return held


def _smaller(shrunk: Shrunk, name: str, location: str, profile_id: str) -> DataError:
    period = shrunk.slice.rpartition(":")[2]
    return DataError(
        f"{name} holds less of {period} than an upload that is stored: it may be cut off, so it is held back.",
        hint=shrunk.hint(shlex.quote(location), profile_id),
        file=name,
        column=shrunk.slice,
        found=f"{shrunk.found.units} units, {shrunk.found.pages} pages",
        expected=f"at least {shrunk.stored.units} units, {shrunk.stored.pages} pages",
    )


def as_json(error: DataError, problems: Sequence[Problem]) -> str:
    """For ``kdp_uploads.error``: message, hint, the place, and every problem found."""
    return orjson.dumps(
        {
            "message": error.message,
            "hint": error.hint,
            **error.where(),
            "problems": [{"level": each.level, **each.as_dict()} for each in problems],
        }
    ).decode()


def close_job(
    connection: Connection, file: File, error: DataError | None, events_count: int, run_id: str | None
) -> None:
    """End the job of whoever uploaded it through the gateway and waits for an answer."""
    values: dict[str, Any] = {
        "status": "dead" if error else "completed",
        "error": str(error)[:2000] if error else None,
        "events_count": events_count,
        "attempts": ingestion_jobs.c.attempts + 1,
        "run_id": run_id,
    }
    _end_job(connection, file.profile_id, file.upload_id or "", values)


def close_known(connection: Connection, profile_id: str, upload_id: str) -> bool:
    """End the job of a file whose content was stored before it: no run comes of it. Returns whether it was."""
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
    _end_job(connection, profile_id, upload_id, {"status": "completed", "error": None, "events_count": rows})
    return True


def _end_job(connection: Connection, profile_id: str, upload_id: str, values: dict[str, Any]) -> None:
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
