"""The manifest: which files count. A file that it doesn't name is nothing to a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.datasets.arrow import fields
from creator_pipeline.datasets.declared import DATASETS
from creator_pipeline.export.target import Target

NAME = "manifest.json"
SCHEMA_VERSION = 1
"""Of the tables' columns and of the manifest itself; docs/export.md says what raises it."""


class Unit(NamedTuple):
    """What one file holds: a table's rows of a profile and a month, ``YYYY-MM``; of a table without time, all."""

    table: str
    month: str
    profile: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that counts.

    Attributes:
        path: below ``EXPORT_URL``.
        month: ``YYYY-MM``; empty for a table without time.
        profile: whose rows.
        rows: how many.
        bytes: of the file.
        digest: SHA-256 of the rows and the columns; a file of the same digest isn't written again.
    """

    path: str
    month: str
    profile: str
    rows: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What counts, and what counted before.

    Attributes:
        generation: raised by one with each manifest.
        written_at: aware UTC.
        files: by unit.
        superseded: path to when it ceased to count, aware UTC; it is deleted an hour later.
    """

    generation: int = 0
    written_at: datetime | None = None
    files: Mapping[Unit, File] = field(default_factory=dict[Unit, File])
    superseded: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    def rows(self, table: str) -> int:
        """How many rows of a table count."""
        return sum(file.rows for unit, file in self.files.items() if unit.table == table)

    def dump(self) -> bytes:
        """As JSON."""
        tables = {
            dataset.name: {
                "description": dataset.about,
                "key": dataset.key,
                "columns": [one._asdict() for one in fields(dataset)],
                "files": [asdict(file) for file in self._of(dataset.name)],
            }
            for dataset in DATASETS
        }
        whole = {
            "schema_version": SCHEMA_VERSION,
            "generation": self.generation,
            "written_at": self.written_at,
            "tables": tables,
            "superseded": dict(sorted(self.superseded.items())),
        }
        return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)

    def _of(self, table: str) -> Iterable[File]:
        return [file for unit, file in sorted(self.files.items()) if unit.table == table]


def read(target: Target) -> Manifest:
    """The manifest of a target; an empty one where there is none.

    Raises:
        ConfigError: a newer release wrote it.
        DataError: it can't be read.
        TransientError: the target can't be reached.
    """
    found = target.get(NAME)
    if found is None:
        return Manifest()
    try:
        whole: dict[str, Any] = orjson.loads(found)
        version = int(whole["schema_version"])
        manifest = Manifest(
            int(whole["generation"]),
            datetime.fromisoformat(whole["written_at"]),
            {
                Unit(table, one["month"], one["profile"]): File(**one)
                for table, declared in whole["tables"].items()
                for one in declared["files"]
            },
            {path: datetime.fromisoformat(at) for path, at in whole["superseded"].items()},
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{NAME} below EXPORT_URL is no manifest of an export: {error!r}.",
            hint="Name an empty folder; everything is exported there again.",
            file=NAME,
        ) from None
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"{NAME} below EXPORT_URL is of schema version {version}; this release writes {SCHEMA_VERSION}.",
            hint="Upgrade this installation, or name an empty folder.",
        )
    return manifest
