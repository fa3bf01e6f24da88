"""Files from outside: in a directory, or any store fsspec knows (``s3://…``). Never moved or deleted."""

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


class Found(NamedTuple):
    """A file as a look sees it. ``folder`` is the name of the profile's folder, empty for a file beside them."""

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
        """Time of change, aware UTC."""
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)

    @property
    def partition(self) -> str:
        """Key of the content's partition."""
        return (self.upload_id or "")[:PARTITION_DIGITS]


def listing(inbox: str) -> list[Found]:
    """All finished files of an inbox; dotfiles and names of unfinished downloads are left out.

    Raises:
        TransientError: the inbox can't be read.
    """
    try:
        files, root = filesystem(inbox)
        if not files.exists(root):
            return []
        details: dict[str, dict[str, Any]] = files.find(root, detail=True)
        prefix = root.rstrip("/") + "/"
        found: list[Found] = []
        for path, info in details.items():
            parts = path.removeprefix(prefix).split("/")
            if any(part.startswith(".") for part in parts) or parts[-1].lower().endswith(_UNFINISHED):
                continue
            folder = parts[0] if len(parts) == 2 else ""
            location = path if _is_local(inbox) else files.unstrip_protocol(path)
            if (shown := location.encode("utf-8", "backslashreplace").decode()) != location:
                # No database and no log takes such a name: nobody's, until it is renamed.
                location, folder = shown, ""
            found.append(Found(location, folder, int(info.get("size") or 0), modified_ns(info)))
    except OSError as error:
        raise TransientError(
            f"The inbox {inbox} can't be read: {error}.", hint="Check KDP_INBOX and the rights on it."
        ) from error
    return sorted(found, key=lambda each: (each.modified_ns, each.location))


def filesystem(location: str) -> tuple[Any, str]:
    """The store a location is in, and the path there."""
    import fsspec

    files, path = fsspec.core.url_to_fs(location, use_listings_cache=False)
    return files, str(path)


def _is_local(location: str) -> bool:
    return "://" not in location or location.startswith(("file://", "local://"))


def modified_ns(info: Mapping[str, Any]) -> int:
    """Time of change of what a store tells about a file, whole microseconds."""
    moment = next((info[key] for key in ("mtime", "LastModified", "last_modified", "created") if info.get(key)), 0)
    seconds = moment.timestamp() if isinstance(moment, datetime) else float(moment)
    return int(seconds * 1_000_000) * 1000


def opened(location: str) -> BinaryIO:
    """For reading."""
    files, path = filesystem(location)
    return files.open(path, "rb")


def digest(location: str) -> str:
    """SHA-256 of the content, hex.

    Raises:
        TransientError: it can't be read.
    """
    sha = hashlib.sha256()
    try:
        with opened(location) as stream:
            while chunk := stream.read(_CHUNK):
                sha.update(chunk)
    except OSError as error:
        raise TransientError(f"{location} can't be read: {error}.", hint="Is it still there?") from error
    return sha.hexdigest()


@contextmanager
def local_copy(file: File) -> Generator[Path]:
    """The file on this machine, with the content it was taken for.

    Raises:
        DataError: the content changed; it is a new upload, which the sensor takes by itself.
        TransientError: it can't be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report"
        try:
            sha = hashlib.sha256()
            with opened(file.location) as source, path.open("wb") as target:
                while chunk := source.read(_CHUNK):
                    sha.update(chunk)
                    target.write(chunk)
        except OSError as error:
            raise TransientError(f"{file.location} can't be read: {error}.", hint="Is it still there?") from error
        if sha.hexdigest() != file.upload_id:
            raise DataError(
                f"{file.location} has another content now than when it was taken.",
                hint="The new content is an upload of its own: its partition comes by itself.",
                file=file.location,
                found=sha.hexdigest()[:PARTITION_DIGITS],
                expected=file.partition,
            )
        yield path
