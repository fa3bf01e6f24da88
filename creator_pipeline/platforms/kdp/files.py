"""Files from outside, in a directory or in a store that fsspec knows (``s3://…``). They are never moved or deleted."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from creator_pipeline.core.errors import DataError, TransientError
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS

_UNFINISHED = (".part", ".tmp", ".crdownload")
_CHUNK = 1 << 20


class ListedFile(NamedTuple):
    """A file in the inbox. ``folder`` is the profile's folder that it is in; empty where it is in none."""

    location: str
    folder: str
    size: int
    modified_ns: int


class File(NamedTuple):
    """A row of ``kdp_files``."""

    location: str
    profile_id: str
    size: int
    modified_ns: int
    state: str
    upload_id: str | None
    problem: str | None

    @property
    def modified_at(self) -> datetime:
        """When the file was changed, aware UTC."""
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)

    @property
    def partition(self) -> str:
        """Key of the partition of the file's content."""
        return (self.upload_id or "")[:PARTITION_DIGITS]


def listing(inbox: str) -> list[ListedFile]:
    """All finished files of an inbox, oldest first. Hidden files and unfinished downloads are left out.

    Raises:
        TransientError: the inbox can't be read.
    """
    try:
        files, root = filesystem(inbox)
        if not files.exists(root):
            return []
        details: dict[str, dict[str, Any]] = files.find(root, detail=True)
        prefix = root.rstrip("/") + "/"
        found: list[ListedFile] = []
        for path, info in details.items():
            parts = path.removeprefix(prefix).split("/")
            if any(part.startswith(".") for part in parts) or parts[-1].lower().endswith(_UNFINISHED):
                continue
            folder = parts[0] if len(parts) == 2 else ""
            location = path if _is_local(inbox) else files.unstrip_protocol(path)
            if (shown := location.encode("utf-8", "backslashreplace").decode()) != location:
                # No database and no log takes such a name: it belongs to nobody until it is renamed.
                location, folder = shown, ""
            found.append(ListedFile(location, folder, int(info.get("size") or 0), modified_ns(info)))
    except OSError as error:
        raise TransientError(
            f"The inbox {inbox} can't be read: {error}.", hint="Check KDP_INBOX and the rights on it."
        ) from error
    return sorted(found, key=lambda each: (each.modified_ns, each.location))


def filesystem(location: str) -> tuple[Any, str]:
    """The store that a location is in, and its path there."""
    import fsspec

    files, path = fsspec.core.url_to_fs(location, use_listings_cache=False)
    return files, str(path)


def _is_local(location: str) -> bool:
    return "://" not in location or location.startswith(("file://", "local://"))


def modified_ns(info: Mapping[str, Any]) -> int:
    """When a file was changed, in nanoseconds, by what its store says of it. Rounded down to microseconds."""
    moment = next((info[key] for key in ("mtime", "LastModified", "last_modified", "created") if info.get(key)), 0)
    seconds = moment.timestamp() if isinstance(moment, datetime) else float(moment)
    return int(seconds * 1_000_000) * 1000


def digest(location: str) -> str:
    """SHA-256 of a file's content, as hex digits.

    Raises:
        TransientError: the file can't be read.
    """
    sha = hashlib.sha256()
    with _reading(location) as stream:
        while chunk := stream.read(_CHUNK):
            sha.update(chunk)
    return sha.hexdigest()


@contextmanager
def _reading(location: str) -> Generator[BinaryIO]:
    try:
        files, path = filesystem(location)
        with files.open(path, "rb") as stream:
            yield stream
    except OSError as error:
        raise TransientError(f"{location} can't be read: {error}.", hint="Is it still there?") from error


@contextmanager
def local_copy(file: File) -> Generator[Path]:
    """A copy of the file on this machine, whose content is that of its upload.

    Raises:
        DataError: the content changed. It is another upload now, which the sensor takes.
        TransientError: the file can't be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report"
        sha = hashlib.sha256()
        with _reading(file.location) as source, path.open("wb") as target:
            while chunk := source.read(_CHUNK):
                sha.update(chunk)
                target.write(chunk)
        if sha.hexdigest() != file.upload_id:
            raise DataError(
                f"{file.location} has another content now than when it was taken.",
                hint="The new content is an upload of its own: its partition comes by itself.",
                file=file.location,
                found=sha.hexdigest()[:PARTITION_DIGITS],
                expected=file.partition,
            )
        yield path
