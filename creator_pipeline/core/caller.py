"""One short request to a platform, and what its ``Date`` header says of our clock."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import orjson

from creator_pipeline import __version__
from creator_pipeline.core.checks import Finding
from creator_pipeline.core.errors import TransientError
from creator_pipeline.core.http import Answer, Classify, cleaned, common_error
from creator_pipeline.core.tls import tls_context

TIMEOUT = httpx.Timeout(5.0, connect=3.0)
MAX_SKEW_SECONDS = 60.0
"""Webhook signatures are refused past 300 s; the header counts whole seconds and has travelled."""


class Caller:
    """Requests with one token to one host, without retries: the doctor tells what is, it doesn't wait for better.

    Attributes:
        skew: seconds our clock is ahead of the host's, of the last answer; None before one with a date.
    """

    def __init__(self, base_url: str, token: str, classify: Classify, headers: Mapping[str, str] | None = None) -> None:
        self._token = token
        self._classify = classify
        self.skew: float | None = None
        self.host = httpx.URL(base_url).host
        self._http = httpx.Client(
            base_url=base_url,
            timeout=TIMEOUT,
            verify=tls_context(),
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "User-Agent": f"creator_pipeline/{__version__}",
                **(headers or {}),
            },
        )

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The parsed body of a good answer.

        Raises:
            PipelineError: what ``classify`` makes of the answer; TransientError where there is none.
        """
        operation = f"GET {path} of {self.host}"
        try:
            response = self._http.get(path, params=params)
        except httpx.RequestError as error:
            lost = TransientError(
                f"{self.host} can't be reached ({type(error).__name__}).", hint="Check the network and the API's URL."
            )
            lost.operation = operation
            raise lost from None
        self.skew = skew(response.headers.get("date")) if "date" in response.headers else self.skew
        try:
            body: Any = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = None
        answer = Answer(response.status_code, response.headers, response.content, body)
        error = self._classify(answer)
        if error is None and (error := common_error(answer, path)) is not None:
            error.hint = "The service has trouble; try again later." if error.retryable else "Check the API's URL."
        if error is not None:
            error = cleaned(error, [self._token])
            error.operation = operation
            raise error
        return body

    def clock(self, name: str) -> Finding:
        """Whether our clock agrees with the host's."""
        return clock(name, self.host, self.skew)


def clock(name: str, host: str, ahead: float | None) -> Finding:
    """The line about our clock; ``ahead`` in seconds."""
    if ahead is None:
        return Finding(name, "unknown", f"{host} told no time.")
    if abs(ahead) <= MAX_SKEW_SECONDS:
        return Finding(name, "ok", f"within {max(1.0, abs(ahead)):.0f} s of {host}")
    direction = "ahead of" if ahead > 0 else "behind"
    return Finding(
        name,
        "no",
        f"This machine's clock is {abs(ahead):.0f} s {direction} {host}: webhook signatures are refused past 300 s.",
        "Switch time synchronization on: timedatectl set-ntp true",
    )


def skew(date: str | None, moment: Callable[[], float] = time.time) -> float | None:
    """Seconds our clock is ahead of a ``Date`` header; None where it can't be read."""
    try:
        return moment() - email.utils.parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
