"""The sender of a stand-in's webhooks: it posts in the background, and tries again by the platform's rule."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import httpx

from creator_pipeline.core.tls import tls_context

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Delivery(ABC):
    """One event on its way to one URL.

    Attributes:
        id: its name in the log; the URL where the platform gives deliveries no ids.
        url: of the receiver.
        attempt: how often it was sent before.
    """

    id: str
    url: str
    attempt: int = 0

    @abstractmethod
    def request(self) -> tuple[bytes, dict[str, str]]:
        """Body and headers of this attempt."""


class Sender(ABC):
    """Sends what is pushed, each delivery when it is due; ``factor`` scales every delay (0 is at once).

    Attributes:
        log: ``(id, status or the name of the error)`` of every attempt, oldest first.
        retry_delays: seconds before each further attempt.
        follow_redirects: where the receiver answers with a redirect.
    """

    retry_delays: ClassVar[tuple[float, ...]]
    follow_redirects: ClassVar[bool] = False

    def __init__(self, name: str, factor: float) -> None:
        self.factor = factor
        self.log: list[tuple[str, int | str]] = []
        self._queue: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._busy = self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @abstractmethod
    def is_retried(self, outcome: int | str) -> bool:
        """Whether a delivery is sent again after this status, or this name of an error."""

    def _push(self, delivery: Delivery, delay: float) -> None:
        with self._wake:
            # Of deliveries due at one moment the number keeps the order.
            heapq.heappush(self._queue, (time.monotonic() + delay * self.factor, next(self._numbers), delivery))
            self._wake.notify_all()

    def _run(self) -> None:
        with httpx.Client(
            verify=tls_context(), timeout=TIMEOUT_SECONDS, follow_redirects=self.follow_redirects
        ) as client:
            while (delivery := self._next_due()) is not None:
                self._send(client, delivery)
                with self._wake:
                    self._busy = False
                    self._wake.notify_all()

    def _next_due(self) -> Delivery | None:
        with self._wake:
            while not self._closed:
                wait = self._queue[0][0] - time.monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    self._busy = True
                    return heapq.heappop(self._queue)[2]
                self._wake.wait(wait)
        return None

    def _send(self, client: httpx.Client, delivery: Delivery) -> None:
        body, headers = delivery.request()
        outcome: int | str
        try:
            outcome = client.post(delivery.url, content=body, headers=headers).status_code
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        self.log.append((delivery.id, outcome))
        if self.is_retried(outcome) and delivery.attempt < len(self.retry_delays):
            self._push(replace(delivery, attempt=delivery.attempt + 1), self.retry_delays[delivery.attempt])

    def wait_idle(self, seconds: float = 5.0) -> bool:
        """Waits until nothing is on its way; false when it still is after ``seconds``."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._queue and not self._busy, seconds)

    def close(self) -> None:
        """Drops what is queued and ends the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join()
