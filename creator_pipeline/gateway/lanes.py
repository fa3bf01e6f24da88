"""Threads for work that blocks, apart for each kind: who is slow at one thing keeps nobody waiting at another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from typing import ParamSpec, TypeVar

from creator_pipeline.core.errors import TransientError

WAITING_EACH = 8
"""Calls that may wait for one thread; who comes next is sent away at once."""
LOCK_SECONDS = 2.0
"""The longest that a statement of the gateway waits for a lock: its thread is free again then."""

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Lane:
    """A few threads for one kind of work, with one deadline. Used in one event loop.

    Args:
        name: of its threads, and in the log.
        threads: calls under way at the same time.
        seconds: from the call of :meth:`run` until its answer, waiting for a thread included.
        connections: of the warehouse that its calls use at the same time.
    """

    def __init__(self, name: str, threads: int, seconds: float, *, connections: int | None = None) -> None:
        self.name = name
        self.threads = threads
        self.seconds = seconds
        self.connections = threads if connections is None else connections
        self._pool = ThreadPoolExecutor(threads, f"gateway-{name}")
        self._open = 0

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What ``work`` returns. Work that has not begun at the deadline never does; what has begun goes on unheard.

        Raises:
            TransientError: it took too long, or too many wait already.
        """
        if self._open >= self.threads * (1 + WAITING_EACH):
            raise TransientError(f"Too much waits already ({self.name}).")
        under_way = self._pool.submit(work, *args, **kwargs)
        self._open += 1
        loop = asyncio.get_running_loop()
        under_way.add_done_callback(lambda _: _tell(loop, self._ended))
        deadline = asyncio.timeout(self.seconds)
        try:
            async with deadline:
                return await asyncio.wrap_future(under_way)
        except TimeoutError:
            if not deadline.expired():
                raise  # of the work itself
            _log.warning("%s took longer than %g s.", self.name, self.seconds)
            raise TransientError(f"It took longer than {self.seconds:g} s ({self.name}).") from None

    def _ended(self) -> None:
        self._open -= 1

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(what)


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes of a gateway.

    Attributes:
        auth: mails of accounts; Supabase gives up after 5 s.
        events: what Resend tells of mails.
        limits: counting in Redis.
        keys: whose a key is.
        pages: what a page shows, and what its forms change.
        uploads: files: writing, reading, describing.
        connect: the way back of OAuth. Its calls wait for a platform, and hold a connection of the warehouse only
            before and after that.
        send: mails that somebody waits for, sent after the answer.
        health: ``/readyz`` and ``/metrics``.
    """

    auth: Lane = field(default_factory=lambda: Lane("auth", 3, 3.0))
    events: Lane = field(default_factory=lambda: Lane("events", 1, 5.0))
    limits: Lane = field(default_factory=lambda: Lane("limits", 4, 1.0, connections=0))
    keys: Lane = field(default_factory=lambda: Lane("keys", 2, 5.0))
    pages: Lane = field(default_factory=lambda: Lane("pages", 3, 10.0))
    uploads: Lane = field(default_factory=lambda: Lane("uploads", 3, 120.0))
    connect: Lane = field(default_factory=lambda: Lane("connect", 8, 19.0))
    send: Lane = field(default_factory=lambda: Lane("send", 2, 60.0))
    health: Lane = field(default_factory=lambda: Lane("health", 2, 3.0))

    def all(self) -> list[Lane]:
        """Each of them."""
        return [getattr(self, part.name) for part in fields(self)]

    @property
    def connections(self) -> int:
        """Of the warehouse, so that no call waits for another lane's; one more writes deliveries."""
        return sum(lane.connections for lane in self.all()) + 1

    def close(self) -> None:
        """Begin nothing more."""
        for lane in self.all():
            lane.close()
