"""Files that people upload to a platform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection

from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse


class StoredFile(NamedTuple):
    """An uploaded file in the inbox. ``sha256`` is the digest of its content, as hex digits."""

    sha256: str
    name: str
    location: str


_KIND = ("sheet", "column", "expected", "hint")
"""Problems of a file that are equal in these are one problem in several rows."""
_SHOWN_ROWS = 3


def by_kind(problems: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One problem of each kind, the first; its ``row`` tells the first rows that have it and how many more do."""
    kinds: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for problem in problems:
        kinds.setdefault(tuple(problem.get(part) for part in _KIND), []).append(problem)
    return [{**found[0], "row": _rows_text([each.get("row") for each in found])} for found in kinds.values()]


def _rows_text(rows: Iterable[int | None]) -> str | None:
    known = [row for row in rows if row is not None]
    shown = ", ".join(map(str, known[:_SHOWN_ROWS]))
    return (f"{shown} and {len(known) - _SHOWN_ROWS} more" if len(known) > _SHOWN_ROWS else shown) or None


class Choice(NamedTuple):
    """What an owner can say of a file that is held back: a button's label, and what it does, for people."""

    word: str
    label: str
    does: str


class UploadedFile(NamedTuple):
    """A line of the uploads on the creator's page. ``at`` is when it came, as text; ``problems`` are sentences.

    ``id`` and ``choices`` are of a file that is held back until its owner says what it is.
    """

    name: str
    state: str
    at: str
    bad: bool
    problems: list[str]
    id: str = ""
    choices: Sequence[Choice] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """The files that people upload. The gateway makes ``/uploads/NAME`` of it.

    Attributes:
        noun: what is uploaded, for people, in the singular.
        endings: of the files that are taken: ``.csv``.
        max_bytes: size of the largest file that is taken.
        inbox: (settings) to the directory or fsspec URL that the files go to.
        inbox_hint: what to do where the inbox can't be written to.
        name_of: (content, name that its owner gave it) to the name to store it under. Raises DataError where the
            content is of no kind that is taken.
        describe: (warehouse, content, name) to what is in it, for the JSON answer. Raises DataError where the file is
            refused.
        enqueue: (warehouse, queue, profile id, file) to the id of its job. The same file again has the same job.
        reports: (connection, settings, profile id) to the newest files, newest first, for the creator's page.
        answer: (warehouse, profile id, file's id, word of a choice) does what an owner says of a file that is held
            back; False where the profile has no such file. None where none is held back.
    """

    noun: str
    endings: tuple[str, ...]
    max_bytes: int
    inbox: Callable[[Settings], str]
    inbox_hint: str
    name_of: Callable[[Path, str | None], str]
    describe: Callable[[Warehouse, Path, str], Mapping[str, Any]]
    enqueue: Callable[[Warehouse, JobQueue, str, StoredFile], str]
    reports: Callable[[Connection, Settings, str], Iterable[UploadedFile]]
    answer: Callable[[Warehouse, str, str, str], bool] | None = None
