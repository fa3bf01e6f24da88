"""A file that is uploaded: complete in the inbox, or not there at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Generator
from pathlib import Path, PurePosixPath
from uuid import uuid4

import fsspec

from creator_pipeline.core.errors import TransientError
from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.platforms.uploads import StoredFile

_INCOMING = ".incoming"
ABANDONED_SECONDS = 3600.0
"""A draft of an upload that is so old is nobody's any more: the gateway that took it was killed."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class IncomingFile:
    """A file while it arrives: written to a local folder first, then moved into the inbox as a whole.

    Args:
        inbox: a directory, or an fsspec URL.
        local_folder: folder for incomplete files of an inbox that is a URL. For a directory it is a hidden folder in
            it, because a file can be renamed only within one disk.
        hint: what to do where the inbox can't be written to.
    """

    def __init__(self, inbox: str, local_folder: Path, *, hint: str) -> None:
        self._inbox, self._hint = inbox, hint
        remote = "://" in inbox and not inbox.startswith("file://")
        self._directory = None if remote else Path(inbox.removeprefix("file://"))
        folder = drafts_of(inbox, local_folder)
        self.path = folder / uuid4().hex
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)
            self._file = self.path.open("xb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append the next bytes.

        Raises:
            GatewayError: 507, the disk is full.
            TransientError: the inbox can't be written to.
        """
        with self._explained():
            self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def close(self) -> None:
        """Make the complete file durable; raises what :meth:`write` does."""
        with self._explained():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        """Delete the file. Does nothing after :meth:`store`."""
        with contextlib.suppress(OSError):  # what is left in the buffer of a full disk
            self._file.close()
        self.path.unlink(missing_ok=True)

    def store(self, profile_id: str, name: str) -> StoredFile:
        """Move the file into the profile's folder of the inbox, under its digest and name, as a whole or not at all.

        A content that is there already keeps the name it came with first, and is stored once.

        Raises:
            GatewayError: 507, the disk is full.
            TransientError: the inbox can't be written to.
        """
        sha256 = self._digest.hexdigest()
        with self._explained():
            if self._directory is None:
                files, root = fsspec.core.url_to_fs(self._inbox)
                there = sorted(files.glob(f"{root.rstrip('/')}/{profile_id}/{sha256[:16]}-*"))
                name = PurePosixPath(there[0]).name if there else f"{sha256[:16]}-{name}"
                files.put_file(str(self.path), f"{root.rstrip('/')}/{profile_id}/{name}")
                location = f"{self._inbox.rstrip('/')}/{profile_id}/{name}"
            else:
                folder = self._directory / profile_id
                folder.mkdir(exist_ok=True)
                same = sorted(folder.glob(f"{sha256[:16]}-*"))
                path = same[0] if same else folder / f"{sha256[:16]}-{name}"
                # Again, where it is there: its time of change makes a file that failed be looked at once more.
                self.path.replace(path)
                name, location = path.name, str(path)
        return StoredFile(sha256, name.removeprefix(f"{sha256[:16]}-"), location)

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                text = "The report can't be stored: the disk is full. Nothing was taken."
                hint = "Send it again once whoever runs this pipeline has freed space."
                raise GatewayError(507, "disk_full", text, hint) from None
            raise TransientError(f"The inbox can't be written to ({type(error).__name__}).", hint=self._hint) from None


def drafts_of(inbox: str, local_folder: Path) -> Path:
    """The folder of incomplete files of an inbox; the arguments are those of :class:`IncomingFile`."""
    remote = "://" in inbox and not inbox.startswith("file://")
    return local_folder if remote else Path(inbox.removeprefix("file://")) / _INCOMING


def sweep(folder: Path) -> None:
    """Delete drafts that nobody writes to any more."""
    before = time.time() - ABANDONED_SECONDS
    with contextlib.suppress(FileNotFoundError):
        for draft in folder.iterdir():
            # Another gateway may sweep the same folder.
            with contextlib.suppress(FileNotFoundError):
                if draft.stat().st_mtime < before:
                    draft.unlink()
