"""How long something may take: a tick of a sensor ends in time, whatever it meets, and the next one goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

TICK_SECONDS = 40.0
"""Dagster ends a sensor's tick after 60 seconds and forgets what it asked for; one slow answer may come on top."""


class Budget:
    """Seconds from now on.

    Args:
        seconds: of the whole.
        clock: seconds that only grow.
    """

    def __init__(self, seconds: float = TICK_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._end = clock, clock() + seconds

    @property
    def spent(self) -> bool:
        """Whether nothing more should be begun."""
        return self._clock() >= self._end
