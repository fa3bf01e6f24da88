"""The two webhooks that are about mail: what is to be done is decided in :mod:`creator_pipeline.mail`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.gateway.services import Services
from creator_pipeline.mail.delivery import handle_resend_event
from creator_pipeline.mail.signatures import verified


async def resend_event(house: Services, headers: Mapping[str, str], body: bytes) -> int:
    """Take a delivery of Resend; returns 200, 400 where the body can't be read, 401 where it isn't Resend's."""
    if house.secret("resend_webhook_secret") is None:
        return 401
    return await asyncio.to_thread(handle_resend_event, body, headers, warehouse=house.warehouse, settings=house.config)


async def auth_mail(house: Services, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    """Take a call of Supabase's Send Email hook; returns status and JSON body of the answer."""
    secret = house.secret("supabase_hook_secret")
    if secret is None or not verified(body, headers, secret):
        return 401, {}
    raise GatewayError(503, "no_mail", "Mails of accounts can't be sent yet.", headers={"Retry-After": "60"})
