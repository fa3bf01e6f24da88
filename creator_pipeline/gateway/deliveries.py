"""Deliveries on their way into the tables: many are committed together, and each waits for its own commit.

A row of ``webhook_events`` and its jobs are written in one transaction, so a delivery that was answered has its job,
and one that was not can be sent again. Redis is told afterwards and never waited for.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from creator_pipeline.core.errors import PipelineError, TransientError
from creator_pipeline.platforms.intake import Intake, Stored
from creator_pipeline.platforms.webhooks import Delivery
from creator_pipeline.queue.jobs import JobQueue, NewJob

BATCH = 500
MAX_WAITING = 20_000
"""Deliveries in memory before senders are told to come back."""
ANSWER_SECONDS = 2.8
"""A sender that hangs up after five may not try again; after a 503 all do."""

_log = logging.getLogger(__name__)


class DeliveryWriter:
    """Group commit over one thread. Made, started and used in one event loop.

    Args:
        intake: writes a batch.
        queue: announces the jobs of what was written.
    """

    def __init__(self, intake: Intake, queue: JobQueue) -> None:
        self._intake = intake
        self._queue = queue
        self._waiting: list[tuple[Delivery, asyncio.Future[Stored | PipelineError]]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._commits = ThreadPoolExecutor(1, "gateway-commit")
        self._hints = ThreadPoolExecutor(1, "gateway-hint")

    @property
    def waiting(self) -> int:
        """Deliveries that are not committed yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, tell Redis of it, and end."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await asyncio.to_thread(self._commits.shutdown)
        await asyncio.to_thread(self._hints.shutdown)

    async def store(self, delivery: Delivery) -> Stored:
        """Store a delivery; returns once it is durable.

        Raises:
            TransientError: it is not, or not known to be: the sender must send it again.
        """
        if self._closing or len(self._waiting) >= MAX_WAITING:
            raise TransientError("More deliveries than can be stored wait already.")
        future: asyncio.Future[Stored | PipelineError] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, future))
        self._wake.set()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                outcome = await asyncio.shield(future)
        except TimeoutError:
            raise TransientError(f"The warehouse took longer than {ANSWER_SECONDS:g} s.") from None
        if isinstance(outcome, PipelineError):
            raise outcome
        return outcome

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            if not self._waiting:
                if self._closing:
                    return
                self._wake.clear()
                continue
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            outcomes, jobs = await loop.run_in_executor(self._commits, self._commit, [one for one, _ in batch])
            if jobs:
                self._hints.submit(self._queue.announce, jobs)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                future.set_result(outcome)

    def _commit(self, batch: list[Delivery]) -> tuple[list[Any], list[NewJob]]:
        try:
            return self._intake.commit(batch)
        except PipelineError as error:
            _log.warning("%d deliveries were not stored: %s", len(batch), error)
            return [error] * len(batch), []
        except Exception:  # noqa: BLE001 - whatever it is, every sender must get an answer
            if len(batch) > 1:
                # One that the database refuses must not take the others with it.
                halves = self._commit(batch[: len(batch) // 2]), self._commit(batch[len(batch) // 2 :])
                return halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]
            _log.exception("A delivery of %s can't be stored", batch[0].provider)
            return [TransientError("The warehouse refuses this delivery.")], []
