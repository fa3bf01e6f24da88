"""A request to a platform that is under way, with its retries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from creator_pipeline.core.errors import AuthError, PipelineError, TransientError
from creator_pipeline.core.transport import Connection

T = TypeVar("T")


class PendingRequest(Generic[T]):
    """One request, from its first attempt to its result.

    :meth:`result` sends it, unless :meth:`send` has sent it ahead. After :meth:`send` either :meth:`result` or
    :meth:`cancel` must be called, once, from any thread.

    Args:
        send: sends the request once, when the pace allows it.
        receive: waits for the response on a connection; returns the parsed JSON of a good one.
        retry: calls a function again while it raises a TransientError; is given the seconds used so far.
        renew: replaces a token that was refused; returns whether there is another one.
        read: makes the result of the parsed JSON.
    """

    def __init__(
        self,
        send: Callable[[], Connection],
        receive: Callable[[Connection], Any],
        *,
        retry: Callable[[Callable[[], Any], float], Any],
        renew: Callable[[], bool],
        read: Callable[[Any], T],
    ) -> None:
        self._send = send
        self._receive = receive
        self._retry = retry
        self._renew = renew
        self._read = read
        self._sent: Connection | PipelineError | None = None

    def send(self) -> None:
        """Send the request ahead, when the pace allows it; an error is raised by :meth:`result`."""
        try:
            self._sent = self._send()
        except PipelineError as error:
            self._sent = error

    def cancel(self) -> None:
        """Abort the request."""
        if isinstance(self._sent, Connection):
            self._sent.release()

    def result(self) -> T:
        """Wait for the result; the request is sent again as often as the bounds of the retries allow.

        Raises:
            TransientError: the bounds of the retries are used up.
            PipelineError: the response is an error, or ``read`` raised it.
        """
        try:
            body = self._with_retries()
        except AuthError as error:
            if not error.revoked or not self._renew():
                raise
            body = self._with_retries()
        return self._read(body)

    def _with_retries(self) -> Any:
        began = time.monotonic()
        try:
            return self._attempt()
        except TransientError as error:
            # Only now: setting up the retries costs a good response a tenth of its time.
            self._sent = error
        return self._retry(self._attempt, time.monotonic() - began)

    def _attempt(self) -> Any:
        sent, self._sent = self._sent or self._send(), None
        if isinstance(sent, PipelineError):
            raise sent
        return self._receive(sent)
