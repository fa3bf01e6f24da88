"""Whether Gumroad sends pings for every event, to our address: asked by the doctor and by the nightly look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from creator_pipeline.gumroad import hooks
from creator_pipeline.gumroad.catalog import RESOURCES


def own_address(public_url: str, secret: str, profile_id: str) -> str:
    """Where a profile's pings must go."""
    return hooks.post_url(public_url, secret, profile_id)


def missing_pings(registered: Callable[[str], Sequence[Mapping[str, Any]]], address: str) -> list[str]:
    """Events without a resource subscription to ``address``; ``registered`` gives those of one event."""
    return [name for name in RESOURCES if not any(hook.get("post_url") == address for hook in registered(name))]


def mend_of(provider: str, profile_id: str) -> str:
    """The step that connects a profile again, pings included."""
    if provider == "whop":
        return f"creator-pipeline profiles add {profile_id} --email … --whop-key …"
    return f"creator-pipeline profiles connect {profile_id}, or profiles add {profile_id} --email … --gumroad-token …"
