"""Waiting for a job: the table is asked often and cheaply, so that nobody need ask for it from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from creator_pipeline.queue import table
from creator_pipeline.store.engine import Warehouse

LOOK_SECONDS = 0.2
"""Between two looks into the table; a look ends at the first row of an index."""
GATHER_SECONDS = 0.3
"""After the first job, for what comes with it: one run does all jobs of a profile."""
_PAUSES = 10
"""Least pause in times of what a look took: a full table or a far database is asked less often."""


def wait_for_job(warehouse: Warehouse, sources: Collection[str], seconds: float, goes_on: Callable[[], bool]) -> bool:
    """Wait until a job may be handed out, and for what comes with it; False where none came.

    Between two looks it holds neither a transaction nor a connection of the pool.

    Args:
        warehouse: holds the queue.
        sources: names of the platforms whose jobs count.
        seconds: to wait at most; 0 looks into nothing.
        goes_on: asked before each look; False ends the wait.

    Raises:
        TransientError: the warehouse can't be reached.
    """
    until = time.monotonic() + seconds
    while seconds > 0 and goes_on():
        began = time.monotonic()
        with warehouse.read() as connection:
            found = table.any_waiting(connection, sources)
        ended = time.monotonic()
        pause = GATHER_SECONDS if found else max(LOOK_SECONDS, _PAUSES * (ended - began))
        if not found and ended + pause > until:
            return False
        time.sleep(pause)
        if found:
            return goes_on()
    return False
