"""Ingests a file: reads it, stores its rows, decides again which uploads count, and rewrites the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.kdp.child_process import parse_in_child
from creator_pipeline.platforms.kdp.files import File, local_copy
from creator_pipeline.platforms.kdp.inbox import foreign, given_name
from creator_pipeline.platforms.kdp.ledger_rewrite import connected, decision, rewrite_ledger
from creator_pipeline.platforms.kdp.models import PAYMENTS, WITHDRAWN, Report
from creator_pipeline.platforms.kdp.payouts_store import Paid, rewrite_payouts, store_payments
from creator_pipeline.platforms.kdp.precedence import Decision
from creator_pipeline.platforms.kdp.problems import Problem, ReportError
from creator_pipeline.platforms.kdp.sizes import book_of, sizes_of
from creator_pipeline.platforms.kdp.taught import taught_headers
from creator_pipeline.platforms.kdp.upload_records import as_json, end_job, store_statuses, store_upload
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.tables import kdp_royalties, kdp_uploads, profiles


@dataclass(frozen=True)
class Ingested:
    """Result of ingesting a file. All of it is committed.

    Attributes:
        file: the file.
        file_name: its name as its owner gave it.
        status: ``accepted``, ``superseded``, ``quarantined``, ``rejected`` or ``withdrawn``.
        report: what was read; None where the file was rejected.
        error: why the file is rejected or held back; None where it is neither.
        problems: all problems of the file, notes included.
        rows: what changed in ``kdp_royalties``.
        ledger: what changed in the ledger, over all uploads of the profile.
        events: rows of the ledger that come from this upload.
        decision: which uploads count, of those of the profile that have to do with this one.
        held_back: names of the files of other uploads that are held back because of this one.
        paid: all payments of the profile, where the report is one of payments.
    """

    file: File
    file_name: str
    status: str
    report: Report | None = None
    error: DataError | None = None
    problems: tuple[Problem, ...] = ()
    rows: Change = field(default_factory=Change)
    ledger: Change = field(default_factory=Change)
    events: Sequence[LedgerEvent] = ()
    decision: Decision | None = None
    held_back: tuple[str, ...] = ()
    paid: Paid = field(default_factory=Paid)


def ingest(
    warehouse: Warehouse,
    file: File,
    *,
    accept_smaller: bool = False,
    partial: bool = False,
    run_id: str | None = None,
) -> Ingested:
    """Read a file, and make the tables equal to what all uploads of its profile say together.

    Rows, statuses, what counts, and the ledger of the affected months are written in one transaction. Files in any
    order give the same tables, and a second run changes nothing. A file that can't be used leaves the ledger as it
    was; a file that was accepted before stays accepted.

    Args:
        warehouse: where the tables are.
        file: the file, as ``kdp_files`` has it.
        accept_smaller: accept a report that holds less than the one it replaces.
        partial: the report holds only a part: what it lacks stays.
        run_id: run of Dagster that does the work; it is stored with the job of the upload.

    Raises:
        DataError: the content is another profile's upload, or has changed since it was seen.
        ConfigError: there is no such profile.
        TransientError: the file can't be read.
    """
    name = given_name(file)
    if file.state == WITHDRAWN:
        # The file may lie in the inbox for ever; a load of every partition doesn't bring it back.
        return Ingested(file, name, WITHDRAWN)
    try:
        with local_copy(file) as path:
            report, error = parse_in_child(path, file_name=name, taught=taught_headers(warehouse)), None
    except ReportError as refusal:
        report, error = None, refusal
    with warehouse.write() as connection:
        stored = _lock_and_find(connection, file)
        if report is None or report.verdict == "quarantine":
            problem = error or _held_back(report, name)
            done = _refuse(connection, file, name, report, problem, stored)
        else:
            done = _store(connection, file, name, report, stored, accept_smaller=accept_smaller, partial=partial)
        end_job(connection, file, done.error, len(done.events), run_id)
    return done


def lock_uploads(connection: Connection, profile_id: str) -> None:
    """Let runs of one profile wait for each other: each must see what the other stored.

    Raises:
        ConfigError: there is no such profile.
    """
    owner = connection.execute(
        select(profiles.c.id).where(profiles.c.id == profile_id).with_for_update(key_share=True)
    ).scalar_one_or_none()
    if owner is None:
        raise ConfigError(
            f"There is no profile {profile_id!r}.",
            hint=f"creator-pipeline profiles add {profile_id} --email ADDRESS",
        )


def _lock_and_find(connection: Connection, file: File) -> dict[str, Any] | None:
    lock_uploads(connection, file.profile_id)
    row = connection.execute(select(kdp_uploads).where(kdp_uploads.c.id == file.upload_id)).mappings().first()
    if row is not None and row["status"] != WITHDRAWN and row["profile_id"] != file.profile_id:
        raise foreign(file, row["profile_id"])
    return None if row is None else dict(row)


def _held_back(report: Report | None, name: str) -> DataError:
    """The error of a quarantined report: its first problem, and how many there are."""
    held = [each for each in report.problems if each.level == "quarantine"] if report else []
    first, more = held[0], f" (and {len(held) - 1} more)" if len(held) > 1 else ""
    return DataError(
        f"{name} is held back: nothing of it counts until its problems are fixed{more}.",
        hint=first.hint,
        file=name,
        sheet=first.sheet,
        row=first.row,
        column=first.column,
        found=first.found,
        expected=first.expected,
    )


def _refuse(
    connection: Connection,
    file: File,
    name: str,
    report: Report | None,
    error: DataError,
    stored: dict[str, Any] | None,
) -> Ingested:
    problems = report.problems if report else ()
    status = "quarantined" if report else "rejected"
    if stored is not None and stored["slices"] is not None:
        # It was stored before: a reader out of memory, or a stricter newer one, doesn't undo that.
        return Ingested(file, name, stored["status"], report, error, problems)
    store_upload(connection, file, name, report, status=status, stored=stored, error=as_json(error, problems))
    return Ingested(file, name, status, report, error, problems)


def _store(
    connection: Connection,
    file: File,
    name: str,
    report: Report,
    stored: dict[str, Any] | None,
    *,
    accept_smaller: bool,
    partial: bool,
) -> Ingested:
    upload_id = file.upload_id or ""
    others = connected(connection, file.profile_id, upload_id, report)
    before = decision(connection, file.profile_id, others)
    store_upload(
        connection,
        file,
        name,
        report,
        status="accepted",
        stored=stored,
        accept_smaller=accept_smaller,
        partial=partial,
    )
    after = decision(connection, file.profile_id, others)
    rows = replace(
        connection,
        kdp_royalties,
        _rows(file, report, after),
        kdp_royalties.c.upload_id == upload_id,
        what=f"kdp/royalties {file.partition}",
        allow_shrink=True,
    )
    rewritten = rewrite_ledger(connection, file.profile_id, before, after, own=sizes_of(report))
    paid = Paid()
    if report.kind == PAYMENTS:
        store_payments(connection, file.profile_id, upload_id, report)
        paid = rewrite_payouts(connection, file.profile_id)
    held = store_statuses(connection, after)
    error = held.pop(upload_id, None)
    status = "quarantined" if error else "superseded" if upload_id in after.superseded else "accepted"
    new = [each for each in held if each not in before.quarantined]
    return Ingested(
        file,
        name,
        status,
        report,
        error,
        report.problems,
        rows,
        rewritten.change + paid.ledger,
        [event for event in (*rewritten.events, *paid.events) if event.source == file.partition],
        after,
        tuple(str(held[each].file) for each in new),
        paid,
    )


def _rows(file: File, report: Report, decided: Decision) -> Iterator[tuple[Any, ...]]:
    """Rows of ``kdp_royalties``, in the order of its columns."""
    upload_id, profile_id, finality = file.upload_id or "", file.profile_id, report.finality or "estimate"
    keys: dict[tuple[str, ...], str] = {}
    for row in report.rows:
        dimensions, measures = row.dimensions, row.measures
        key = keys.get(dimensions.event_key)
        if key is None:
            key = keys[dimensions.event_key] = "|".join(part.replace("|", "/") for part in dimensions.event_key)
        yield (
            upload_id,
            dimensions.sheet,
            row.source_row,
            profile_id,
            key,
            dimensions.slice,
            finality,
            dimensions.counted and decided.has(dimensions.slice, upload_id, book_of(key)),
            dimensions.kind,
            dimensions.day,
            dimensions.asin,
            dimensions.isbn,
            dimensions.title,
            dimensions.author,
            dimensions.marketplace,
            dimensions.royalty_type,
            dimensions.transaction,
            measures.units_sold,
            measures.units_refunded,
            measures.free_units,
            measures.pages_read,
            measures.royalty_micros,
            dimensions.currency,
        )
