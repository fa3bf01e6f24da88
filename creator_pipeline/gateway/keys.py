"""Who calls: the profile whose bearer key a request brings."""

from __future__ import annotations

import asyncio

from fastapi import Request

from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.gateway.services import services_of
from creator_pipeline.store import profile_keys

HINT = "Send Authorization: Bearer and the profile's key; creator-pipeline profiles key ID makes one."


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
    found = await asyncio.to_thread(profile_keys.owner, services.warehouse, key) if key else None
    if found is None:
        services.gate.refused(request.scope["caller"])
        raise GatewayError(
            401, "unauthorized", "The key is missing or wrong.", HINT, headers={"WWW-Authenticate": "Bearer"}
        )
    return found
