"""The HTTP client of every platform: time-outs, bounded retries, Retry-After, pace, one host, no secret in an error.

A platform's ``classify`` function says which answers are errors; everything else is the same for all platforms.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlencode

import orjson

from creator_pipeline import __version__
from creator_pipeline.core.errors import PipelineError, RejectedError, TransientError
from creator_pipeline.core.pending_request import PendingRequest
from creator_pipeline.core.retry import retry_after, retrying
from creator_pipeline.core.secrets import redact, without_addresses
from creator_pipeline.core.transport import Connection, ConnectionFailedError, ConnectionPool, TooLargeError
from creator_pipeline.core.usage import Usage

if TYPE_CHECKING:
    from tenacity import RetryCallState

MAX_BODY_BYTES = 10 * 1024 * 1024
MESSAGE_CHARACTERS = 600
"""The longest message of an error: it is written into logs, tables and mails."""

T = TypeVar("T")


class Pace(Protocol):
    """A budget of requests, shared by all clients with the same token."""

    def wait(self) -> float:
        """Block until one request may be sent; returns the seconds waited."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, read whole.

    Attributes:
        headers: names in lower case.
        body: the parsed JSON; None where the content is not JSON.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    body: Any

    @property
    def text(self) -> str:
        """The first 16 KiB, for an error: more than is shown, as a token that is cut in two can't be redacted."""
        return self.content[: 16 * 1024].decode("utf-8", "replace")


Classify = Callable[[Answer], PipelineError | None]
Renew = Callable[[str], str | None]
"""Returns a new token in place of the refused one; None where there is none."""


class ApiClient:
    """A platform's API at one base URL, with one token. Safe to share between threads.

    Args:
        base_url: requests never leave this host; redirects are errors.
        token: sent as ``Authorization: Bearer``; never in a URL.
        classify: returns the error of an answer, None where the answer is good.
        pace: the token's shared budget of requests.
        headers: sent with every request.
        renew: called at most once, when the token is refused (an AuthError with ``revoked``).
        attempts: how often one request is sent at most.
        deadline: seconds for one request with all its attempts and waits.
        connections: requests under way at the same time; more of them wait.
        until: moment of ``time.monotonic`` by which the last answer must be there.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        classify: Classify,
        pace: Pace,
        headers: Mapping[str, str] | None = None,
        renew: Renew | None = None,
        attempts: int = 8,
        deadline: float = 300.0,
        connections: int = 8,
        until: float = math.inf,
    ) -> None:
        self._classify = classify
        self._attempts = attempts
        self._deadline = deadline
        self._until = until
        self._token, self._secrets = token, [token]
        self._renew = renew
        self._renewal = threading.Lock()
        self._pace = pace
        self.usage = Usage()
        self._lock = threading.Lock()
        self._connections = ConnectionPool(
            base_url,
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "User-Agent": f"creator_pipeline/{__version__}",
                **(headers or {}),
            },
            size=connections,
        )

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """:meth:`request` with GET."""
        return self.request(path, params)

    def request(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        method: str = "GET",
        data: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> Any:
        """Send a request; returns the parsed JSON of a good answer.

        Args:
            path: below the base URL, with a slash first.
            params: of the query.
            method: of HTTP.
            data: sent as a form.
            pace: the budget of this operation, where the platform counts operations apart; else the client's.

        Raises:
            TransientError: the bounds of the retries are used up.
            PipelineError: what ``classify`` made of the answer.
        """
        return self._pending(path, params, lambda body: body, method=method, data=data, pace=pace).result()

    def start(self, path: str, params: Mapping[str, Any] | None, read: Callable[[Any], T]) -> PendingRequest[T]:
        """Send a GET request, when the pace allows it, without waiting for its answer.

        Args:
            path: below the base URL, with a slash first.
            params: of the query.
            read: makes the result of the parsed JSON of a good answer.

        Returns:
            The request under way; its result raises what :meth:`request` raises.
        """
        pending = self._pending(path, params, read)
        pending.send()
        return pending

    def _pending(
        self,
        path: str,
        params: Mapping[str, Any] | None,
        read: Callable[[Any], T],
        *,
        method: str = "GET",
        data: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> PendingRequest[T]:
        return PendingRequest(
            partial(self._send, method, path, params, data, pace or self._pace),
            partial(self._receive, f"{method} {path}"),
            retry=self._retry,
            renew=partial(self._renewed, self._token),
            read=read,
        )

    def _retry(self, attempt: Callable[[], Any], seconds_used: float) -> Any:
        return retrying(self._attempts, self._seconds() - seconds_used, self._count_retry)(attempt)

    def _seconds(self) -> float:
        return min(self._deadline, self._until - time.monotonic())

    def _renewed(self, refused: str) -> bool:
        """Whether there is another token than the refused one; threads refused at the same time renew it once."""
        with self._renewal:
            if self._token != refused:
                return True
            ask, self._renew = self._renew, None
            token = ask(refused) if ask is not None else None
            if token is None or token == refused:
                return False
            self._secrets.append(token)
            self._token = token
            self._connections.set_header("Authorization", f"Bearer {token}")
            return True

    def _count_retry(self, state: RetryCallState) -> None:
        slept = state.next_action.sleep if state.next_action else 0.0
        with self._lock:
            self.usage.retries += 1
            self.usage.waited_seconds += slept

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, data: Mapping[str, str] | None, pace: Pace
    ) -> Connection:
        """Send a request once, when the pace allows it."""
        waited = pace.wait()
        with self._lock:
            self.usage.requests += 1
            self.usage.waited_seconds += waited
        if not path.startswith("/"):
            # Behind the base URL it would be part of the host's name.
            raise RejectedError(f"{method}: not a path below the API's URL.")
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(params, doseq=True)}" if params else path
        form = None if data is None else urlencode(data)
        seconds = self._seconds()
        if seconds <= 0:
            raise TransientError(f"{method} {path}: there was no time left for it.")
        try:
            return self._connections.send(method, target, form, seconds=seconds, max_bytes=MAX_BODY_BYTES)
        except ConnectionFailedError as error:
            raise TransientError(f"{method} {path}: the connection failed ({error}).") from None
        except ValueError as error:
            raise RejectedError(f"{method} {path}: {error}", hint="Look for a line break in the token.") from None

    def _receive(self, what: str, connection: Connection) -> Any:
        """Wait for the answer to a request; returns its parsed JSON if it is a good one."""
        try:
            response = connection.receive()
        except ConnectionFailedError as error:
            raise TransientError(f"{what}: the connection failed ({error}).") from None
        except TooLargeError:
            raise RejectedError(f"{what}: the answer is larger than {MAX_BODY_BYTES >> 20} MiB.") from None
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = None
        answer = Answer(response.status, response.headers, response.content, body)
        with self._lock:
            self.usage.received_bytes += len(answer.content)
            self.usage.throttled += answer.status == 429
        error = self._classify(answer) or common_error(answer, what)
        if error is not None:
            raise cleaned(error, self._secrets)
        return body


def is_temporary(status: int) -> bool:
    """Whether the same request may be answered well later."""
    return status in {408, 429} or status >= 500


def common_error(answer: Answer, what: str) -> PipelineError | None:
    """The error of an answer by the rules that hold for every service; None where it is good.

    Args:
        what: the request, for the message.
    """
    status = answer.status
    if is_temporary(status):
        return TransientError(f"{what}: HTTP {status}.", retry_after=retry_after(answer.headers))
    if 300 <= status < 400:
        return RejectedError(f"{what}: redirected, which an API must not do.", hint="Check the API's URL.")
    if not 200 <= status < 300:
        return RejectedError(f"{what}: HTTP {status}: {answer.text}")
    if answer.body is None:
        # A page of an edge server, or a body cut off in the middle: it was not the platform that spoke.
        return TransientError(f"{what}: HTTP {status} with a body that is not JSON.")
    return None


def cleaned(error: PipelineError, secrets: Sequence[str]) -> PipelineError:
    """The error without these secrets and without addresses: a platform may quote the request in what it says."""
    error.message = without_addresses(redact(error.message, secrets))[:MESSAGE_CHARACTERS]
    error.args = (error.message,)
    return error
