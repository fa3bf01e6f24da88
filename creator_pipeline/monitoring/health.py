"""What is wrong with the house: found by looks, kept in ``health_reports``, told once and once when it is solved.

A look covers a part of the ids; what it doesn't find any more in its part is solved. A look that fails changes
nothing in its part and is a problem itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import now
from creator_pipeline.mail import outbox
from creator_pipeline.mail.outbox import Mail, digest, event_key
from creator_pipeline.mail.wording import moment_text, plain_error
from creator_pipeline.settings import Settings
from creator_pipeline.store import health_reports
from creator_pipeline.store.engine import Warehouse

HOUSE = "the pipeline"
"""Whose a problem is that is no profile's."""
LEFT_AFTER = timedelta(hours=20)
"""What a run's own mail told of is told again after this: by then it was left behind."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        id: ``part/what`` or ``part/what/profile``; the same as long as it is the same problem.
        subject: what it is about, for the subject of a mail: ``Sensor webhook_jobs``.
        text: what was found; without secrets and addresses.
        hint: the command or the step that fixes it.
        profile_id: whose it is.
        told: the run that failed has a mail of its own; see :data:`LEFT_AFTER`.
    """

    id: str
    subject: str
    text: str
    hint: str
    profile_id: str = HOUSE
    told: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """A way to find problems.

    Attributes:
        part: what its problems' ids begin with where it ends with ``/``, else their one id; it answers for them.
        find: the problems there are now.
    """

    part: str
    find: Callable[[], Iterable[Problem]]


class NotSeen(Exception):  # noqa: N818 - no error: nothing can be said at the moment
    """Raised by a look that found no answer: what was known before stands."""


@dataclass
class News:
    """What changed since the looks before."""

    new: list[Problem] = field(default_factory=list[Problem])
    solved: list[str] = field(default_factory=list[str])
    open: int = 0


def take(looks: Iterable[Look], warehouse: Warehouse, settings: Settings) -> News:
    """Look, store what changed, and tell of it by mail to OPS_EMAIL: what broke once, and once that it is solved.

    What broke while OPS_EMAIL was not set is told when it is, if it is still broken.

    Raises:
        TransientError: the warehouse can't be reached; the next look finds the same.
    """
    found: dict[str, list[Problem]] = {}
    for look in looks:
        blind = f"look/{look.part.rstrip('/')}"
        try:
            found[look.part] = [replace(one, text=plain_error(one.text, settings)) for one in look.find()]
        except NotSeen:
            continue
        except Exception as error:  # noqa: BLE001 - one blind eye must not close the others
            found[blind] = [_blind(blind, error, settings)]
        else:
            found[blind] = []
    with warehouse.write() as connection:
        return _store(connection, settings, found)


def _blind(report_id: str, error: Exception, settings: Settings) -> Problem:
    told = error.message if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, PipelineError) else "Read the log of the sensor pipeline_health."
    part = report_id.partition("/")[2]
    return Problem(report_id, f"The look at {part}", f"{part} can't be looked at: {plain_error(told, settings)}", hint)


def open_problems(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows of ``health_reports`` that are not resolved, the oldest first."""
    with warehouse.read() as connection:
        return health_reports.open_ones(connection)


def _store(connection: Connection, settings: Settings, found: Mapping[str, list[Problem]]) -> News:
    moment, news = now(), News()
    known = {row["id"]: row for row in health_reports.open_ones(connection)}
    problems = {problem.id: problem for part in found.values() for problem in part}
    for problem in problems.values():
        row = known.get(problem.id)
        if row is None:
            health_reports.opened(connection, problem.id, problem.text, problem.hint, moment)
            news.new.append(problem)
        elif (row["text"], row["hint"]) != (problem.text, problem.hint):
            health_reports.changed(connection, problem.id, text=problem.text, hint=problem.hint)
        since = row["since"] if row else moment
        due = not problem.told or moment - since >= LEFT_AFTER
        if settings.ops_email and due and (row is None or row["told_at"] is None):
            _tell(connection, settings, problem, since)
            health_reports.changed(connection, problem.id, told_at=moment)
    for report_id in known.keys() - problems.keys():
        if any(report_id == part or (part.endswith("/") and report_id.startswith(part)) for part in found):
            health_reports.changed(connection, report_id, resolved_at=moment)
            news.solved.append(report_id)
            if settings.ops_email and known[report_id]["told_at"] is not None:
                _tell_solved(connection, settings, known[report_id], moment)
    news.open = len(known) + len(news.new) - len(news.solved)
    return news


def _tell(connection: Connection, settings: Settings, problem: Problem, since: datetime) -> None:
    values = {
        "profile_id": problem.profile_id,
        "source": problem.subject,
        "what": "",
        "error_message": problem.text,
        "next_step": problem.hint,
        "failed_at": moment_text(since),
        "trigger": "the sensor pipeline_health",
        "url": None,
        "job_id": problem.id,
    }
    key = event_key("health", digest(problem.id), since.isoformat())
    outbox.add(connection, settings, Mail(key, "ops_failure", str(settings.ops_email), values))


def _tell_solved(connection: Connection, settings: Settings, row: Mapping[str, Any], moment: datetime) -> None:
    values = {
        "what": row["text"],
        "since": moment_text(row["since"]),
        "mended_at": moment_text(moment),
        "report_id": row["id"],
    }
    key = event_key("health-mended", digest(row["id"]), row["since"].isoformat())
    outbox.add(connection, settings, Mail(key, "ops_mended", str(settings.ops_email), values))
