"""The inbox of reports: where an upload lies while it comes, and where it goes."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import Literal
from uuid import uuid4

import fsspec

from creator_pipeline.core.errors import DataError, TransientError

INCOMING = ".incoming"
"""Folder of uploads that are not whole yet; beside the inbox's own folders, so that a rename is all it takes."""
_UNSAFE = re.compile(r"[^\w.()\- ]+")


class Incoming:
    """A file while it comes: a draft on disk, and the digest of what came so far.

    Args:
        inbox: a directory, or an fsspec URL (the draft then lies in ``home``).
    """

    def __init__(self, inbox: str, home: Path) -> None:
        self._inbox = inbox
        self._remote = "://" in inbox and not inbox.startswith("file://")
        folder = home / "kdp_incoming" if self._remote else Path(inbox.removeprefix("file://")) / INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / uuid4().hex
        self._file = self.path.open("xb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """The next bytes."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    @property
    def sha256(self) -> str:
        """Digest of what came, hex."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """All is there: make it durable."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Forget it; nothing happens where it was kept."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def keep(self, profile_id: str, name: str) -> str:
        """Put it into the profile's folder under its digest and name; whole or not at all. Returns where.

        Raises:
            TransientError: the inbox can't be written to.
        """
        target = str(PurePosixPath(profile_id) / f"{self.sha256[:16]}-{name}")
        try:
            if self._remote:
                files, root = fsspec.core.url_to_fs(self._inbox)
                files.put_file(str(self.path), f"{root.rstrip('/')}/{target}")
                return f"{self._inbox.rstrip('/')}/{target}"
            path = self.path.parent.parent / target
            path.parent.mkdir(exist_ok=True)
            self.path.replace(path)
            return str(path)
        except OSError as error:
            raise TransientError(
                f"The inbox can't be written to ({type(error).__name__}).", hint="Check KDP_INBOX and its disk."
            ) from None


def safe_name(given: str | None, kind: Literal["csv", "xlsx"]) -> str:
    """A file's name that is only a name: no folder, no control character, not hidden, its ending by its content."""
    last = re.split(r"[/\\]", given or "")[-1]
    stem = _UNSAFE.sub("_", last).strip(" ._") or "report"
    stem = re.sub(r"\.(csv|xlsx)$", "", stem, flags=re.IGNORECASE)[:100].strip(" ._") or "report"
    return f"{stem}.{kind}"


def kind_of(path: Path) -> Literal["csv", "xlsx"]:
    """What a file is by its first bytes.

    Raises:
        DataError: neither a workbook nor text.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    binary = b"\x00" in head and not utf16
    if binary or start.startswith((b"<", b"%pdf", b"{\\rtf", b"\x1f\x8b", b"rar!")) or not start:
        raise DataError(
            "This is neither an Excel workbook (.xlsx) nor a CSV file.",
            hint="Download the report from KDP and upload that file itself.",
        )
    return "csv"
