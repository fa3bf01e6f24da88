"""Fetches a file of rates from ``FX_URL``."""

from __future__ import annotations

from creator_pipeline.core.errors import RejectedError, TransientError
from creator_pipeline.fx import ecb

_SECONDS = 30.0
_TEMPORARY = frozenset({408, 425, 429})


def fetch(url: str) -> list[ecb.Rate]:
    """The rates that the file at a URL tells.

    Raises:
        DataError: it is no file of rates.
        RejectedError: the server has no such file, or it is far too large.
        TransientError: the server can't be reached.
    """
    import httpx

    try:
        with httpx.stream("GET", url, timeout=_SECONDS) as answer:
            if answer.status_code in _TEMPORARY or answer.status_code >= 500:
                raise TransientError(f"FX_URL answers {answer.status_code}.", hint="It is asked again at the next run.")
            if answer.status_code != 200:
                raise RejectedError(f"FX_URL answers {answer.status_code}.", hint="Is it the address of the file?")
            data = bytearray()
            for part in answer.iter_bytes():
                data += part
                if len(data) > ecb.MOST_BYTES:
                    raise RejectedError("FX_URL gives far more than a file of rates.", hint="Is it the right address?")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TransientError(
            f"FX_URL can't be reached: {type(error).__name__}.", hint="Or load a file: creator-pipeline fx load FILE"
        ) from None
    return ecb.read("The file of FX_URL", bytes(data))
