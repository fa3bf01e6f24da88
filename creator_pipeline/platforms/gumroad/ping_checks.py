"""Whether Gumroad sends pings for every event to our address: asked by the doctor and by the nightly look."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

from creator_pipeline.core.caller import Caller
from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.gumroad import webhook
from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.settings import Settings


def reachable(config: Settings) -> bool:
    """Whether PUBLIC_URL is no address of this machine alone, which Gumroad refuses."""
    host = urlsplit(config.public_url).hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def missing_pings(caller: Caller, config: Settings, profile_id: str) -> list[str]:
    """Events without a resource subscription to the profile's present address. A request for each event.

    Raises:
        ConfigError: GUMROAD_WEBHOOK_SECRET is not set.
        PipelineError: Gumroad doesn't answer as it should.
    """
    address = webhook.address(config, profile_id)
    return [name for name in RESOURCES if address not in _addresses(caller, name)]


def _addresses(caller: Caller, resource: str) -> set[str]:
    params = {"resource_name": resource, "current_oauth_application_only": "true"}
    found: Any = caller.get("/v2/resource_subscriptions", params).get("resource_subscriptions")
    if not isinstance(found, list):
        raise DataError(
            "Gumroad's answer has no list of resource subscriptions.",
            hint="The API may have changed.",
            column="resource_subscriptions",
        )
    return {str(hook.get("post_url")) for hook in cast("list[dict[str, Any]]", found)}
