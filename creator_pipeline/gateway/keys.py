"""Who calls: the profile whose bearer key a request brings."""

from __future__ import annotations

from fastapi import Request

from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.gateway.services import services_of
from creator_pipeline.store import profile_keys

KEY_CHARACTERS = 200
"""Of the longest key that is looked up."""
HINT = "Send Authorization: Bearer and the profile's key. One is made by: creator-pipeline profiles key ID"


def bearer(request: Request) -> str | None:
    """The key in the header; None where there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


async def profile_of(request: Request, key: str | None) -> str:
    """The profile a key belongs to.

    Raises:
        GatewayError: 401.
    """
    services = services_of(request)
    found = (
        await services.lanes.keys.run(profile_keys.owner, services.warehouse, key)
        if key and len(key) <= KEY_CHARACTERS
        else None
    )
    if found is None:
        raise refused(request)
    return found


def refused(request: Request) -> GatewayError:
    """Count a request without a good key, and return its 401.

    Raises:
        GatewayError: 429, after too many.
    """
    services_of(request).gate.refused(request.scope["caller"])
    return GatewayError(
        401, "unauthorized", "The key is missing or wrong.", HINT, headers={"WWW-Authenticate": "Bearer"}
    )
