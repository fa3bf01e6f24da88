"""How fresh each profile's sales of a platform are: the last sync that read the present, and when another is due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.store.source import Source
from creator_pipeline.store.tables import platform_connections

GRACE = timedelta(hours=4)
"""From the moment a schedule is due to the moment when its runs must have begun to read; runs wait for each other."""
_PRESENT = timedelta(days=1)


class Freshness(NamedTuple):
    """A connection and how fresh it is.

    Attributes:
        fresh_at: begin of the last sync that read yesterday and today; None where there was none.
        expected_by: when it is late without another such sync; None while none is expected.
    """

    provider: str
    profile_id: str
    status: str
    fresh_at: datetime | None
    expected_by: datetime | None


def expected_by(daily_at: time, moment: datetime) -> datetime:
    """When the sync after ``moment`` is late: the next time that the schedule is due, and :data:`GRACE`.

    All profiles of a platform have the same, so what stops them all is told of all at once.

    Args:
        daily_at: when the schedule is due, UTC.
        moment: aware UTC.
    """
    due = datetime.combine(moment.astimezone(UTC).date(), daily_at, UTC)
    return (due if due > moment else due + timedelta(days=1)) + GRACE


def reads_the_present(windows: Iterable[DayWindow], moment: datetime, first_day: date) -> bool:
    """Whether these days hold yesterday and today: a backfill of old days, or a ping, says nothing of the present.

    Args:
        windows: days that were read.
        moment: when the reading began, aware UTC.
        first_day: before it nothing is read.
    """
    day = moment.astimezone(UTC).date()
    return any(one.start <= max(first_day, day - _PRESENT) and one.end > day for one in windows)


def mark_fresh(connection: Connection, source: Source, profile_id: str, moment: datetime) -> None:
    """Note a sync that read the present.

    Args:
        connection: of a write transaction.
        source: the platform.
        profile_id: whose account.
        moment: when the sync began, aware UTC.
    """
    due = expected_by(source.daily_at, moment) if source.daily_at else None
    _set(connection, source.provider, profile_id, fresh_at=moment, expected_by=due)


def expect(connection: Connection, source: Source, profile_id: str, moment: datetime | None) -> None:
    """Expect the first sync after a moment.

    Args:
        connection: of a write transaction.
        source: the platform.
        profile_id: whose account.
        moment: aware UTC; None expects none.
    """
    due = expected_by(source.daily_at, moment) if source.daily_at and moment else None
    _set(connection, source.provider, profile_id, expected_by=due)


def every(connection: Connection) -> list[Freshness]:
    """Each connection that has a token, in order."""
    table = platform_connections.c
    asked = select(*(table[name] for name in Freshness._fields)).where(table.access_token.is_not(None))
    rows = connection.execute(asked.order_by(table.provider, table.profile_id))
    return [Freshness._make(row) for row in rows]


def _set(connection: Connection, provider: str, profile_id: str, **values: Any) -> None:
    table = platform_connections.c
    mine = (table.provider == provider, table.profile_id == profile_id)
    connection.execute(update(platform_connections).where(*mine).values(values))
