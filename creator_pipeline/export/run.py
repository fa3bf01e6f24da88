"""Writes the months that changed, then the manifest that names them, then deletes what counts no more."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import Connection, select

from creator_pipeline.core.errors import DataError, TransientError
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.datasets import arrow
from creator_pipeline.datasets.declared import DATASETS, LEDGER, Dataset
from creator_pipeline.export.manifest import NAME, SCHEMA_VERSION, File, Manifest, Unit, read
from creator_pipeline.export.target import Target
from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import profiles

GRACE = timedelta(hours=1)
"""How long a reader that has the former manifest may still read its files."""
GUARD_ROWS = 50
GUARD_SHARE = 0.5
_STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True)
class Told:
    """What an export did to a table: rows and files that count now, files written, files that ceased to count."""

    table: str
    rows: int
    files: int
    written: int
    dropped: int


def export(
    warehouse: Warehouse,
    url: str,
    *,
    since: date | None = None,
    profile: str | None = None,
    allow_shrink: bool = False,
) -> list[Told]:
    """Make the exported files equal to the warehouse. Only months whose rows changed are written.

    All tables are of one moment. Stopped anywhere, readers have the former files, and the next run goes on.

    Args:
        warehouse: with the tables.
        url: where to, as ``EXPORT_URL``.
        since: only months from that of this day on; tables without time are looked at always.
        profile: only this one's rows.
        allow_shrink: accept a ledger that lost more than half of its exported rows.

    Raises:
        ConfigError: the target can't be used.
        DataError: the manifest can't be read, or the ledger lost most of its rows.
        TransientError: the target can't be reached, or another export was faster.
    """
    roll_up(warehouse)
    target = Target(url)
    before, there = read(target), target.names()
    first = since and since.replace(day=1)
    files = {unit: file for unit, file in before.files.items() if not _looked_at(unit, first, profile)}
    written: list[Unit] = []
    with _snapshot(warehouse) as connection:
        known = set(connection.execute(select(profiles.c.id)).scalars())
        for dataset in DATASETS:
            for unit in _units(connection, dataset, first, profile):
                found = _rows(connection, dataset, unit)
                old, digest = before.files.get(unit), _digest(dataset, found)
                if old is not None and old.digest == digest and old.path in there:
                    files[unit] = old
                else:
                    files[unit] = _write(target, dataset, unit, found, digest)
                    written.append(unit)
    after = _after(before, files)
    _guard(before, after, allow_shrink=allow_shrink)
    known |= {unit.profile for unit in files}
    doomed = _doomed(after, there, known)
    if (after.files, set(after.superseded) - doomed) != (before.files, set(before.superseded)) or not before.generation:
        _publish(target, before, after, doomed)
    target.delete(sorted(doomed))
    return [_told(dataset.name, before, after, written) for dataset in DATASETS]


@contextmanager
def _snapshot(warehouse: Warehouse) -> Generator[Connection]:
    """Every statement sees one moment. SQLite's transactions do so by themselves."""
    with warehouse.read() as connection:
        if warehouse.is_postgres:
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


def _looked_at(unit: Unit, first: date | None, profile: str | None) -> bool:
    in_time = first is None or not unit.month or unit.month >= f"{first:%Y-%m}"
    return in_time and profile in (None, unit.profile)


def _units(connection: Connection, dataset: Dataset, first: date | None, profile: str | None) -> list[Unit]:
    """The units that have rows."""
    columns = dataset.statement().subquery().c
    asked = [columns.profile_id, *([columns[dataset.day]] if dataset.day else [])]
    found = {
        Unit(dataset.name, f"{row[1]:%Y-%m}" if dataset.day else "", row[0])
        for row in map(tuple[Any, ...], connection.execute(select(*asked).distinct()))
    }
    return sorted(unit for unit in found if _looked_at(unit, first, profile))


def _rows(connection: Connection, dataset: Dataset, unit: Unit) -> list[tuple[Any, ...]]:
    mine = [("profile_id", unit.profile)]
    if not unit.month:
        return arrow.rows(connection, dataset, only=mine)
    start = date.fromisoformat(f"{unit.month}-01")
    end = (start + timedelta(days=32)).replace(day=1)
    return arrow.rows(connection, dataset, since=start, until=end, only=mine)


def _digest(dataset: Dataset, found: Iterable[tuple[Any, ...]]) -> str:
    digest = hashlib.sha256(repr((SCHEMA_VERSION, arrow.fields(dataset))).encode())
    for row in found:
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _write(target: Target, dataset: Dataset, unit: Unit, found: list[tuple[Any, ...]], digest: str) -> File:
    from pyarrow import parquet

    out = BytesIO()
    parquet.write_table(arrow.as_table(dataset, found), out, compression="zstd")
    folders = [unit.table, *([f"month={unit.month}"] if unit.month else []), f"profile={quote(unit.profile, safe='')}"]
    path = "/".join([*folders, f"{now():{_STAMP}}-{digest[:12]}.parquet"])
    target.put(path, out.getvalue())
    return File(path, unit.month, unit.profile, len(found), out.tell(), digest)


def _after(before: Manifest, files: Mapping[Unit, File]) -> Manifest:
    moment, counting = now(), {file.path for file in files.values()}
    gone = {file.path: moment for file in before.files.values() if file.path not in counting}
    return Manifest(before.generation + 1, moment, files, {**before.superseded, **gone})


def _guard(before: Manifest, after: Manifest, *, allow_shrink: bool) -> None:
    """Refuse to empty the files.

    Raises:
        DataError: the ledger has less than half of the rows that were exported.
    """
    was, is_now = before.rows(LEDGER.name), after.rows(LEDGER.name)
    if was >= GUARD_ROWS and is_now < was * GUARD_SHARE and not allow_shrink:
        raise DataError(
            f"The ledger has {number(is_now, 'row')} where {was} were exported; what was exported before stands.",
            hint="Is DATABASE_URL the right one? If so: creator-pipeline export --allow-shrink",
            found=f"{number(is_now, 'row')}",
            expected=f"about {number(was, 'row')}",
        )


def _doomed(after: Manifest, there: Iterable[str], known: set[str]) -> set[str]:
    """Files to delete: of profiles that are erased at once; what counts no more, and what a killed run left, later."""
    counting, end = {file.path for file in after.files.values()}, now() - GRACE
    return {
        name
        for name in {*there, *after.superseded}
        if name not in counting and name != NAME and (profile := _profile_of(name)) is not None
        if profile not in known or after.superseded.get(name, _written_at(name)) < end
    }


def _profile_of(name: str) -> str | None:
    """Whose file it is; None where it is none of an export."""
    part = next((part for part in name.split("/") if part.startswith("profile=")), None)
    return None if part is None else unquote(part.removeprefix("profile="))


def _written_at(name: str) -> datetime:
    """When a file was written, as its name says; long ago where it says nothing."""
    try:
        return datetime.strptime(name.rsplit("/", 1)[-1].split("-", maxsplit=1)[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _publish(target: Target, before: Manifest, after: Manifest, doomed: set[str]) -> None:
    """Replace the manifest.

    Raises:
        TransientError: another export replaced it meanwhile.
    """
    if read(target).generation != before.generation:
        raise TransientError(
            "Another export ended meanwhile; this one changed nothing.", hint="Run again: creator-pipeline export"
        )
    left = {path: at for path, at in after.superseded.items() if path not in doomed}
    target.put(NAME, Manifest(after.generation, after.written_at, after.files, left).dump())


def _told(table: str, before: Manifest, after: Manifest, written: Iterable[Unit]) -> Told:
    mine = [file for unit, file in after.files.items() if unit.table == table]
    dropped = [unit for unit in before.files if unit.table == table and unit not in after.files]
    return Told(table, after.rows(table), len(mine), sum(1 for unit in written if unit.table == table), len(dropped))
