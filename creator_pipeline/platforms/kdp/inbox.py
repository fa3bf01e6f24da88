"""The inbox: ``KDP_INBOX/<profile_id>/FILE`` in a directory or any store fsspec knows (``s3://…``).

What was seen is kept in ``kdp_files`` by location, size and time of change, so an old file that is moved in later is
as new as any, and nothing has to be remembered elsewhere. Files are never moved or deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.kdp.files import File, Found, digest, filesystem, listing, modified_ns
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import row_of, upsert
from creator_pipeline.store.tables import kdp_files, kdp_uploads, profiles

HASHED_BYTES = 256 << 20
"""Bytes read in one look, one file at least: a look must end soon."""
_BATCH = 500


@dataclass
class Look:
    """What one look found.

    Attributes:
        ready: files whose content is to be ingested, at most one per content.
        strays: files that belong to no profile, and files refused, each with its reason.
        waiting: how many have to be seen once more, unchanged.
    """

    ready: list[File] = field(default_factory=list[File])
    strays: list[str] = field(default_factory=list[str])
    waiting: int = 0


def look(warehouse: Warehouse, inbox: str, *, most: int, requested: Collection[str] = ()) -> Look:
    """Look once: what settled since the last look is hashed, and what is new becomes ready.

    Args:
        most: files that become ready at most; the others wait for the next look.
        requested: locations whose runs are on their way, as the last look's caller remembers them.
    """
    found = listing(inbox)
    with warehouse.read() as connection:
        owners = set(connection.execute(select(profiles.c.id)).scalars())
        known = {file.location: file for file in map(File._make, connection.execute(select(kdp_files)))}
    result, changed = Look(), list[File]()
    budget = HASHED_BYTES
    for each in found:
        if each.folder not in owners:
            result.strays.append(_stray(each))
            continue
        before = known.get(each.location)
        same = before is not None and (before.size, before.modified_ns) == (each.size, each.modified_ns)
        if before is not None and same and before.state != "looked":
            continue
        if not same or budget <= 0:
            result.waiting += 1
            if not same:
                changed.append(File(each.location, each.folder, each.size, each.modified_ns, "looked", None, None))
            continue
        budget -= each.size
        sha = digest(each.location)
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
                .values(state="requested")
            )
        if changed:
            upsert(connection, kdp_files, [row_of(kdp_files, file._asdict()) for file in changed])
        result.ready = _ready(connection, most)
        result.strays += [
            f"{location}: {problem}"
            for location, problem in connection.execute(
                select(kdp_files.c.location, kdp_files.c.problem).where(kdp_files.c.state == "refused").limit(20)
            )
        ]
    return result


def _stray(each: Found) -> str:
    if each.folder:
        return f"{each.location}: there is no profile {each.folder!r}; creator-pipeline profiles add {each.folder} …"
    return f"{each.location}: put it into the folder of a profile, KDP_INBOX/PROFILE/FILE, by a name in UTF-8"


def _ready(connection: Connection, most: int) -> list[File]:
    waiting = [
        File(*row)
        for row in connection.execute(
            select(kdp_files)
            .where(kdp_files.c.state == "settled")
            .order_by(kdp_files.c.modified_ns, kdp_files.c.location)
            .limit(most * 4)
        )
    ]
    uploads = dict[str, tuple[str, str]]()
    if waiting:
        columns = kdp_uploads.c
        rows = connection.execute(
            select(columns.id, columns.profile_id, columns.status).where(
                columns.id.in_({file.upload_id for file in waiting})
            )
        )
        uploads = {upload_id: (owner, status) for upload_id, owner, status in rows}
    ready: dict[str, File] = {}
    for file in waiting:
        owner, status = uploads.get(file.upload_id or "", (file.profile_id, ""))
        earlier = ready.get(file.upload_id or "")
        if owner != file.profile_id or (earlier and earlier.profile_id != file.profile_id):
            _set(connection, file, "refused", foreign(file, owner if not earlier else earlier.profile_id).message)
        elif earlier or status in {"accepted", "superseded"}:
            _set(connection, file, "copy", None)
        elif len(ready) < most:
            ready[file.upload_id or ""] = file
    return list(ready.values())


def _set(connection: Connection, file: File, state: str, problem: str | None) -> None:
    connection.execute(
        update(kdp_files).where(kdp_files.c.location == file.location).values(state=state, problem=problem)
    )


def foreign(file: File, owner: str) -> DataError:
    """The error for a content that is another profile's upload."""
    return DataError(
        f"The same file was uploaded for profile {owner!r} before; one report is one account's.",
        hint=f"Look which account it is from. If it isn't {owner}'s, that upload has to be withdrawn first.",
        file=file.location,
        found=f"profile {file.profile_id}",
        expected=f"profile {owner}",
    )


def register(warehouse: Warehouse, paths: Iterable[Path], profile_id: str) -> list[File]:
    """Take files from anywhere on this machine for a profile, as a person at the command line does.

    Raises:
        DataError: a file is another profile's upload.
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
                select(kdp_uploads.c.profile_id).where(kdp_uploads.c.id == file.upload_id)
            ).scalar_one_or_none()
            if owner not in {None, profile_id}:
                raise foreign(file, str(owner))
        upsert(connection, kdp_files, [row_of(kdp_files, file._asdict()) for file in files])
    return files


def file_of(warehouse: Warehouse, partition: str) -> File:
    """A file that has the content of a partition; the original before its copies.

    Raises:
        DataError: none is known.
    """
    columns = kdp_files.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(kdp_files)
            .where(columns.upload_id >= partition, columns.upload_id < partition + "g", columns.state != "refused")
            # The original before its copies.
            .order_by((columns.state == "copy"), columns.modified_ns, columns.location)
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
