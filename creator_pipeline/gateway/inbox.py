"""A file that is uploaded: complete in the inbox, or not there at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from uuid import uuid4

import fsspec

from creator_pipeline.core.errors import TransientError
from creator_pipeline.platforms.uploads import StoredFile

_INCOMING = ".incoming"


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
        folder = self._directory / _INCOMING if self._directory else local_folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / uuid4().hex
        self._file = self.path.open("xb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append the next bytes."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def close(self) -> None:
        """Make the complete file durable."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Delete the file. Does nothing after :meth:`store`."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def store(self, profile_id: str, name: str) -> StoredFile:
        """Move the file into the profile's folder of the inbox, under its digest and name, as a whole or not at all.

        Raises:
            TransientError: the inbox can't be written to.
        """
        sha256 = self._digest.hexdigest()
        target = str(PurePosixPath(profile_id) / f"{sha256[:16]}-{name}")
        try:
            if self._directory is None:
                files, root = fsspec.core.url_to_fs(self._inbox)
                files.put_file(str(self.path), f"{root.rstrip('/')}/{target}")
                return StoredFile(sha256, name, f"{self._inbox.rstrip('/')}/{target}")
            path = self._directory / target
            path.parent.mkdir(exist_ok=True)
            self.path.replace(path)
        except OSError as error:
            raise TransientError(f"The inbox can't be written to ({type(error).__name__}).", hint=self._hint) from None
        return StoredFile(sha256, name, str(path))
