"""Runs the checks of ``pipeline_health``: each problem is stored in ``health_reports``, told once, and once solved.

A check answers for a part of the ids: what it doesn't find any more in its part is solved. A check that fails changes
nothing in its part and is a problem itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from creator_pipeline.core.budget import Budget
from creator_pipeline.core.checks import Check, Finding, NothingKnown
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import now
from creator_pipeline.mail.wording import plain_error
from creator_pipeline.monitoring import told_together
from creator_pipeline.monitoring.told_together import cause_of, fails_otherwise
from creator_pipeline.settings import Settings
from creator_pipeline.store import health_reports
from creator_pipeline.store.engine import Warehouse

FAILED_CHECK = "look/"
"""Ids of checks that failed begin with it."""


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
    """Run the checks, store what changed, and tell operators of it: what broke once, and once that it is solved.

    What has one cause is one mail, and one notice: see :mod:`.told_together`.

    What broke while neither OPS_EMAIL nor ALERT_URLS was set is told when one is, if it is still broken. Findings that
    are ``ok`` or ``off`` are no problems.

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
        told_by = {
            "cause": cause_of(problem),
            "subject": problem.subject,
            "profile_id": problem.profile_id or None,
            "amount": problem.amount or None,
            "run_id": problem.run_id or None,
        }
        if row is None:
            since = problem.since or moment
            health_reports.opened(connection, problem.name, problem.detail, problem.hint, since, **told_by)
            changes.new.append(problem)
            continue
        values = {"text": problem.detail, "hint": problem.hint, **told_by}
        if fails_otherwise(row, problem):
            values |= {"told_at": None, "since": moment}
        if any(row[name] != value for name, value in values.items()):
            health_reports.changed(connection, problem.name, **values)
    for report_id in known.keys() - problems.keys():
        if any(report_id == part or (part.endswith("/") and report_id.startswith(part)) for part in found):
            health_reports.changed(connection, report_id, resolved_at=moment)
            changes.solved.append(report_id)
    told_together.tell(connection, settings, problems.keys(), moment)
    changes.open = len(known) + len(changes.new) - len(changes.solved)
    return changes
