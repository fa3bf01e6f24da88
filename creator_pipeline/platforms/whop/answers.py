"""Reads Whop's answers: the error of each, named by what must be done about it; the rows and cursor of a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, cast

from creator_pipeline.core.errors import (
    AuthError,
    ConfigError,
    DataError,
    PipelineError,
    RejectedError,
    TransientError,
)
from creator_pipeline.core.http import Answer, retry_after
from creator_pipeline.core.odd_objects import as_object
from creator_pipeline.platforms.whop import catalog

Json = dict[str, Any]

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*second", re.IGNORECASE)


class NotFoundError(RejectedError):
    """There is no such object, or it is another account's."""


class NoIdError(DataError):
    """An object that was asked for by its id doesn't have it."""


class BadParameterError(RejectedError):
    """A parameter of the request is refused.

    Attributes:
        parameter: its name, where the answer has it.
    """

    def __init__(self, message: str, *, hint: str = "", parameter: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.parameter = parameter


def _error_of(body: object) -> tuple[str, str | None]:
    """Message and parameter of an error's body; in errors of OAuth ``error`` is a text, in others an object."""
    error = cast("Json", body).get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        told = cast("Json", error)
        return str(told.get("message") or told.get("code") or told.get("type") or ""), told.get("param")
    if isinstance(error, str):
        return str(cast("Json", body).get("error_description") or error), None
    return "", None


def classify(answer: Answer) -> PipelineError | None:
    """The error of an answer, None where it is good or the common rules of :mod:`core.http` fit."""
    message, parameter = _error_of(answer.body)
    match answer.status:
        case 401:
            return AuthError(
                "Whop refuses the API key: it is wrong, was revoked, or is of Whop's sandbox while this is production.",
                hint="Make an account key under Developer, API keys, and connect again.",
                revoked=True,
            )
        case 403:
            return AuthError(f"The Whop API key may not do this: {message or 'forbidden'}.")
        case 404:
            return NotFoundError(f"Whop: {message or 'not found'}.")
        case 409:
            return TransientError(f"Whop: {message or 'the object changed meanwhile'}")
        case 422 if "verification" in message.lower():
            return ConfigError(f"Whop: {message}.", hint="Finish the identity verification in Whop's dashboard.")
        case 400 if parameter == "Api-Version-Date" or "api version" in message.lower():
            return ConfigError(
                f"Whop doesn't know the API version {catalog.API_VERSION_DATE}: {message}",
                hint="Update this package; the version is pinned in whop/catalog.py.",
            )
        case 400 | 402 | 422:
            named = f" (parameter {parameter})" if parameter else ""
            return BadParameterError(f"Whop refuses the request: {message}{named}", parameter=parameter)
        case 429:
            seconds = retry_after(answer.headers)
            if seconds is None and (told := _SECONDS.search(message)):
                # Whop promises the delay in the text only.
                seconds = float(told.group(1))
            return TransientError("Whop: too many requests (HTTP 429).", retry_after=seconds)
        case _:
            return None


def rows(path: str, body: Any) -> list[Json]:
    """The objects of a page, those without an id too.

    Raises:
        DataError: there is no list.
    """
    # A missing key must not read as "nothing there": the replace that follows would delete rows.
    value = cast("Json", body).get("data") if isinstance(body, dict) else None
    if not isinstance(value, list):
        raise missing(path, "data", "a list of objects", value)
    return [as_object(row) for row in cast("list[Any]", value)]


def next_cursor(path: str, body: Json) -> str | None:
    """The cursor of the next page; None on the last one.

    Raises:
        DataError: the answer doesn't say whether it is the last page.
    """
    info = body.get("page_info")
    more = cast("Json", info).get("has_next_page") if isinstance(info, dict) else None
    if not isinstance(more, bool):
        raise missing(path, "page_info.has_next_page", "true or false", more)
    if not more:
        # The last page has an end_cursor too: following it costs a request, or never ends.
        return None
    cursor = cast("Json", info).get("end_cursor")
    if not isinstance(cursor, str) or not cursor:
        raise missing(path, "page_info.end_cursor", "a cursor, as has_next_page is true", cursor)
    return cursor


def no_list(operation: str, path: str, error: NotFoundError) -> NotFoundError:
    """The error of a list that the server doesn't have.

    Args:
        operation: its name.
        path: of the request.
        error: what was answered.
    """
    return NotFoundError(
        f"Whop's server has no list {operation} (GET {path}). {error.message}",
        hint=f"This release speaks version {catalog.API_VERSION_DATE} of the API: is WHOP_API_URL a server of it?",
    )


def refuse_other_dialect(path: str, item: Json) -> None:
    """Refuse an object of the undated dialect, of which every one would look as if something were missing.

    Raises:
        DataError: it names its account otherwise, or its money is a number.
    """
    total = item.get("total") if path.startswith(catalog.OPERATIONS["payments"]) else None
    number = isinstance(total, int | float) and not isinstance(total, bool)
    key = next((name for name in sorted(catalog.OTHER_DIALECT) if name in item), "total" if number else None)
    if key is None:
        return
    raise DataError(
        f"Whop's server answers {path} in another version of its API: an object has {key!r}"
        f"{' as a number' if key == 'total' else ''}.",
        hint=f"This release speaks {catalog.API_VERSION_DATE} only; is WHOP_API_URL right? Nothing was written.",
        column=key,
        expected=f"version {catalog.API_VERSION_DATE}",
    )


def missing(path: str, name: str, expected: str, found: object) -> DataError:
    """The error of an answer without a required field.

    Args:
        path: of the request.
        name: of the field, from the top: ``page_info.end_cursor``.
        expected: what the field should hold, in words.
        found: what it holds; the error names its type only.
    """
    return DataError(
        f"Whop's answer to {path} has no usable {name!r}.",
        hint=f"The server may speak another version of the API than {catalog.API_VERSION_DATE}; nothing was written.",
        column=name,
        found=type(found).__name__,
        expected=expected,
    )


def parameter(value: Any) -> Any:
    """A value as the query of a request has it: a time in UTC, to the millisecond."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
