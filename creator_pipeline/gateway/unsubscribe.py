"""Links of mails that turn notices off (RFC 8058): ``GET`` asks, ``POST`` does it. Scanners follow links."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from creator_pipeline.gateway import openapi
from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.gateway.pages import page
from creator_pipeline.gateway.services import services_of
from creator_pipeline.mail import unsubscribe as mail
from creator_pipeline.mail.unsubscribe import Choice

router = APIRouter(prefix="/unsubscribe", tags=["mail"])


@router.get("/{token}", responses=openapi.answers(404))
async def confirm(request: Request, token: str) -> Response:
    """Asks whether to turn these notices off; changes nothing."""
    return page("unsubscribe.html", choice=await _choice(request, token), done=False)


@router.post(
    "/{token}",
    responses=openapi.answers(404),
    openapi_extra=openapi.body(
        "application/x-www-form-urlencoded",
        {"type": "object", "properties": {"List-Unsubscribe": {"type": "string", "enum": ["One-Click"]}}},
    ),
)
async def turn_off(request: Request, token: str) -> Response:
    """Turns them off: by a mailbox's one click, or by the page's button. May be repeated."""
    services = services_of(request)
    choice = await _choice(request, token)
    body = await request.body()
    await services.lanes.pages.run(
        mail.turn_off, services.warehouse, services.config, token, everything=b"everything=yes" in body.split(b"&")
    )
    if b"List-Unsubscribe=One-Click" in body:
        return Response(status_code=200)
    return page("unsubscribe.html", choice=choice, done=True)


async def _choice(request: Request, token: str) -> Choice:
    services = services_of(request)
    choice = await services.lanes.pages.run(mail.read, services.warehouse, services.config, token)
    if choice is None:
        services.gate.refused(request.scope["caller"])
        raise GatewayError(404, "not_found", "This link is not one of ours.", "Open it from the mail once more.")
    return choice
