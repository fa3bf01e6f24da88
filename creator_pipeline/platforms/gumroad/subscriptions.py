"""Resource subscriptions: the addresses that Gumroad sends its pings to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.gumroad.webhook import profile_secret

PATH = "/webhooks/gumroad/"


class Subscriptions(Protocol):
    """What is needed of a client."""

    def subscriptions(self, resource_name: str) -> list[dict[str, Any]]:
        """Those of one resource."""
        ...

    def subscribe(self, resource_name: str, post_url: str) -> None:
        """One more."""
        ...

    def unsubscribe(self, subscription_id: str) -> None:
        """One less."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """What a check did. ``kept`` were right already."""

    kept: int
    created: int
    deleted: int


def post_url(public_url: str, secret: str, profile_id: str) -> str:
    """The address for one profile's pings."""
    return f"{public_url}{PATH}{profile_secret(secret, profile_id)}"


def register(client: Subscriptions, public_url: str, secret: str, profile_id: str) -> Registered:
    """Make it one subscription for each resource, at the present address of the profile.

    Asking twice makes two, and then every event comes twice: so it is looked up first, doubles are deleted, and so
    are those at the profile's former addresses (another secret). Subscriptions of others are left alone.

    Args:
        client: of the profile's account.
        public_url: where Gumroad reaches this installation, without a slash at the end.
        secret: ``GUMROAD_WEBHOOK_SECRET``; the address is derived from it.
        profile_id: whose pings.

    Raises:
        RejectedError: Gumroad refuses the address: it must be public, http or https.
        PipelineError: whatever the client raises.
    """
    wanted, own = post_url(public_url, secret, profile_id), f"{public_url}{PATH}{profile_id}."
    kept = created = deleted = 0
    for resource in RESOURCES:
        mine = [hook for hook in client.subscriptions(resource) if _url(hook).startswith(own)]
        good = [hook for hook in mine if _url(hook) == wanted]
        if good:
            kept += 1
        else:
            client.subscribe(resource, wanted)
            created += 1
        for hook in mine:
            if hook not in good[:1]:
                client.unsubscribe(str(hook["id"]))
                deleted += 1
    return Registered(kept, created, deleted)


def _url(hook: Mapping[str, Any]) -> str:
    return str(hook.get("post_url", ""))
