"""The two webhooks about mail. :mod:`creator_pipeline.mail` decides what follows from them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.gateway.services import Services
from creator_pipeline.mail import outbox
from creator_pipeline.mail.auth_hook import AuthHookResult, handle_auth_hook
from creator_pipeline.mail.delivery import handle_resend_event

_log = logging.getLogger(__name__)


async def resend_event(services: Services, headers: Mapping[str, str], body: bytes) -> int:
    """Take a delivery of Resend; returns 200, 400 where the body can't be read, 401 where it isn't Resend's."""
    if services.secret("resend_webhook_secret") is None:
        return 401
    return await services.lanes.events.run(
        handle_resend_event, body, headers, warehouse=services.warehouse, settings=services.config
    )


async def auth_mail(services: Services, headers: Mapping[str, str], body: bytes) -> AuthHookResult:
    """Store the mails that a call of Supabase's Send Email hook asks for. Its caller waits, so nothing is sent yet."""
    if services.secret("supabase_hook_secret") is None:
        return AuthHookResult(401, {})
    return await services.lanes.auth.run(
        handle_auth_hook, body, headers, warehouse=services.warehouse, settings=services.config
    )


async def send_now(services: Services, message_ids: Sequence[str]) -> None:
    """Send mails that somebody waits for. What fails is left to the outbox, which tries again."""
    try:
        await services.lanes.send.run(
            outbox.flush, services.warehouse, services.config, limit=len(message_ids), ids=message_ids
        )
    except PipelineError as error:
        _log.warning("Mails of accounts were not sent at once: %s", error)
