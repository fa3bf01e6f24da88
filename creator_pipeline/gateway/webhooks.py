"""Webhooks: verified, cut down to what is needed to read again, stored, answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from creator_pipeline.core.errors import ConfigError, PipelineError, RejectedError
from creator_pipeline.gateway import mail_calls, openapi
from creator_pipeline.gateway.errors import GatewayError, json_response
from creator_pipeline.gateway.intake import Delivery, Stored
from creator_pipeline.gateway.services import Services, services
from creator_pipeline.platforms.gumroad import webhook as pings
from creator_pipeline.platforms.whop import webhook as events
from creator_pipeline.settings import WHERE_TO_GET

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.post(
    "/whop", status_code=202, responses=openapi.answers(401, 413), openapi_extra=openapi.body("application/json")
)
async def whop(request: Request) -> Response:
    """A delivery of Whop, signed after Standard Webhooks. It only names what is read again from Whop's API."""
    house = services(request)
    body = await request.body()
    try:
        delivery_id = events.verify(house.secret("whop_webhook_secret") or "", request.headers, body)
    except (RejectedError, ConfigError):
        raise _refused(house, request, "whop", "WHOP_WEBHOOK_SECRET") from None
    told = events.reread(delivery_id, body)
    return await _accept(
        house,
        Delivery(
            "whop",
            delivery_id,
            told.event_type[:100] or None,
            {"kind": told.kind, "ids": list(told.ids)},
            account_id=told.account_id,
            work=told.kind != "ignored",
        ),
    )


@router.post(
    "/gumroad/{secret}",
    status_code=202,
    responses=openapi.answers(404, 413),
    openapi_extra=openapi.body("application/x-www-form-urlencoded"),
)
async def gumroad(request: Request, secret: str) -> Response:
    """A ping of Gumroad. It is unsigned, so the address is the secret, and the body only names a sale to read again."""
    house = services(request)
    expected = house.secret("gumroad_webhook_secret")
    known, profile_id = pings.recognise(expected, secret) if expected else (False, None)
    if not known:
        house.metrics.delivery("gumroad", "refused")
        house.gate.refused(request.scope["caller"])
        raise GatewayError(404, "not_found", "There is nothing here.")
    ping = pings.read(await request.body(), request.headers.get("content-type", ""))
    return await _accept(
        house,
        Delivery(
            "gumroad",
            ping.delivery_id,
            ping.resource_name,
            _gumroad_payload(ping),
            profile_id=profile_id,
            account_id=ping.seller_id,
            work=bool(ping.sale_ids or ping.subscription_ids or ping.days_needed),
            alike=ping.alike,
        ),
    )


@router.post("/resend", responses=openapi.answers(400, 401, 413), openapi_extra=openapi.body("application/json"))
async def resend(request: Request) -> Response:
    """A delivery of Resend, signed by Svix: what became of a mail."""
    house = services(request)
    status = await mail_calls.resend_event(house, request.headers, await request.body())
    if status == 401:
        raise _refused(house, request, "resend", "RESEND_WEBHOOK_SECRET")
    house.metrics.delivery("resend", "stored" if status == 200 else "ignored")
    if status != 200:
        raise GatewayError(status, "unreadable", "The body can't be read.", "It is a JSON object with type and data.")
    return json_response({"status": "stored"})


@router.post("/auth", responses=openapi.answers(401, 413), openapi_extra=openapi.body("application/json"))
async def auth(request: Request) -> Response:
    """Supabase's Send Email hook: sign-up, password reset and the other mails of an account."""
    house = services(request)
    result = await mail_calls.auth_mail(house, request.headers, await request.body())
    if result.status == 401:
        raise _refused(house, request, "auth", "SUPABASE_HOOK_SECRET")
    house.metrics.delivery("auth", "stored" if result.message_ids else "ignored")
    answer = json_response(result.json_body, result.status)
    if result.message_ids:
        answer.background = BackgroundTask(mail_calls.send_now, house, result.message_ids)
    return answer


def _gumroad_payload(ping: pings.Ping) -> dict[str, Any]:
    payload: dict[str, Any] = {"sale_ids": list(ping.sale_ids), "test": ping.test}
    if ping.days_needed and ping.sale_day:
        return payload | {"from": ping.sale_day.isoformat(), "to": (ping.sale_day + timedelta(days=1)).isoformat()}
    return payload | {"read_days": not ping.sale_ids}


def _refused(house: Services, request: Request, provider: str, variable: str) -> GatewayError:
    house.metrics.delivery(provider, "refused")
    house.gate.refused(request.scope["caller"])
    return GatewayError(
        401,
        "bad_signature",
        "The signature doesn't fit, is missing, or is more than five minutes old.",
        f"{variable} is the whole secret of this very webhook: {WHERE_TO_GET[variable]}",
    )


async def _accept(house: Services, delivery: Delivery) -> Response:
    return _answer(await _store(house, delivery), 202)


async def _store(house: Services, delivery: Delivery) -> Stored:
    try:
        stored = await house.deliveries.store(delivery)
    except PipelineError:
        house.metrics.delivery(delivery.provider, "failed")
        raise
    house.metrics.delivery(delivery.provider, stored.status if stored.new else "repeat")
    return stored


def _answer(stored: Stored, status: int) -> Response:
    return json_response({"status": stored.status, "repeat": not stored.new}, status)
