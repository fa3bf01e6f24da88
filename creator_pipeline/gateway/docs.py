"""``/docs``: the OpenAPI document as a page, without a script and without another host."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from creator_pipeline.gateway.pages import page, style

router = APIRouter(include_in_schema=False)


class _Operation(NamedTuple):
    method: str
    path: str
    text: str
    takes: list[str]
    needs_key: bool
    answers: list[tuple[str, str]]


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The page."""
    document = request.app.openapi()
    groups: dict[str, list[_Operation]] = {}
    for path, item in document["paths"].items():
        for method, told in item.items():
            groups.setdefault(told.get("tags", ["other"])[0], []).append(_operation(method, path, told))
    return page("docs.html", title=document["info"]["title"], info=document["info"], groups=groups)


@router.get("/assets/style.css")
async def stylesheet() -> Response:
    """The style of all pages."""
    return Response(style(), headers={"Cache-Control": "public, max-age=3600"}, media_type="text/css")


@router.get("/favicon.ico")
async def favicon() -> Response:
    """None; a browser asks for it by itself."""
    return Response(status_code=204, headers={"Cache-Control": "public, max-age=86400"})


def _operation(method: str, path: str, told: dict[str, Any]) -> _Operation:
    takes = [f"{item['name']} ({item['in']})" for item in told.get("parameters", [])]
    takes += list(told.get("requestBody", {}).get("content", {}))
    answers = [(status, answer["description"]) for status, answer in sorted(told["responses"].items())]
    return _Operation(method.upper(), path, told.get("description", ""), takes, bool(told.get("security")), answers)
