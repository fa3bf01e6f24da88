"""Reports that are uploaded through the gateway: their names, what is in them, and their jobs."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import Literal

from creator_pipeline.core.errors import DataError, PipelineError
from creator_pipeline.platforms.kdp.child_process import parse_in_child
from creator_pipeline.platforms.kdp.held import answer
from creator_pipeline.platforms.kdp.inspect import describe
from creator_pipeline.platforms.kdp.page import uploaded_reports
from creator_pipeline.platforms.kdp.parse import MAX_BYTES
from creator_pipeline.platforms.kdp.reader_csv import utf16_without_bom
from creator_pipeline.platforms.kdp.taught import taught_headers
from creator_pipeline.platforms.kdp.upload_records import end_job_of_stored
from creator_pipeline.platforms.uploads import StoredFile, Uploads
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.store.engine import Warehouse

_UNSAFE = re.compile(r"[^\w.()\- ]+")
_log = logging.getLogger(__name__)


def name_of(path: Path, given: str | None) -> str:
    """The name to store a file under.

    Raises:
        DataError: the file is neither a workbook nor text.
    """
    return safe_name(given, kind_of(path))


def safe_name(given: str | None, kind: Literal["csv", "xlsx"]) -> str:
    """A name without folders and control characters, not hidden, whose ending is that of the content."""
    last = re.split(r"[/\\]", given or "")[-1]
    stem = _UNSAFE.sub("_", last).strip(" ._") or "report"
    stem = re.sub(r"\.(csv|xlsx)$", "", stem, flags=re.IGNORECASE)[:100].strip(" ._") or "report"
    return f"{stem}.{kind}"


def kind_of(path: Path) -> Literal["csv", "xlsx"]:
    """The kind of a file by its first bytes.

    Raises:
        DataError: the file is neither a workbook nor text.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff")) or utf16_without_bom(head)
    binary = b"\x00" in head and not utf16
    if binary or start.startswith((b"<", b"%pdf", b"{\\rtf", b"\x1f\x8b", b"rar!")) or not start:
        raise DataError(
            "This is neither an Excel workbook (.xlsx) nor a CSV file.",
            hint="Download the report from KDP and upload that file itself.",
        )
    return "csv"


def describe_file(warehouse: Warehouse, path: Path, name: str) -> dict[str, object]:
    """What is in an uploaded report, for the JSON answer.

    Where reading it fails by a fault of ours, the verdict is ``unread``: the run that ingests the file reads it again,
    and shows the failure.

    Raises:
        DataError: the file is no usable report.
    """
    try:
        report = describe(parse_in_child(path, file_name=name, taught=taught_headers(warehouse)))
    except DataError:
        raise
    except (RuntimeError, PipelineError):
        _log.exception("An uploaded report couldn't be read")
        return {"verdict": "unread", "period": None, "problems": []}
    return {part: report[part] for part in ("verdict", "kind", "period", "sales_rows", "problems")}


def enqueue(warehouse: Warehouse, queue: JobQueue, profile_id: str, file: StoredFile) -> str:
    """Store the job of an uploaded report, and return its id.

    The same file again has the same job, which is tried again if it failed.

    Args:
        warehouse: where uploads are stored.
        queue: gets the job.
        profile_id: whose report it is.
        file: the report in the inbox.
    """
    job_id = hashlib.sha256(f"kdp/{profile_id}/{file.sha256}".encode()).hexdigest()[:32]
    queue.enqueue(profile_id, "kdp", "file", file._asdict(), job_id=job_id)
    queue.replay([job_id])
    # The file may be ingested already. This comes after the job is stored, so that a run that ends later ends it too.
    with warehouse.write() as connection:
        end_job_of_stored(connection, profile_id, file.sha256)
    return job_id


UPLOADS = Uploads(
    noun="KDP report",
    endings=(".xlsx", ".csv"),
    max_bytes=MAX_BYTES,
    inbox=lambda config: config.inbox,
    inbox_hint="Check KDP_INBOX and its disk.",
    name_of=name_of,
    describe=describe_file,
    enqueue=enqueue,
    reports=uploaded_reports,
    answer=answer,
)
