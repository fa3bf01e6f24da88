"""Gumroad's answers: which of them are errors, and what a good one must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from creator_pipeline.core.errors import AuthError, DataError, PipelineError, RejectedError, TransientError
from creator_pipeline.core.http import Answer
from creator_pipeline.core.odd_objects import as_object
from creator_pipeline.platforms.gumroad import catalog

Json = dict[str, Any]
T = TypeVar("T")


class NotFoundError(RejectedError):
    """There is no such endpoint on this server."""


class NoSuccessError(RejectedError):
    """The answer is good by its status and says that it isn't: of what is only read, there is no such thing."""


class SlowQueryError(RejectedError):
    """The server gave up on a query: the same one would time out again, half of its window may not."""


class NoScopeError(RejectedError):
    """The token is good and may not make this one call: what else it may read goes on.

    Attributes:
        scope: that is missing; empty where the account itself doesn't have what was asked for.
    """

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


def classify(answer: Answer) -> PipelineError | None:
    """The error of an answer, None where it is good or the common rules of :mod:`core.http` fit."""
    if answer.status == 401:
        return AuthError(
            "Gumroad refuses the token: it is wrong or was revoked.",
            hint="Connect the account again; a new token comes from Gumroad, Settings, Advanced, Applications.",
            revoked=True,
        )
    if answer.status == 403:
        # An edge server's block is a page; Gumroad's own refusal has no body.
        if "html" in answer.headers.get("content-type", ""):
            return TransientError("Gumroad's edge server refused the request (HTTP 403 page).")
        told = cast("Json", answer.body).get("message") if isinstance(answer.body, dict) else None
        return AuthError(
            f"Gumroad: {told}" if told else "The Gumroad token lacks the scope view_sales.",
            hint=f"Connect again with the scopes {' '.join(catalog.SCOPES)}.",
        )
    if answer.status == 404:
        return NotFoundError("Gumroad knows no such endpoint (HTTP 404).")
    if not isinstance(answer.body, dict):
        return None
    body = cast("Json", answer.body)
    if answer.status == 400:
        message = str(body.get("error") or body.get("message") or answer.text)
        if message.startswith(catalog.SLOW_QUERY_PREFIX):
            return SlowQueryError(f"Gumroad: {message}")
        return RejectedError(f"Gumroad refuses the request: {message}")
    if answer.status == 200 and body.get("success") is False:
        return NoSuccessError(f"Gumroad: {body.get('message', 'success is false')}")
    return None


def optional(ask: Callable[[], T]) -> T | None:
    """What a call answers that not every server knows; None where this one doesn't.

    A server that doesn't know a route has no page for it, or takes the route's last word for an id, of which there is
    no sale, payout or product. The first is a 404, the second 200 with ``success: false``. What is wrong with the
    parameters of such a call would be a 400, and is raised.
    """
    try:
        return ask()
    except (NotFoundError, NoSuccessError):
        return None


def repeated_key(path: str, key: str) -> DataError:
    """The error of pages that would never end."""
    return DataError(
        f"Gumroad {path}: the page key {key} came twice.",
        hint="Nothing was written of these pages. Run it again; if it stays, the API has changed.",
        column="next_page_key",
    )


def object_of(body: Any, name: str) -> Json:
    """The object below a key of an answer.

    Raises:
        DataError: there is none.
    """
    value = cast("Json", body).get(name) if isinstance(body, dict) else None
    if not isinstance(value, dict):
        raise missing(name, "an object", value)
    return cast("Json", value)


def objects_of(body: Any, name: str) -> list[Json]:
    """The objects below a key of an answer; what is no object there lacks everything.

    A missing key must not read as none: what is stored would be deleted.

    Raises:
        DataError: there is no such list.
    """
    value = cast("Json", body).get(name) if isinstance(body, dict) else None
    if not isinstance(value, list):
        raise missing(name, "a list of objects", value)
    return [as_object(item) for item in cast("list[Any]", value)]


def without_processor(item: Json, known: frozenset[str]) -> Json:
    """An object without what unknown keys tell of the buyer's card, or of the charge at a payment processor.

    Args:
        item: the object.
        known: keys that are kept as they are.
    """
    if known.issuperset(item):
        return item
    return {
        key: value if key in known else _cleaned(value)
        for key, value in item.items()
        if key in known or not catalog.PROCESSOR_KEY.search(key)
    }


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return catalog.PROCESSOR_ID.sub("[processor]", value)
    if isinstance(value, list):
        return [_cleaned(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {
            key: _cleaned(each) for key, each in cast("Json", value).items() if not catalog.PROCESSOR_KEY.search(key)
        }
    return value


def missing(name: str, expected: str, found: object) -> DataError:
    """The error of an answer without a key that matters.

    Args:
        name: of the key.
        expected: what should have been there, in words.
        found: what is there.
    """
    return DataError(
        f"Gumroad's answer has no usable {name!r}.",
        hint="The API may have changed; nothing was written.",
        column=name,
        found=type(found).__name__,
        expected=expected,
    )
