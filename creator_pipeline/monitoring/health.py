"""Runs the checks of ``pipeline_health``: each problem is stored in ``health_reports``, told once, and once solved.

A check answers for a part of the ids: what it doesn't find any more in its part is solved. A check that fails changes
nothing in its part and is a problem itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from creator_pipeline.core.budget import Budget
from creator_pipeline.core.checks import Check, Finding, NothingKnown
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import now
from creator_pipeline.mail import outbox
from creator_pipeline.mail.outbox import digest, event_key
from creator_pipeline.mail.wording import moment_text, plain_error
from creator_pipeline.settings import Settings
from creator_pipeline.store import health_reports
from creator_pipeline.store.engine import Warehouse

INSTALLATION = "the pipeline"
"""Whose a problem is that is no profile's."""
FAILED_CHECK = "look/"
"""Ids of checks that failed begin with it."""
LEFT_AFTER = timedelta(hours=20)
"""What a run's own mail told of is told again after this: by then it was left behind."""


@dataclass
class Changes:
    """What changed since the run before.

    Attributes:
        new: problems that were not open.
        solved: ids of those that are over.
        open: how many are left.
    """

    new: list[Finding] = field(default_factory=list[Finding])
    solved: list[str] = field(default_factory=list[str])
    open: int = 0


def run(checks: Iterable[Check], warehouse: Warehouse, settings: Settings, budget: Budget | None = None) -> Changes:
    """Run the checks, store what changed, and mail it to OPS_EMAIL: what broke once, and once that it is solved.

    What broke while OPS_EMAIL was not set is told when it is, if it is still broken. Findings that are ``ok`` or
    ``off`` are no problems.

    Args:
        checks: are run in this order.
        warehouse: stores the problems.
        settings: name who is told.
        budget: once it is spent no more checks are begun.

    Raises:
        TransientError: the warehouse can't be reached; the next run finds the same.
    """
    found: dict[str, list[Finding]] = {}
    for check in checks:
        if budget is not None and budget.spent:
            break  # nothing is known of what wasn't looked at, so what is open there stays so
        failed = f"{FAILED_CHECK}{check.name.rstrip('/')}"
        try:
            problems = [one for one in check.run() if one.state in {"no", "unknown"}]
            found[check.name] = [replace(one, detail=plain_error(one.detail, settings)) for one in problems]
        except NothingKnown:
            continue
        except Exception as error:  # noqa: BLE001 - one check that fails must not keep the others from being run
            found[failed] = [_failed(failed, error, settings)]
        else:
            found[failed] = []
    with warehouse.write() as connection:
        return _store(connection, settings, found)


def _failed(report_id: str, error: Exception, settings: Settings) -> Finding:
    told = error.message if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, PipelineError) else "Read the log of the sensor pipeline_health."
    part = report_id.removeprefix(FAILED_CHECK)
    text = f"{part} can't be looked at: {plain_error(told, settings)}"
    return Finding(report_id, "no", text, hint, f"The look at {part}")


def open_problems(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows of ``health_reports`` that are not resolved, the oldest first."""
    with warehouse.read() as connection:
        return health_reports.open_ones(connection)


def _store(connection: Connection, settings: Settings, found: Mapping[str, list[Finding]]) -> Changes:
    moment, changes = now(), Changes()
    known = {row["id"]: row for row in health_reports.open_ones(connection)}
    problems = {problem.name: problem for part in found.values() for problem in part}
    for problem in problems.values():
        row = known.get(problem.name)
        if row is None:
            health_reports.opened(connection, problem.name, problem.detail, problem.hint, moment)
            changes.new.append(problem)
        elif (row["text"], row["hint"]) != (problem.detail, problem.hint):
            health_reports.changed(connection, problem.name, text=problem.detail, hint=problem.hint)
        since = row["since"] if row else moment
        due = not problem.told or moment - since >= LEFT_AFTER
        if settings.ops_addresses and due and (row is None or row["told_at"] is None):
            _tell(connection, settings, problem, since)
            health_reports.changed(connection, problem.name, told_at=moment)
    for report_id in known.keys() - problems.keys():
        if any(report_id == part or (part.endswith("/") and report_id.startswith(part)) for part in found):
            health_reports.changed(connection, report_id, resolved_at=moment)
            changes.solved.append(report_id)
            if settings.ops_addresses and known[report_id]["told_at"] is not None:
                _tell_solved(connection, settings, known[report_id], moment)
    changes.open = len(known) + len(changes.new) - len(changes.solved)
    return changes


def _tell(connection: Connection, settings: Settings, problem: Finding, since: datetime) -> None:
    values = {
        "profile_id": problem.profile_id or INSTALLATION,
        "source": problem.subject,
        "what": "",
        "error_message": problem.detail,
        "next_step": problem.hint,
        "failed_at": moment_text(since),
        "trigger": "the sensor pipeline_health",
        "url": None,
        "job_id": problem.name,
    }
    key = event_key("health", digest(problem.name), since.isoformat())
    outbox.add_each(connection, settings, *outbox.to_ops(settings, key, "ops_failure", values))


def _tell_solved(connection: Connection, settings: Settings, row: Mapping[str, Any], moment: datetime) -> None:
    values = {
        "what": row["text"],
        "since": moment_text(row["since"]),
        "mended_at": moment_text(moment),
        "report_id": row["id"],
    }
    key = event_key("health-mended", digest(row["id"]), row["since"].isoformat())
    outbox.add_each(connection, settings, *outbox.to_ops(settings, key, "ops_mended", values))
