"""What Whop's routes have in common: errors, parameters, cursors."""

from __future__ import annotations

import base64
from datetime import date, datetime
from typing import Any

import orjson
from starlette.datastructures import QueryParams

from creator_pipeline.platforms.whop.sandbox.object_json import Json


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, kind: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, **more}


def bad(parameter: str, message: str = "Invalid request parameters.") -> RefusedError:
    """400 for a parameter."""
    return RefusedError(400, "invalid_request_error", message, code="parameter_invalid", param=parameter)


def not_found() -> RefusedError:
    """404."""
    return RefusedError(404, "not_found", "Resource not found")


def forbidden() -> RefusedError:
    """403."""
    return RefusedError(403, "forbidden", "You do not have permission to access this resource")


def moment_of(query: QueryParams, name: str) -> datetime | None:
    """A parameter that is a time.

    Raises:
        RefusedError: it isn't one.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise bad(name) from None


def day_of(query: QueryParams, name: str) -> date | None:
    """A parameter that is a UTC day.

    Raises:
        RefusedError: it isn't one.
    """
    text = query.get(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise bad(name) from None


def size_of(query: QueryParams, name: str, limit: int, *, refuse: bool) -> int:
    """Rows of a page.

    Args:
        query: of the request.
        name: of the parameter.
        limit: rows of a page at most.
        refuse: a larger number is an error; otherwise it is cut.

    Raises:
        RefusedError: no such size.
    """
    try:
        size = int(query.get(name, "20"))
    except ValueError:
        raise bad(name) from None
    if size < 1 or (size > limit and refuse):
        raise bad(name)
    return min(size, limit)


def cursor(mark: Any) -> str:
    """An opaque text of ``mark``."""
    return base64.urlsafe_b64encode(orjson.dumps(mark)).decode()


def read_cursor(text: str, name: str) -> Any:
    """What a cursor was made of.

    Raises:
        RefusedError: it was made by somebody else.
    """
    try:
        return orjson.loads(base64.urlsafe_b64decode(text))
    except ValueError:
        raise bad(name) from None


def page_of(rows: list[Json], end: str | None = None, *, start: str | None = None, more: bool, later: bool) -> Json:
    """A page of a list.

    Args:
        rows: of the page.
        end, start: cursors of its last and first row.
        more: others follow.
        later: others came before.
    """
    info = {"end_cursor": end, "start_cursor": start, "has_next_page": more, "has_previous_page": later}
    return {"data": rows, "page_info": info}
