"""Signatures of webhooks in the manner of Standard Webhooks: Supabase's hooks, and Resend's by way of Svix."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

_log = logging.getLogger(__name__)


def verified(body: bytes, headers: Mapping[str, str], secrets: str, *, prefix: str = "webhook") -> bool:
    """Whether the raw body is signed by one of the secrets, within 5 minutes of now.

    Args:
        body: the bytes as received: a parsed and rewritten body has another signature.
        secrets: one or more, joined by ``|``; each with or without ``v1,`` and ``whsec_``.
        prefix: of the three headers; ``svix`` for Resend.
    """
    given = {key.lower(): value for key, value in headers.items()}
    standard = {f"webhook-{part}": given.get(f"{prefix}-{part}", "") for part in ("id", "timestamp", "signature")}
    # Supabase joins several signatures by ", " where the standard has a space.
    standard["webhook-signature"] = re.sub(r",\s+", " ", standard["webhook-signature"])
    return any(_fits(body, standard, secret.strip()) for secret in secrets.split("|") if secret.strip())


def _fits(body: bytes, headers: dict[str, str], secret: str) -> bool:
    try:
        webhook = Webhook(secret.removeprefix("v1,"))
    except (ValueError, EmptyWebhookSecretError):
        _log.error("A webhook secret is not base64 after whsec_.")
        return False
    try:
        webhook.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True
