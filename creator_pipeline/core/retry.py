"""When a request is sent again, and after how many seconds."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING

from creator_pipeline.core.errors import TransientError

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

MAX_RETRY_AFTER = 120.0
"""Seconds of the longest wait inside a request; where a platform asks for more, the run is retried instead."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a ``Retry-After`` header, given as a number or as an HTTP date; None where absent or unreadable."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - time.time())
    return max(0.0, seconds) if math.isfinite(seconds) else None


def worth_waiting(error: BaseException) -> bool:
    """Whether the same request may succeed soon."""
    return isinstance(error, TransientError) and (error.retry_after or 0.0) <= MAX_RETRY_AFTER


def retrying(attempts: int, deadline: float, before_sleep: Callable[[RetryCallState], None]) -> Retrying:
    """A caller that calls a function again while its error is :func:`worth_waiting`.

    Args:
        attempts: calls at most.
        deadline: seconds within which the last call begins.
        before_sleep: is told of each wait.
    """
    # Imported only by a process that calls a platform.
    import tenacity

    backoff = tenacity.wait_random_exponential(multiplier=0.25, max=20)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None)
        # What the platform asks is a floor: jitter on top keeps several processes from coming back at once.
        return backoff(state) if asked is None else asked + min(backoff(state), 1.0) * 0.2

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(worth_waiting),
        stop=tenacity.stop_after_attempt(attempts) | tenacity.stop_before_delay(deadline),
        wait=pause,
        before_sleep=before_sleep,
        reraise=True,
    )
