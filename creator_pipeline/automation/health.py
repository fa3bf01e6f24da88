"""What is wrong with the house: found by looks, kept in ``health_reports``, told once and once when it is mended.

A look covers a part of the ids; what it doesn't find any more in its part is mended. A look that fails changes
nothing in its part and is a problem itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import now
from creator_pipeline.mail import outbox
from creator_pipeline.mail.outbox import Mail, digest, event_key
from creator_pipeline.mail.wording import moment_text, plain_error
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import health_reports

HOUSE = "the pipeline"
"""Whose a problem is that is no profile's."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        id: ``part/what`` or ``part/what/profile``; the same as long as it is the same problem.
        subject: what it is about, for the subject of a mail: ``Sensor webhook_jobs``.
        text: what was found; without secrets and addresses.
        mend: the command or the step that mends it.
        profile_id: whose it is.
    """

    id: str
    subject: str
    text: str
    mend: str
    profile_id: str = HOUSE


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
    mended: list[str] = field(default_factory=list[str])
    open: int = 0


def take(looks: Iterable[Look], warehouse: Warehouse, settings: Settings) -> News:
    """Look, store what changed, and tell of it by mail to OPS_EMAIL where that is set.

    Raises:
        TransientError: the warehouse can't be reached; the next look finds the same.
    """
    found: dict[str, list[Problem]] = {}
    for look in looks:
        blind = f"look/{look.part.rstrip('/')}"
        try:
            found[look.part] = list(look.find())
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
    mend = error.hint if isinstance(error, PipelineError) else "Read the log of the sensor pipeline_health."
    part = report_id.partition("/")[2]
    return Problem(report_id, f"The look at {part}", f"{part} can't be looked at: {plain_error(told, settings)}", mend)


def open_problems(warehouse: Warehouse) -> list[Mapping[str, object]]:
    """Rows of ``health_reports`` that are not resolved, the oldest first."""
    table = health_reports
    with warehouse.read() as connection:
        asked = select(table).where(table.c.resolved_at.is_(None)).order_by(table.c.since, table.c.id)
        return [dict(row) for row in connection.execute(asked).mappings()]


def _store(connection: Connection, settings: Settings, found: Mapping[str, list[Problem]]) -> News:
    table, moment, news = health_reports, now(), News()
    known = {
        row["id"]: row
        for row in connection.execute(select(table).where(table.c.resolved_at.is_(None))).mappings().all()
    }
    problems = {problem.id: problem for part in found.values() for problem in part}
    for problem in problems.values():
        if problem.id not in known:
            news.new.append(problem)
            _tell(connection, settings, problem, moment.isoformat())
            _open(connection, problem, moment)
        elif (known[problem.id]["text"], known[problem.id]["mend"]) != (problem.text, problem.mend):
            changed = update(table).where(table.c.id == problem.id)
            connection.execute(changed.values(text=problem.text, mend=problem.mend))
    for report_id in known.keys() - problems.keys():
        if any(report_id == part or (part.endswith("/") and report_id.startswith(part)) for part in found):
            connection.execute(update(table).where(table.c.id == report_id).values(resolved_at=moment))
            news.mended.append(report_id)
    news.open = len(known) + len(news.new) - len(news.mended)
    return news


def _open(connection: Connection, problem: Problem, moment: object) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"text": problem.text, "mend": problem.mend, "since": moment, "told_at": moment, "resolved_at": None}
    statement = dialect.insert(health_reports).values(id=problem.id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def _tell(connection: Connection, settings: Settings, problem: Problem, since: str) -> None:
    if not settings.ops_email:
        return
    values = {
        "profile_id": problem.profile_id,
        "source": problem.subject,
        "what": "",
        "error_message": plain_error(problem.text, settings),
        "next_step": problem.mend,
        "failed_at": moment_text(now()),
        "trigger": "the sensor pipeline_health",
        "url": None,
        "job_id": problem.id,
    }
    key = event_key("health", digest(problem.id), since)
    outbox.add(connection, settings, Mail(key, "ops_failure", settings.ops_email, values))
