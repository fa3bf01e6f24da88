"""One way to call a platform: time-outs, bounded retries, Retry-After, pace, host pinned, nothing secret in an error.

A platform says which answers are errors by a ``classify`` function; everything else is the same for all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import orjson

from creator_pipeline import __version__
from creator_pipeline.core.errors import AuthError, PipelineError, RejectedError, TransientError
from creator_pipeline.core.retry import retry_after, retrying
from creator_pipeline.core.secrets import redact, without_addresses
from creator_pipeline.core.transport import ConnectionFailedError, Connections, Sent, TooLargeError

if TYPE_CHECKING:
    from tenacity import RetryCallState

MAX_BODY_BYTES = 10 * 1024 * 1024
MESSAGE_CHARACTERS = 600
"""Of what a platform says in an error; it ends in logs, tables and mails."""


class Pace(Protocol):
    """A budget of requests, shared by whoever holds the same token."""

    def wait(self) -> float:
        """Block until one request may go; returns the seconds waited."""
        ...


@dataclass(slots=True)
class Usage:
    """What a client has cost so far. Thread-safe through :meth:`add`."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited_seconds: float = 0.0
    received_bytes: int = 0
    cache_hits: int = 0
    cache_misses: int = 0

    def metadata(self) -> dict[str, int | float]:
        """For a materialization; the cache's figures where something was looked up in it."""
        looked = self.cache_hits + self.cache_misses
        return ({"cache_hits": self.cache_hits, "cache_misses": self.cache_misses} if looked else {}) | {
            "api_requests": self.requests,
            "api_retries": self.retries,
            "api_throttled": self.throttled,
            "api_waited_seconds": round(self.waited_seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, read whole: ``body`` is the parsed JSON, None where it is not JSON."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes
    body: Any

    @property
    def text(self) -> str:
        """The begin of it, for an error: more than is shown, because a token that is cut in two can't be redacted."""
        return self.content[: 16 * 1024].decode("utf-8", "replace")


Classify = Callable[[Answer], PipelineError | None]
Renew = Callable[[str], str | None]
"""Gives a new token for one that was refused; None where there is none."""


class Begun:
    """A request that was sent: :meth:`body` or :meth:`drop` must follow, once."""

    def __init__(self, first: Sent | PipelineError, body: Callable[[], Any]) -> None:
        self._first = first
        self.body = body

    def drop(self) -> None:
        """Nobody wants the answer."""
        if isinstance(self._first, Sent):
            self._first.drop()


class ApiClient:
    """A platform's API behind one base URL and one token. Safe to share between threads.

    Args:
        base_url: requests never leave this host; redirects are errors.
        token: sent as ``Authorization: Bearer``; never in a URL.
        classify: names the error of an answer, None where it is good.
        pace: the token's shared budget.
        renew: asked once in the client's life, when the token is refused (an AuthError that says ``revoked``).
        attempts, deadline: bounds of one logical request, the latter in seconds with all its waits.
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
    ) -> None:
        self._classify = classify
        self._attempts = attempts
        self._deadline = deadline
        self._token = token
        self._secrets = [token]
        self._renew = renew
        self._renewal = threading.Lock()
        self._pace = pace
        self.usage = Usage()
        self._lock = threading.Lock()
        self._connections = Connections(
            base_url,
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "User-Agent": f"creator_pipeline/{__version__}",
                **(headers or {}),
            },
            most=connections,
        )

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def request(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        method: str = "GET",
        data: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> Any:
        """The parsed body of a good answer.

        Args:
            pace: the budget of this operation, where the platform counts operations apart; else the client's.

        Raises:
            TransientError: the bounds of the retries are used up.
            PipelineError: whatever ``classify`` made of the answer.
        """
        send = partial(self._send, method, path, params, data, pace or self._pace)
        return self._body(send, f"{method} {path}", self._token)

    def begin(self, path: str, params: Mapping[str, Any] | None = None) -> Begun:
        """:meth:`get` in two parts: sent now, after the pace's wait. What goes wrong is told with the answer."""
        send, token = partial(self._send, "GET", path, params, None, self._pace), self._token
        try:
            first = send()
        except PipelineError as error:
            first = error
        return Begun(first, lambda: self._body(send, f"GET {path}", token, first))

    def _body(self, send: Callable[[], Sent], what: str, token: str, first: Sent | PipelineError | None = None) -> Any:
        try:
            return self._tried(send, what, first)
        except AuthError as error:
            if not error.revoked or not self._renewed(token):
                raise
        return self._tried(send, what, None)

    def _tried(self, send: Callable[[], Sent], what: str, first: Sent | PipelineError | None) -> Any:
        def once() -> Any:
            nonlocal first
            sent, first = first or send(), None
            if isinstance(sent, PipelineError):
                raise sent
            return self._answer(sent, what).body

        began = time.monotonic()
        try:
            return once()
        except TransientError as error:
            # Only now: to begin by counting attempts costs a good answer a tenth of its time.
            first = error
        left = self._deadline - (time.monotonic() - began)
        return retrying(self._attempts, left, self._count_retry)(once)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """:meth:`request` with GET."""
        return self.request(path, params)

    def _renewed(self, refused: str) -> bool:
        """Whether there is another token than the refused one; threads that are refused together ask once."""
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
    ) -> Sent:
        """Send a request once, when the pace lets it go."""
        waited = pace.wait()
        with self._lock:
            self.usage.requests += 1
            self.usage.waited_seconds += waited
        if not path.startswith("/"):
            # Behind the base URL it would be part of the host's name.
            raise RejectedError(f"{method}: not a path below the API's URL.")
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(params, doseq=True)}" if params else path
        form = None if data is None else urlencode(data)
        try:
            return self._connections.send(method, target, form, seconds=self._deadline, most_bytes=MAX_BODY_BYTES)
        except ConnectionFailedError as error:
            raise TransientError(f"{method} {path}: the connection failed ({error}).") from None
        except ValueError as error:
            raise RejectedError(f"{method} {path}: {error}", hint="Look for a line break in the token.") from None

    def _answer(self, sent: Sent, what: str) -> Answer:
        """The answer to a request, if it is a good one."""
        try:
            response = sent.answer()
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
        return answer


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
