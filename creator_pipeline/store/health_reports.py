"""Rows of ``health_reports``: what is wrong, one row for each problem, open until it is found solved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from creator_pipeline.core.windows import now
from creator_pipeline.store.tables import health_reports
from creator_pipeline.store.upserts import insert_into

DETAILS = ("cause", "subject", "profile_id", "amount", "run_id")
"""Columns that are null where there is nothing to say."""


def opened(
    connection: Connection,
    report_id: str,
    text: str,
    hint: str,
    since: datetime | None = None,
    **more: str | None,
) -> bool:
    """Note a problem; False where it is open already. One that was solved is open again, and not told yet.

    Args:
        connection: a write transaction.
        report_id: what is wrong with what; the same each time.
        text: what was found, for people.
        hint: the command or the step that fixes it.
        since: when it began; now where not given.
        more: ``cause``, ``subject``, ``profile_id``, ``amount`` and ``run_id``.
    """
    table = health_reports
    fresh = dict.fromkeys(("told_at", "resolved_at", "mended_told_at", *DETAILS))
    values = {**fresh, "text": text, "hint": hint, "since": since or now(), **more}
    statement = insert_into(connection, table).values(id=report_id, **values)
    statement = statement.on_conflict_do_update(
        index_elements=["id"], set_=values, where=table.c.resolved_at.is_not(None)
    )
    return bool(connection.execute(statement).rowcount)


def open_ones(connection: Connection) -> list[dict[str, Any]]:
    """Reports that are not solved, the oldest first."""
    table = health_reports
    asked = select(table).where(table.c.resolved_at.is_(None)).order_by(table.c.since, table.c.id)
    return [dict(row) for row in connection.execute(asked).mappings()]


def solved_ones(connection: Connection) -> list[dict[str, Any]]:
    """Reports that are solved, and whose end was not told yet, the oldest first."""
    table = health_reports
    wanted = (table.c.resolved_at.is_not(None), table.c.mended_told_at.is_(None))
    asked = select(table).where(*wanted).order_by(table.c.resolved_at, table.c.id)
    return [dict(row) for row in connection.execute(asked).mappings()]


def open_since(connection: Connection, prefix: str, moment: datetime) -> set[str]:
    """Ids that begin so of reports that are not solved, or were solved after a moment."""
    table = health_reports.c
    open_ = or_(table.resolved_at.is_(None), table.resolved_at > moment)
    return set(connection.execute(select(table.id).where(table.id.startswith(prefix), open_)).scalars())


def changed(connection: Connection, report_id: str, **values: object) -> None:
    """Change columns of a report."""
    connection.execute(update(health_reports).where(health_reports.c.id == report_id).values(**values))
