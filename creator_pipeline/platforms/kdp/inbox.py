"""The inbox: ``KDP_INBOX/<profile_id>/FILE`` in a directory or in a store that fsspec knows (``s3://…``).

Table ``kdp_files`` holds location, size and time of change of every file that was seen. An old file that is moved in
later is therefore new, and no other state is needed. Files are never moved or deleted.

States of a file there: ``looked`` (seen once), ``settled`` (seen twice without a change, so it is complete),
``requested`` (its run was asked for, or has read it), ``copy`` (its content is another file's too), ``withdrawn`` (with
its upload), ``refused`` (see ``problem``). Files of a profile that settle together, or while such are being read, are
``untold`` until one mail has told of all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sqlalchemy import Connection, delete, func, select, update

from creator_pipeline.core.budget import Budget
from creator_pipeline.core.errors import DataError, TransientError
from creator_pipeline.platforms.kdp.files import File, ListedFile, digest, filesystem, look, modified_ns
from creator_pipeline.platforms.kdp.models import WITHDRAWN
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import row_of, upsert
from creator_pipeline.store.tables import kdp_files, kdp_uploads, profiles

HASHED_BYTES = 256 << 20
"""Bytes that one scan reads before it stops, one file at least: a scan must end soon."""
_BATCH = 500


@dataclass
class Scan:
    """Result of one scan of the inbox.

    Attributes:
        ready: files to ingest, one for each content; of each profile the oldest.
        together: profiles that have untold files.
        growing: profiles of which a file must be found unchanged by the next scan.
        strays: a line for each file that belongs to no profile, can't be read or is refused, with the reason.
        skipped: locations of files that no person means.
        waiting: number of files that the next scan must find unchanged, unfinished downloads included.
    """

    ready: list[File] = field(default_factory=list[File])
    together: set[str] = field(default_factory=set[str])
    growing: set[str] = field(default_factory=set[str])
    strays: list[str] = field(default_factory=list[str])
    skipped: list[str] = field(default_factory=list[str])
    waiting: int = 0


def scan(
    warehouse: Warehouse, inbox: str, *, most: int, requested: Collection[str] = (), budget: Budget | None = None
) -> Scan:
    """Scan the inbox once. Files that didn't change since the last scan are hashed; new contents become ready.

    Args:
        warehouse: where the files' states are stored.
        inbox: a directory or an fsspec URL.
        most: largest number of files of a profile that become ready; the others wait for the next scan.
        requested: locations of files whose runs the caller asked for after the last scan.
        budget: no file is read when it is spent; the next scan reads the rest.

    Raises:
        TransientError: the inbox can't be read.
    """
    listed = look(inbox)
    found = listed.files
    with warehouse.read() as connection:
        owners = set(connection.execute(select(profiles.c.id)).scalars())
        known = {file.location: file for file in map(File._make, connection.execute(select(kdp_files)))}
    result, changed = Scan(skipped=listed.skipped, waiting=len(listed.unfinished)), list[File]()
    left = HASHED_BYTES
    for each in found:
        if each.folder not in owners:
            result.strays.append(_stray(each))
            continue
        before = known.get(each.location)
        same = before is not None and (before.size, before.modified_ns) == (each.size, each.modified_ns)
        if before is not None and same and before.state != "looked":
            continue
        if not same or left <= 0 or (budget is not None and budget.spent):
            result.waiting += 1
            result.growing.add(each.folder)
            if not same:
                changed.append(File(each.location, each.folder, each.size, each.modified_ns, "looked", None, None))
            continue
        left -= each.size
        try:
            sha = digest(each.location)
        except TransientError as error:
            # It keeps nobody's other files waiting; the next scan tries it again.
            result.strays.append(str(error))
            continue
        changed.append(File(each.location, each.folder, each.size, each.modified_ns, "settled", sha, None))
    there = {each.location for each in found}
    gone = [name for name, file in known.items() if file.state == "looked" and name not in there]
    with warehouse.write() as connection:
        for start in range(0, len(gone), _BATCH):
            connection.execute(delete(kdp_files).where(kdp_files.c.location.in_(gone[start : start + _BATCH])))
        if requested:
            connection.execute(
                update(kdp_files)
                .where(kdp_files.c.location.in_(requested), kdp_files.c.state == "settled")
                .values(state="requested", untold=False)
            )
        if changed:
            upsert(connection, kdp_files, [row_of(kdp_files, file._asdict()) for file in changed])
        result.together = _together(connection)
        result.ready = _ready(connection, most)
        result.strays += [
            f"{location}: {problem}"
            for location, problem in connection.execute(
                select(kdp_files.c.location, kdp_files.c.problem).where(kdp_files.c.state == "refused").limit(20)
            )
        ]
    return result


def _stray(each: ListedFile) -> str:
    if each.problem:
        return f"{each.location}: {each.problem}"
    if each.folder:
        add = f"creator-pipeline profiles add {each.folder} --email ADDRESS"
        return f"{each.location}: there is no profile {each.folder!r}; {add}"
    return f"{each.location}: put it into the folder of a profile, KDP_INBOX/PROFILE/FILE"


def _together(connection: Connection) -> set[str]:
    """Note which files came together, and return the profiles that have such."""
    files = kdp_files.c
    settled = select(files.profile_id).where(files.state == "settled").group_by(files.profile_id)
    several = set(connection.execute(settled.having(func.count(files.upload_id.distinct()) > 1)).scalars())
    several |= set(connection.execute(select(files.profile_id).where(files.untold).distinct()).scalars())
    if several:
        settled_now = (files.state == "settled") & ~files.untold & files.profile_id.in_(several)
        connection.execute(update(kdp_files).where(settled_now).values(untold=True))
    return several


def _ready(connection: Connection, most: int) -> list[File]:
    waiting = list(_oldest(connection, most * 2))
    columns, uploads = kdp_uploads.c, dict[str, tuple[str, str]]()
    ids = sorted({file.upload_id or "" for file in waiting})
    for start in range(0, len(ids), _BATCH):
        part = columns.id.in_(ids[start : start + _BATCH])
        rows = connection.execute(
            select(columns.id, columns.profile_id, columns.status).where(part, columns.status != WITHDRAWN)
        )
        uploads |= {upload_id: (owner, status) for upload_id, owner, status in rows}
    ready: dict[str, File] = {}
    counts = Counter[str]()
    for file in waiting:
        owner, status = uploads.get(file.upload_id or "", (file.profile_id, ""))
        earlier = ready.get(file.upload_id or "")
        if owner != file.profile_id or (earlier and earlier.profile_id != file.profile_id):
            _set_state(connection, file, "refused", foreign(file, owner if not earlier else earlier.profile_id).message)
        elif earlier or status in {"accepted", "superseded"}:
            _set_state(connection, file, "copy", None)
        elif counts[file.profile_id] < most:
            counts[file.profile_id] += 1
            ready[file.upload_id or ""] = file
    return list(ready.values())


def _oldest(connection: Connection, most: int) -> Iterator[File]:
    """Settled files, the oldest first, and not more than so many of a profile."""
    rows = connection.execute(
        select(kdp_files).where(kdp_files.c.state == "settled").order_by(kdp_files.c.modified_ns, kdp_files.c.location)
    )
    counts = Counter[str]()
    for file in map(File._make, rows):
        counts[file.profile_id] += 1
        if counts[file.profile_id] <= most:
            yield file


def _set_state(connection: Connection, file: File, state: str, problem: str | None) -> None:
    connection.execute(
        update(kdp_files).where(kdp_files.c.location == file.location).values(state=state, problem=problem)
    )


def foreign(file: File, owner: str) -> DataError:
    """The error for a file whose content is an upload of the profile ``owner``."""
    return DataError(
        f"The same file was uploaded for profile {owner!r} before; one report is one account's.",
        hint=f"Look which account it is from. If it isn't {owner}'s, that upload has to be withdrawn first.",
        file=file.location,
        found=f"profile {file.profile_id}",
        expected=f"profile {owner}",
    )


def given_name(file: File) -> str:
    """The file's name as its owner gave it, without the digits that the gateway puts before it."""
    return PurePosixPath(file.location).name.removeprefix(f"{file.partition}-")


def register(warehouse: Warehouse, paths: Iterable[Path], profile_id: str) -> list[File]:
    """Store that files of this machine are to be ingested for a profile, and return them.

    Raises:
        DataError: the content of a file is another profile's upload.
        TransientError: a file can't be read.
    """
    files: list[File] = []
    for path in paths:
        status = path.stat()
        found = path.absolute()
        files.append(
            File(
                str(found),
                profile_id,
                status.st_size,
                modified_ns({"mtime": status.st_mtime}),
                "requested",
                digest(str(found)),
                None,
            )
        )
    with warehouse.write() as connection:
        for file in files:
            owner = connection.execute(
                select(kdp_uploads.c.profile_id).where(
                    kdp_uploads.c.id == file.upload_id, kdp_uploads.c.status != WITHDRAWN
                )
            ).scalar_one_or_none()
            if owner not in {None, profile_id}:
                raise foreign(file, str(owner))
        upsert(connection, kdp_files, [row_of(kdp_files, file._asdict()) for file in files])
    return files


def file_of(warehouse: Warehouse, partition: str) -> File:
    """A file that exists and has the content of a partition; the original rather than a copy.

    Raises:
        DataError: there is none any more.
    """
    columns = kdp_files.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(kdp_files)
            .where(columns.upload_id >= partition, columns.upload_id < partition + "g", columns.state != "refused")
            .order_by((columns.state == WITHDRAWN), (columns.state == "copy"), columns.modified_ns, columns.location)
        ).all()
    for row in rows:
        file = File(*row)
        files, path = filesystem(file.location)
        if files.exists(path):
            return file
    raise DataError(
        f"The file of upload {partition} isn't there any more.",
        hint="Put it into the inbox again; the same content is the same upload.",
        file=str(rows[0][0]) if rows else None,
        found="no file with this content",
        expected=f"a file whose SHA-256 begins with {partition}",
    )
