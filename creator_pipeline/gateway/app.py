"""The application: its routes, and what is around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp

from creator_pipeline import __version__
from creator_pipeline.gateway import creator_page, docs, health, jobs, oauth, openapi, unsubscribe, uploads, webhooks
from creator_pipeline.gateway.errors import GatewayError, respond
from creator_pipeline.gateway.middleware import Middleware
from creator_pipeline.gateway.services import Services, build
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.settings import Settings

_PLAIN = {
    404: ("not_found", "There is nothing here.", "GET /docs lists what there is."),
    405: ("method_not_allowed", "This route doesn't take this method.", "GET /docs lists what there is."),
}


def create_app(config: Settings) -> FastAPI:
    """The gateway of an installation; it connects and migrates when it starts."""
    services = build(config)
    app = FastAPI(
        title="creator_pipeline gateway",
        version=__version__,
        description="Webhooks, uploads and links of the pipeline that keeps a creator's sales in one ledger.",
        docs_url=None,
        redoc_url=None,
        # A path with a slash too many would be sent on to whatever host the request names.
        redirect_slashes=False,
        lifespan=_lifespan(services),
    )
    app.state.services = services
    for router in _routers():
        app.include_router(router)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(_around(services))
    app.openapi = _document(app)
    return app


def _lifespan(services: Services) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        await asyncio.to_thread(services.warehouse.ensure_migrated)
        await services.lanes.uploads.run(uploads.sweep_drafts, services)
        services.deliveries.start()
        yield
        await services.deliveries.stop()
        services.lanes.close()

    return lifespan


def _routers() -> list[APIRouter]:
    of_platforms = [part.router_of(PLATFORMS) for part in (webhooks, oauth, uploads, creator_page)]
    return [*of_platforms, *(part.router for part in (jobs, unsubscribe, health, docs))]


def _around(services: Services) -> Any:
    def middleware(app: ASGIApp) -> Middleware:
        return Middleware(app, services.gate, services.metrics)

    return middleware


def _document(app: FastAPI) -> Any:
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            openapi.finished(plain())
        return plain()

    return document


async def _plain(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405 and request.method == "OPTIONS":
        return Response(headers={"Allow": _allowed(request)})
    code, message, hint = _PLAIN.get(status, ("bad_request", "The request can't be understood.", ""))
    headers = error.headers if isinstance(error, HTTPException) else None
    return respond(request, GatewayError(status, code, message, hint, headers=headers))


def _allowed(request: Request) -> str:
    """Methods of the path that was asked for."""
    found = {"OPTIONS"}
    for method in ("GET", "POST"):
        asked = {**request.scope, "method": method}
        if any(route.matches(asked)[0] is Match.FULL for route in request.app.routes):
            found |= {method, "HEAD"} if method == "GET" else {method}
    return ", ".join(sorted(found))


async def _invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    where = ", ".join(".".join(str(part) for part in item["loc"][1:]) for item in found)
    return respond(
        request, GatewayError(422, "invalid", f"Can't be read: {where}.", "GET /docs says what is expected.")
    )
