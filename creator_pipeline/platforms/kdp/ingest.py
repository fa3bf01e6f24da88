"""From a file to the tables: read it, store its rows, judge all uploads of the account again, rewrite the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Connection, select

from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.kdp.files import File, local_copy
from creator_pipeline.platforms.kdp.inbox import foreign
from creator_pipeline.platforms.kdp.model import Report
from creator_pipeline.platforms.kdp.overlap import Decision
from creator_pipeline.platforms.kdp.refusals import Problem, ReportError
from creator_pipeline.platforms.kdp.slices import Settled, decision, settle
from creator_pipeline.platforms.kdp.supervised import parse_guarded
from creator_pipeline.platforms.kdp.uploads import as_json, close_job, judge, store_upload
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.tables import kdp_royalties, kdp_uploads, profiles


@dataclass(frozen=True)
class Ingested:
    """What became of a file; all of it is committed.

    Attributes:
        status: ``accepted``, ``superseded``, ``quarantined`` or ``rejected``.
        report: None where the file was rejected.
        error: why it is rejected or held back; the ledger is then as it was.
        problems: everything found, notes too.
        rows: what storing the source rows changed.
        ledger: what that changed in the ledger, of all uploads of the profile.
        events: the ledger's rows that come from this upload now.
        decision: which upload counts where, over the whole profile.
        held_back: other uploads that are held back since now, by their files' names.
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


def ingest(warehouse: Warehouse, file: File, *, accept_smaller: bool = False, run_id: str | None = None) -> Ingested:
    """Read a file and make the tables say what all uploads of its profile say together.

    One transaction: rows, statuses, which snapshot counts, and the ledger of the months it touches. Any order of the
    same files gives the same tables, and running again is safe. A file that can't be used leaves the ledger as it
    was; where it was accepted before, it stays accepted.

    Raises:
        DataError: the content is another profile's upload, or changed since it was seen.
        ConfigError: there is no such profile.
    """
    name = given_name(file)
    try:
        with local_copy(file) as path:
            report, error = parse_guarded(path, file_name=name), None
    except ReportError as refusal:
        report, error = None, refusal
    with warehouse.write() as connection:
        stored = _claim(connection, file)
        if report is None or report.verdict == "quarantine":
            problem = error or _held(report, name)
            done = _refused(connection, file, name, report, problem, stored)
        else:
            done = _landed(connection, file, name, report, stored, accept_smaller=accept_smaller)
        close_job(connection, file, done.error, len(done.events), run_id)
    return done


def given_name(file: File) -> str:
    """The file's name as its owner gave it; what the gateway puts before it is cut off."""
    return PurePosixPath(file.location).name.removeprefix(f"{file.partition}-")


def _claim(connection: Connection, file: File) -> dict[str, Any] | None:
    # Runs of one profile take turns: each must see what the other stored.
    owner = connection.execute(
        select(profiles.c.id).where(profiles.c.id == file.profile_id).with_for_update(key_share=True)
    ).scalar_one_or_none()
    if owner is None:
        raise ConfigError(
            f"There is no profile {file.profile_id!r}.",
            hint=f"creator-pipeline profiles add {file.profile_id} --email …",
        )
    row = connection.execute(select(kdp_uploads).where(kdp_uploads.c.id == file.upload_id)).mappings().first()
    if row is not None and row["profile_id"] != file.profile_id:
        raise foreign(file, row["profile_id"])
    return None if row is None else dict(row)


def _held(report: Report | None, name: str) -> DataError:
    """The first problem a person must look at, and how many there are."""
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


def _refused(
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
        # A reader that is out of memory, or a newer one that is stricter, takes nothing back.
        return Ingested(file, name, stored["status"], report, error, problems)
    store_upload(connection, file, name, report, status=status, stored=stored, error=as_json(error, problems))
    return Ingested(file, name, status, report, error, problems)


def _landed(
    connection: Connection,
    file: File,
    name: str,
    report: Report,
    stored: dict[str, Any] | None,
    *,
    accept_smaller: bool,
) -> Ingested:
    upload_id = file.upload_id or ""
    before = decision(connection, file.profile_id)
    store_upload(connection, file, name, report, status="accepted", stored=stored, accept_smaller=accept_smaller)
    after = decision(connection, file.profile_id)
    rows = replace(
        connection,
        kdp_royalties,
        _rows(file, report, after),
        kdp_royalties.c.upload_id == upload_id,
        what=f"kdp/royalties {file.partition}",
        allow_shrink=True,
    )
    settled = settle(connection, file.profile_id, before, after, own=report.slices())
    held = judge(connection, after)
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
        settled.change,
        _from_upload(settled, file),
        after,
        tuple(str(held[each].file) for each in new),
    )


def _from_upload(settled: Settled, file: File) -> list[LedgerEvent]:
    return [event for event in settled.events if event.source == file.partition]


def _rows(file: File, report: Report, decided: Decision) -> Iterator[tuple[Any, ...]]:
    """In the order of the columns of ``kdp_royalties``."""
    upload_id, profile_id, finality = file.upload_id, file.profile_id, report.finality or "estimate"
    keys: dict[tuple[str, ...], str] = {}
    for row in report.rows:
        facts, figures = row.facts, row.figures
        key = keys.get(facts.event_key)
        if key is None:
            key = keys[facts.event_key] = "|".join(part.replace("|", "/") for part in facts.event_key)
        yield (
            upload_id,
            facts.sheet,
            row.source_row,
            profile_id,
            key,
            facts.slice,
            finality,
            facts.counted and decided.counts.get(facts.slice) == upload_id,
            facts.kind,
            facts.day,
            facts.asin,
            facts.isbn,
            facts.title,
            facts.author,
            facts.marketplace,
            facts.royalty_type,
            facts.transaction,
            figures.units_sold,
            figures.units_refunded,
            figures.free_units,
            figures.pages_read,
            figures.royalty_micros,
            facts.currency,
        )
