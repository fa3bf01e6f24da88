"""What a creator's page shows of the reports of a profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, select

from creator_pipeline.mail.render import one_line
from creator_pipeline.mail.wording import plain_error, short_moment, without_shell
from creator_pipeline.platforms.contract import PageLine
from creator_pipeline.platforms.kdp.held import CHOICES
from creator_pipeline.platforms.uploads import UploadedFile, by_kind
from creator_pipeline.settings import Settings
from creator_pipeline.store.tables import kdp_uploads

_SHOWN_UPLOADS = 10
_SHOWN_PROBLEMS = 5
_NOT_COUNTED = frozenset({"rejected", "quarantined"})


def page_line(connection: Connection, profile_id: str) -> PageLine:
    """The line of Amazon KDP: when the newest report of a profile was uploaded, and whether it counts."""
    uploads = kdp_uploads.c
    newest = (
        select(uploads.uploaded_at, uploads.status)
        .where(uploads.profile_id == profile_id)
        .order_by(uploads.uploaded_at.desc())
        .limit(1)
    )
    row = connection.execute(newest).first()
    if row is None:
        return PageLine("No report yet", "Its sales come by uploaded reports.", good=False)
    name = f"Report of {short_moment(row.uploaded_at)}"
    if row.status in _NOT_COUNTED:
        return PageLine(f"{name} is not counted", "What is wrong with it stands below, with the reports.", good=False)
    return PageLine(name, "", good=True)


def uploaded_reports(connection: Connection, config: Settings, profile_id: str) -> Iterator[UploadedFile]:
    """The newest reports of a profile, newest first, with the problems of those that don't count."""
    uploads = kdp_uploads.c
    newest = (
        select(
            uploads.id,
            uploads.file_name,
            uploads.status,
            uploads.uploaded_at,
            uploads.error,
            uploads.slices,
            uploads.answer,
        )
        .where(uploads.profile_id == profile_id)
        .order_by(uploads.uploaded_at.desc(), uploads.id)
        .limit(_SHOWN_UPLOADS)
    )
    for row in connection.execute(newest):
        bad = row.status in _NOT_COUNTED
        problems = _problems(config, row.error) if bad else []
        held = row.status == "quarantined" and row.slices is not None
        open_still = held and row.answer is None
        yield UploadedFile(
            one_line(row.file_name),
            ("Waits for you" if open_still else "Being worked on") if held else row.status,
            short_moment(row.uploaded_at),
            bad,
            problems,
            row.id,
            CHOICES if open_still else (),
        )


def first_problem(config: Settings, error: str | None) -> str:
    """The first thing that is wrong with a report, by its stored error, for its owner; without the file's name."""
    stored: dict[str, Any] = orjson.loads(error or "{}")
    sentences = _of_rows(stored) or [_sentence(stored)]
    return plain_error(sentences[0], config) if sentences[0] else ""


def _problems(config: Settings, error: str | None) -> list[str]:
    stored: dict[str, Any] = orjson.loads(error or "{}")
    # The error of a report that is held back repeats its first problem, with the place.
    own = _sentence({"message": stored.get("message")} if stored.get("problems") else stored)
    sentences = [own, *_of_rows(stored)][: _SHOWN_PROBLEMS + 1]
    return [plain_error(text, config) for text in sentences if text]


def _of_rows(stored: Mapping[str, Any]) -> list[str]:
    """A sentence for each kind of problem, with the first rows that have it and how many more do."""
    return [
        _sentence(each) for each in by_kind(each for each in stored.get("problems", ()) if each.get("level") != "note")
    ]


def _sentence(problem: Mapping[str, Any]) -> str:
    parts = [", ".join(f"{part} {problem[part]}" for part in ("sheet", "row", "column") if problem.get(part))]
    parts += [without_shell(str(problem.get(part) or "")) for part in ("message", "hint")]
    parts += [f"{part.capitalize()}: {problem[part]}" for part in ("found", "expected") if problem.get(part)]
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)
