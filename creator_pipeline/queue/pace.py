"""Outgoing pace: requests of one token are spaced evenly (GCRA, burst 1), so that a limit is never tripped."""

from __future__ import annotations

import threading
import time

PROCESSES = 4
"""Processes that may call a platform at once: ``max_concurrent_runs`` of dagster.yaml (a test compares them)."""


class LocalPace:
    """The pace of one process: its share of the rate that is safe when :data:`PROCESSES` run at once.

    Args:
        per_minute: the token's whole budget.
        processes: how many share it without seeing each other.
    """

    def __init__(self, per_minute: float, *, processes: int = PROCESSES) -> None:
        self._interval = 60.0 * processes / per_minute
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Block until one request may go; returns the seconds waited."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._interval
        delay = start - now
        if delay > 0:
            time.sleep(delay)
        return delay
