"""Answers of the sandbox's own routes."""

from __future__ import annotations

import orjson
from starlette.responses import HTMLResponse, Response


def json_response(value: object, status: int = 200) -> Response:
    """``value`` as JSON."""
    return Response(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), status, media_type="application/json")


def not_found() -> Response:
    """The page of an unknown route."""
    return HTMLResponse("<!DOCTYPE html><title>Not found</title>", 404)
