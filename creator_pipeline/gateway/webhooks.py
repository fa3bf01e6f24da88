"""Webhooks: verified, cut down to what is needed to read again, stored, answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.gateway import mail_calls, openapi
from creator_pipeline.gateway.errors import GatewayError, json_response
from creator_pipeline.gateway.services import Services, services_of
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.intake import Stored
from creator_pipeline.platforms.webhooks import Delivery, RefusedDelivery, Webhooks
from creator_pipeline.settings import WHERE_TO_GET

_JSON = openapi.body("application/json")


def router_of(platforms: Iterable[Platform]) -> APIRouter:
    """A route for each platform that sends webhooks, and the two about mail."""
    router = APIRouter(tags=["webhooks"])
    for platform in platforms:
        if platform.webhooks is not None:
            webhooks = platform.webhooks.get()
            router.add_api_route(
                webhooks.path,
                _Receiver(platform.in_ledger, webhooks).receive,
                methods=["POST"],
                name=platform.name,
                description=webhooks.description,
                status_code=202,
                responses=openapi.answers(*webhooks.refusals),
                openapi_extra=openapi.body(webhooks.content_type) | openapi.path_parameters(webhooks.path),
            )
    router.add_api_route(
        "/webhooks/resend", resend, methods=["POST"], responses=openapi.answers(400, 401, 413), openapi_extra=_JSON
    )
    router.add_api_route(
        "/webhooks/auth", auth, methods=["POST"], responses=openapi.answers(401, 413), openapi_extra=_JSON
    )
    return router


@dataclass(frozen=True, slots=True)
class _Receiver:
    """The route of one platform."""

    provider: str
    webhooks: Webhooks

    async def receive(self, request: Request) -> Response:
        services = services_of(request)
        body = await request.body()
        try:
            delivery = self.webhooks.read(services.config, request.path_params, request.headers, body)
        except RefusedDelivery as refusal:
            raise _refused(services, request, self.provider, refusal) from None
        stored = await _store(services, delivery)
        return json_response({"status": stored.status, "repeat": not stored.new}, 202)


async def resend(request: Request) -> Response:
    """A delivery of Resend, signed by Svix: what became of a mail."""
    services = services_of(request)
    status = await mail_calls.resend_event(services, request.headers, await request.body())
    if status == 401:
        raise _refused(services, request, "resend", RefusedDelivery(401, "RESEND_WEBHOOK_SECRET"))
    services.metrics.delivery("resend", "stored" if status == 200 else "ignored")
    if status != 200:
        raise GatewayError(status, "unreadable", "The body can't be read.", "It is a JSON object with type and data.")
    return json_response({"status": "stored"})


async def auth(request: Request) -> Response:
    """Supabase's Send Email hook: sign-up, password reset and the other mails of an account."""
    services = services_of(request)
    result = await mail_calls.auth_mail(services, request.headers, await request.body())
    if result.status == 401:
        raise _refused(services, request, "auth", RefusedDelivery(401, "SUPABASE_HOOK_SECRET"))
    services.metrics.delivery("auth", "stored" if result.message_ids else "ignored")
    answer = json_response(result.json_body, result.status)
    if result.message_ids:
        answer.background = BackgroundTask(mail_calls.send_now, services, result.message_ids)
    return answer


def _refused(services: Services, request: Request, provider: str, refusal: RefusedDelivery) -> GatewayError:
    services.metrics.delivery(provider, "refused")
    services.gate.refused(request.scope["caller"])
    if refusal.status == 404:
        return GatewayError(404, "not_found", "There is nothing here.")
    where = WHERE_TO_GET.get(refusal.variable, "")
    return GatewayError(
        401,
        "bad_signature",
        "The signature doesn't fit, is missing, or is more than five minutes old.",
        f"{refusal.variable} is the whole secret of this very webhook: {where}" if refusal.variable else "",
    )


async def _store(services: Services, delivery: Delivery) -> Stored:
    try:
        stored = await services.deliveries.store(delivery)
    except PipelineError:
        services.metrics.delivery(delivery.provider, "failed")
        raise
    services.metrics.delivery(delivery.provider, stored.status if stored.new else "repeat")
    return stored
