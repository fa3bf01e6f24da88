"""Calls of Supabase's Send Email hook."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

UUID = "8484b834-f29e-4af2-bf42-80644d154f76"


def call(
    action: str, *, user: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None, **data: str
) -> bytes:
    """A call as Auth writes it: Go's JSON escapes &, < and >."""
    said = {
        "metadata": {"uuid": UUID, "time": "2026-11-23T20:05:00.1Z", "name": "send-email", "ip_address": "203.0.113.7"}
        if metadata is None
        else metadata,
        "user": {"id": "u1", "email": "ada@example.net", **(user or {})},
        "email_data": {
            "token": "482913",
            "token_hash": "hash-a",
            "redirect_to": "https://pipeline.example.com/welcome?a=1&b=2",
            "email_action_type": action,
            "site_url": "https://ref.supabase.example/auth/v1",
            "token_new": "",
            "token_hash_new": "",
            **data,
        },
    }
    text = json.dumps(said, separators=(",", ":"))
    for character in "&<>":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def sign(body: bytes, *secrets: str, webhook_id: str = "msg_1", age: float = 0.0) -> dict[str, str]:
    """The three headers; several secrets are joined by a comma and a space, as Auth does."""
    moment = datetime.now(UTC) - timedelta(seconds=age)
    signatures = [Webhook(secret.removeprefix("v1,")).sign(webhook_id, moment, body.decode()) for secret in secrets]
    return {
        "Webhook-Id": webhook_id,
        "Webhook-Timestamp": str(int(moment.timestamp())),
        "Webhook-Signature": ", ".join(signatures),
    }
