"""Signed values that are given away and come back: OAuth state, links. All can read them, nobody can forge them.

Each purpose has keys and a salt of its own. A new key in front of APP_SECRET_KEYS signs; the former ones still verify.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from creator_pipeline.core.secrets import KeyRing

if TYPE_CHECKING:
    from itsdangerous import URLSafeTimedSerializer


def sign(ring: KeyRing, purpose: str, word: Any) -> str:
    """``word`` (JSON-able) signed with the time of this moment; safe in a URL."""
    return str(_signer(ring, purpose).dumps(word))


def read(ring: KeyRing, purpose: str, token: str, max_age: int) -> Any:
    """The word of :func:`sign`; None where the token is not ours or older than ``max_age`` seconds.

    Args:
        ring: the keys of this installation.
        purpose: what it was signed for.
        token: from :func:`sign`.
        max_age: seconds.
    """
    from itsdangerous import BadData

    try:
        return _signer(ring, purpose).loads(token, max_age=max_age)
    except BadData:
        return None


def _signer(ring: KeyRing, purpose: str) -> URLSafeTimedSerializer:
    from itsdangerous import URLSafeTimedSerializer

    # The library's own defaults are SHA-1 and a derivation without HMAC.
    return URLSafeTimedSerializer(
        ring.purpose_key(purpose),
        salt=purpose,
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
