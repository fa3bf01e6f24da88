"""The clock of a drill that plays days: of this process, of PostgreSQL's ``now()`` and of the runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import time_machine
from sqlalchemy import create_engine, make_url, text

from creator_pipeline.runtime import dagster_internals

_real_sleep = time.sleep
SHORT_SECONDS = 0.02
"""A wait that is no longer is a real one: somebody polls."""
OF_POSTGRES = (
    "CREATE TABLE IF NOT EXISTS public.drill_clock (seconds double precision)",
    "INSERT INTO public.drill_clock VALUES (0)",
    # Where public stands before pg_catalog, the name means this one.
    """CREATE OR REPLACE FUNCTION public.now() RETURNS timestamptz STABLE LANGUAGE sql AS
       'SELECT pg_catalog.now() + make_interval(0, 0, 0, 0, 0, 0, (SELECT max(seconds) FROM public.drill_clock))'""",
)


class Clock(AbstractContextManager["Clock"]):
    """A clock that goes on as the real one does, from wherever it is set to. A wait moves it on and takes no time.

    Args:
        begin: aware UTC.
        told: is given the seconds by which it is ahead of the real one, each time that it is set.
    """

    def __init__(self, begin: datetime, told: Callable[[float], object] = lambda _seconds: None) -> None:
        self._travel, self._told, self._skipped = time_machine.travel(begin), told, 0.0

    def __enter__(self) -> Clock:
        self._traveller = self._travel.start()
        time.sleep = self._sleep
        # A step's wait for its next attempt. The monotonic clock of the others stays: servers of this process have it.
        own: Any = dagster_internals
        own.time = SimpleNamespace(sleep=self._sleep, monotonic=self._monotonic, time=time.time)
        self._told(self.ahead)
        return self

    def __exit__(self, *_: object) -> None:
        own: Any = dagster_internals
        time.sleep, own.time = _real_sleep, time
        self._travel.stop()

    @property
    def now(self) -> datetime:
        """Its time."""
        return datetime.now(UTC)

    @property
    def ahead(self) -> float:
        """Seconds by which it is ahead of the real one."""
        return time.time() - _real_time()

    def until(self, moment: datetime) -> None:
        """Set it, where it isn't later already."""
        if (seconds := (moment - self.now).total_seconds()) > 0:
            self._skip(seconds)

    @contextmanager
    def aside(self) -> Generator[None]:
        """Set it back at the end: what was done within happened beside the rest, in a process of its own."""
        skipped = self._skipped
        try:
            yield
        finally:
            self._skip(skipped - self._skipped)

    def _sleep(self, seconds: float) -> None:
        if seconds <= SHORT_SECONDS:
            _real_sleep(seconds)
        else:
            self._skip(seconds)

    def _monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def _skip(self, seconds: float) -> None:
        self._skipped += seconds
        self._traveller.shift(timedelta(seconds=seconds))
        self._told(self.ahead)


def pause(seconds: float) -> None:
    """Wait really."""
    _real_sleep(seconds)


def _real_time() -> float:
    # The travelling clock leaves the monotonic one alone.
    return _REAL_AT_START + time.monotonic() - _MONOTONIC_AT_START


_REAL_AT_START, _MONOTONIC_AT_START = time.time(), time.monotonic()


def of_postgres(url: str) -> Callable[[float], None]:
    """Let ``now()`` of a database follow the clock; returns what tells it how far that is ahead.

    Args:
        url: of a database without tables; who connects later has the other ``now()``.
    """
    engine: Any = create_engine(make_url(url).set(drivername="postgresql+psycopg2"))
    with engine.begin() as connection:
        for statement in OF_POSTGRES:
            connection.execute(text(statement))
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f'ALTER DATABASE "{name}" SET search_path = public, pg_catalog'))

    def tell(seconds: float) -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE public.drill_clock SET seconds = :seconds"), {"seconds": seconds})

    return tell
