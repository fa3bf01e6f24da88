"""Parts of the OpenAPI document that can't be read from a route's signature."""

from __future__ import annotations

import re
from typing import Any

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {
                "code": {"type": "string", "description": "A stable word"},
                "message": {"type": "string", "description": "What is wrong"},
                "hint": {"type": "string", "description": "What to do about it"},
            },
        }
    },
}
_WORDS = {
    400: "Can't be done as asked",
    401: "Wrong signature or key",
    404: "Nothing here",
    408: "The body took too long",
    413: "The body is too large",
    507: "The disk is full",
    415: "Not a spreadsheet",
    422: "The file is not what it should be; says where",
    429: "Too many requests",
    503: "Not at the moment",
}
_DONE = {"200": "Done", "202": "Stored", "303": "To the page that says what happens next"}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, beside those that every route has; a person's browser gets them as a page."""
    content = {"application/json": {"schema": ERROR_SCHEMA}, "text/html": {"schema": {"type": "string"}}}
    return {status: {"description": _WORDS[status], "content": content} for status in (*statuses, 408, 429, 503)}


def body(content_type: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request body that the route reads by itself."""
    return {"requestBody": {"required": True, "content": {content_type: {"schema": schema or {"type": "object"}}}}}


def path_parameters(path: str) -> dict[str, Any]:
    """The parameters of a path whose route takes them from the request by itself."""
    names = re.findall(r"\{(\w+)\}", path)
    schemas = {name: {"type": "string", "title": name.replace("_", " ").title()} for name in names}
    found = [{"name": name, "in": "path", "required": True, "schema": schema} for name, schema in schemas.items()]
    return {"parameters": found} if found else {}


def bearer() -> dict[str, Any]:
    """The route wants a profile's key."""
    return {"security": [{"profileKey": []}]}


SECURITY_SCHEMES: dict[str, Any] = {
    "profileKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A profile's key: creator-pipeline profiles key ID",
    }
}


def finished(document: dict[str, Any]) -> dict[str, Any]:
    """The framework's document with our keys, our shape of refusals, and words for what went well."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = SECURITY_SCHEMES
    components.pop("schemas", None)
    for item in document["paths"].values():
        for told in item.values():
            responses = told["responses"]
            if responses.get("422", {}).get("description") == "Validation Error":
                del responses["422"]
            for status, response in responses.items():
                if int(status) < 400:
                    response.pop("content", None)
                if response["description"] == "Successful Response":
                    response["description"] = _DONE[status]
    return document
