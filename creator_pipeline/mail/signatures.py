"""Signatures of the webhooks about mail: Supabase's hooks, and Resend's by way of Svix."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping

from creator_pipeline.core import signatures
from creator_pipeline.core.signatures import BadSignatureError

_log = logging.getLogger(__name__)


def verified(body: bytes, headers: Mapping[str, str], secrets: str, *, prefix: str = "webhook") -> bool:
    """Whether the raw body is signed by one of the secrets, within 5 minutes of now.

    Args:
        body: the bytes as received: a parsed and rewritten body has another signature.
        headers: names in any case.
        secrets: one or more, joined by ``|``; each with or without ``v1,`` and ``whsec_``.
        prefix: of the three headers; ``svix`` for Resend.
    """
    keys = (_key(secret.strip()) for secret in secrets.split("|") if secret.strip())
    return any(_fits(key, body, headers, prefix) for key in keys if key)


def _key(secret: str) -> bytes:
    """The bytes of a secret; empty where it can't be read."""
    try:
        # b64decode takes more padding than is needed; secrets come without it too.
        key = base64.b64decode(secret.removeprefix("v1,").removeprefix("whsec_") + "==")
    except ValueError:
        key = b""
    if not key:
        _log.error("A webhook secret is not base64 after whsec_.")
    return key


def _fits(key: bytes, body: bytes, headers: Mapping[str, str], prefix: str) -> bool:
    try:
        signatures.verify(key, headers, body, prefix=prefix)
    except BadSignatureError:
        return False
    return True
