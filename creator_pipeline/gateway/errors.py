"""Refusals have one shape: ``{"error": {"code", "message", "hint"}}``, or a page for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Request, Response

from creator_pipeline.core.errors import DataError, PipelineError
from creator_pipeline.gateway.pages import page
from creator_pipeline.mail.wording import for_seller

JSON = "application/json"


class GatewayError(Exception):
    """A request that is answered with a refusal.

    Args:
        status: of HTTP.
        code: stable word for machines.
        message: what is wrong, without secrets and addresses.
        hint: what to do about it, without secrets and addresses.
        headers: of the answer.
        detail: more keys of the ``error`` object.
        as_page: answer a person, whatever the request accepts.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        detail: Mapping[str, Any] | None = None,
        as_page: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = dict(headers or {})
        self.detail = dict(detail or {})
        self.as_page = as_page


def too_many(seconds: float) -> GatewayError:
    """429 with ``Retry-After`` in whole seconds."""
    wait = max(1, -int(-seconds // 1))
    return GatewayError(
        429, "too_many_requests", "Too many requests.", f"Try again in {wait} s.", headers={"Retry-After": str(wait)}
    )


def unavailable(error: PipelineError) -> GatewayError:
    """503 that a sender tries again after; what exactly is down stays in the log."""
    return GatewayError(
        503,
        error.code,
        "This can't be stored at the moment; nothing was taken.",
        "Try again in a few seconds.",
        headers={"Retry-After": "5"},
    )


def of_file(error: DataError, status: int = 422) -> GatewayError:
    """What is wrong with a file: which tab, row, column, what was found, what was expected."""
    return GatewayError(status, error.code, error.message, error.hint, detail=error.where())


def json_response(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON by orjson."""
    return Response(orjson.dumps(content), status, dict(headers or {}), JSON)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks."""
    return "text/html" in request.headers.get("accept", "")


def respond(request: Request, error: GatewayError) -> Response:
    """The answer of a refusal."""
    if error.as_page or wants_page(request):
        return page(
            "error.html",
            error.status,
            error.headers,
            title=for_seller(error.message),
            hint=for_seller(error.hint),
            detail=error.detail,
            request_id=request.scope.get("request_id", ""),
        )
    return error_json(error)


def error_json(error: GatewayError) -> Response:
    """The JSON answer of a refusal."""
    body = {"code": error.code, "message": error.message, "hint": error.hint, **error.detail}
    return json_response({"error": body}, error.status, error.headers)
