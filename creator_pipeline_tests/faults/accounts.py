"""Sellers of the sandbox as profiles of a system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.gumroad.subscriptions import post_url
from creator_pipeline.store import profile_keys, profiles

if TYPE_CHECKING:
    from creator_pipeline_tests.faults.system import System


def add_profiles(system: System, names: Sequence[str]) -> dict[str, str]:
    """Profiles of the sandbox's sellers with their connections and webhooks; returns their keys for uploads."""
    keys, part = dict[str, str](), system.sandbox.world
    for name in names or tuple(part.gumroad):
        seller = part.gumroad[name]
        with system.warehouse.write() as connection:
            profiles.add_profile(connection, name, seller.email, timezone=seller.timezone)
            profiles.connect(
                connection, system.ring, "gumroad", name, seller.token, external_account_id=seller.seller_id
            )
            if name in part.whop:
                account = part.whop[name]
                profiles.connect(connection, system.ring, "whop", name, account.key, external_account_id=account.id)
            keys[name] = profile_keys.renew(connection, name)
        url = post_url(system.gateway_url, system.secrets["GUMROAD_WEBHOOK_SECRET"], name)
        for number, resource in enumerate(RESOURCES):
            seller.subscriptions.append({"id": f"{name}{number}", "resource_name": resource, "post_url": url})
        if name in part.whop:
            hooks = part.whop[name].hooks
            hooks[f"{system.gateway_url}/webhooks/whop"] = system.secrets["WHOP_WEBHOOK_SECRET"]
    return keys
