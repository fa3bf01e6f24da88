"""What time it is in the invented world."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta


@dataclass
class WorldClock:
    """Gives seconds since 1970 on the UTC day ``today``, which moves only when somebody says so."""

    today: date

    def __call__(self) -> int:
        """Now; in a world of another day than ours the clock stands still in the middle of its own."""
        now, midnight = int(time.time()), self.midnight
        return now if midnight <= now < midnight + 86_400 else midnight + 43_200

    @property
    def midnight(self) -> int:
        """When the day began, seconds since 1970."""
        return int(datetime(self.today.year, self.today.month, self.today.day, tzinfo=UTC).timestamp())

    def advance(self) -> None:
        """The next day."""
        self.today += timedelta(days=1)
