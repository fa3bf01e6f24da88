"""Half-open windows of whole UTC days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple


class DayWindow(NamedTuple):
    """``[start, end)``, whole UTC days."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """Number of days; 0 when empty."""
        return max(0, (self.end - self.start).days)

    def each(self) -> Iterator[date]:
        """The days, oldest first."""
        return (self.start + timedelta(days=offset) for offset in range(self.days))

    def split(self) -> tuple[DayWindow, DayWindow]:
        """Two windows that tile this one, the older first.

        Raises:
            ValueError: fewer than two days can't be split.
        """
        if self.days < 2:
            raise ValueError(f"{self} has fewer than two days")
        middle = self.start + timedelta(days=self.days // 2)
        return DayWindow(self.start, middle), DayWindow(middle, self.end)


def contiguous(days: Iterable[date]) -> list[DayWindow]:
    """The fewest windows that hold exactly these days, oldest first."""
    windows: list[DayWindow] = []
    for day in sorted(set(days)):
        if windows and windows[-1].end == day:
            windows[-1] = DayWindow(windows[-1].start, day + timedelta(days=1))
        else:
            windows.append(DayWindow(day, day + timedelta(days=1)))
    return windows


def days_up_to(moment: datetime) -> list[date]:
    """The UTC day of a moment and the day before: what is told then happened on one of them."""
    return [moment.date() - timedelta(days=1), moment.date()]


def today() -> date:
    """The current UTC day."""
    return datetime.now(UTC).date()


def now() -> datetime:
    """The current instant, aware UTC."""
    return datetime.now(UTC)


def aware_utc(text: str) -> datetime:
    """An ISO time with its zone, as aware UTC.

    Raises:
        ValueError: no time, no zone, or outside the years 1 to 9999 once it is UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("no such year") from None


def partition_key(day: date, profile_id: str) -> str:
    """Key of a day of a profile, ``2026-11-22|alice``: Dagster sorts the dimensions (date, profile) by name."""
    return f"{day.isoformat()}|{profile_id}"
