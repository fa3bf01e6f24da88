"""Files from outside, in a directory or in a store that fsspec knows (``s3://…``). They are never moved or deleted."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from creator_pipeline.core.errors import DataError, TransientError
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS

_UNFINISHED = (
    *(".part", ".partial", ".filepart", ".crdownload", ".opdownload", ".download", ".dwl", ".aria2"),
    *(".tmp", ".temp"),
)
"""Endings of downloads and copies that aren't done; Safari's is a folder."""
_NEVER_MEANT = frozenset({"desktop.ini", "thumbs.db", "ehthumbs.db", "__macosx", "icon\r"})
"""What Windows and macOS write by themselves, in small letters."""
_OFFICE_LOCK = "~$"
"""Beginning of the files by which Excel says that a workbook is open."""
_DEPTH = 3
"""Of the folders that are looked through: files below a profile's folder are told, but never taken."""
_CHUNK = 1 << 20


class ListedFile(NamedTuple):
    """A file in the inbox. ``folder`` is the profile's folder that it is in; empty where it is in none.

    ``problem`` says why it can't be taken as it is; empty for most.
    """

    location: str
    folder: str
    size: int
    modified_ns: int
    problem: str = ""


class Listing(NamedTuple):
    """What is in an inbox.

    Attributes:
        files: complete as far as their names tell, oldest first.
        skipped: locations of what no person means: lock files, what Windows and macOS write by themselves.
        unfinished: locations of downloads that aren't done, and of the empty files that wait for them.
    """

    files: list[ListedFile]
    skipped: list[str]
    unfinished: list[str]


class File(NamedTuple):
    """A row of ``kdp_files``."""

    location: str
    profile_id: str
    size: int
    modified_ns: int
    state: str
    upload_id: str | None
    problem: str | None
    untold: bool = False

    @property
    def modified_at(self) -> datetime:
        """When the file was changed, aware UTC."""
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)

    @property
    def partition(self) -> str:
        """Key of the partition of the file's content."""
        return (self.upload_id or "")[:PARTITION_DIGITS]


def listing(inbox: str) -> list[ListedFile]:
    """The finished files of an inbox, oldest first; see :func:`look`.

    Raises:
        TransientError: the inbox can't be read.
    """
    return look(inbox).files


def look(inbox: str) -> Listing:
    """All that is in an inbox. An entry that can't be read is told, and holds up no other.

    Raises:
        TransientError: the inbox itself can't be read.
    """
    found = Listing([], [], [])
    try:
        files, root = filesystem(inbox)
        if not files.exists(root):
            return found
        unreadable: list[OSError] = []
        details: dict[str, dict[str, Any]] = (
            dict(_walk(root, unreadable)) if _is_local(inbox) else files.find(root, maxdepth=_DEPTH, detail=True)
        )
    except OSError as error:
        raise TransientError(
            f"The inbox {inbox} can't be read: {error}.", hint="Check KDP_INBOX and the rights on it."
        ) from error
    prefix = root.rstrip("/") + "/"
    for path, info in details.items():
        parts = path.removeprefix(prefix).split("/")
        location = path if _is_local(inbox) else files.unstrip_protocol(path)
        small = [part.lower() for part in parts]
        if small[-1].startswith(_OFFICE_LOCK) or not _NEVER_MEANT.isdisjoint(small):
            found.skipped.append(_shown(location))
        elif any(part.endswith(_UNFINISHED) for part in small):
            found.unfinished.append(_shown(location))
        elif not any(part.startswith(".") for part in parts):
            found.files.append(_listed(location, parts, info))
    found.files.extend(
        ListedFile(_shown(error.filename or inbox), "", 0, 0, f"it can't be read: {error.strerror}")
        for error in unreadable
    )
    return _without_placeholders(found)


def _walk(root: str, unreadable: list[OSError]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and details of all that is no folder. fsspec's own walk is silent about folders that it may not read."""
    for folder, folders, names in os.walk(root, onerror=unreadable.append, followlinks=True):
        if len(Path(folder).relative_to(root).parts) >= _DEPTH - 1:
            folders.clear()
        for name in names:
            path = Path(folder) / name
            try:
                status = path.stat()
            except FileNotFoundError:
                # Gone since, or a link to what isn't there.
                if path.is_symlink():
                    yield str(path), {"type": "link"}
            except OSError as error:
                unreadable.append(error)
            else:
                kind = "file" if stat.S_ISREG(status.st_mode) else "other"
                yield str(path), {"type": kind, "size": status.st_size, "mtime": status.st_mtime}


def _listed(location: str, parts: list[str], info: Mapping[str, Any]) -> ListedFile:
    folder, problem = parts[0] if len(parts) == 2 else "", ""
    size, changed = int(info.get("size") or 0), modified_ns(info)
    if (shown := _shown(location)) != location:
        # No database and no log takes such a name: it belongs to nobody until it is renamed.
        folder, problem = "", "its name is not in UTF-8: rename it"
    elif info.get("type") == "link":
        folder, problem = "", "it is a link that leads nowhere: put the file itself here"
    elif info.get("type") != "file":
        folder, problem = "", "it is no file"
    return ListedFile(shown, folder, size, changed, problem)


def _without_placeholders(found: Listing) -> Listing:
    """Firefox reserves a download's name by an empty file beside the unfinished one."""
    awaited = {name.rpartition(".")[0] for name in found.unfinished}
    folders = {name.rpartition("/")[0] for name in found.unfinished}
    files, unfinished = list[ListedFile](), list(found.unfinished)
    for each in sorted(found.files, key=lambda each: (each.modified_ns, each.location)):
        empty = not each.size and each.location.rpartition("/")[0] in folders
        if not each.problem and (each.location in awaited or empty):
            unfinished.append(each.location)
        else:
            files.append(each)
    return Listing(files, found.skipped, unfinished)


def _shown(location: str) -> str:
    return location.encode("utf-8", "backslashreplace").decode()


def filesystem(location: str) -> tuple[Any, str]:
    """The store that a location is in, and its path there."""
    import fsspec

    # In a URL, :: joins stores that are read through each other; in the name of a file it is two colons.
    store, colons, _ = location.partition("::")
    whole = not colons or ("://" in location and "://" not in store)
    files, path = fsspec.core.url_to_fs(location if whole else store, use_listings_cache=False)
    return files, str(path) if whole else str(files._strip_protocol(location))  # noqa: SLF001 - fsspec has no other way


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
