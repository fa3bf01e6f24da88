"""The stand-in of Whop: its API and webhooks over invented accounts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import Route

from creator_pipeline.core.text import number
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.sandbox.api import PREFIX, WhopApi
from creator_pipeline.platforms.whop.sandbox.compare import compare
from creator_pipeline.platforms.whop.sandbox.control import WhopControl
from creator_pipeline.platforms.whop.sandbox.data import WhopPart
from creator_pipeline.platforms.whop.sandbox.invent import invented_accounts
from creator_pipeline.platforms.whop.sandbox.webhooks import WebhookSender
from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.sandbox.stand_in import Account, StandIn


class WhopService:
    """Whop of one world.

    Attributes:
        part: the accounts.
        api: the routes, with their switches.
        webhooks: the sender, once :meth:`start_webhooks` was called.
    """

    webhooks: WebhookSender

    def __init__(self, part: WhopPart, _faults: Faults) -> None:
        self.part = part
        self.api = WhopApi(part)

    def routes(self) -> list[Route]:
        """``/api/v1``."""
        return self.api.routes()

    def control_routes(self) -> list[Route]:
        """Totals and books, and what can be made to happen."""
        return WhopControl(self.part, self.api).routes()

    def world(self) -> Mapping[str, Any]:
        """Each account."""
        told = {
            account.profile: {
                "account_id": account.id,
                "key": account.key,
                "memberships": len(account.tables["memberships"]),
                "payments": len(account.tables["payments"]),
            }
            for account in self.part.values()
        }
        return {"whop": told}

    def start_webhooks(self, factor: float) -> None:
        """Start to send webhooks to the addresses in ``WhopAccount.hooks``."""
        self.webhooks = WebhookSender(self.part, factor)

    def close(self) -> None:
        """Stop sending webhooks."""
        self.webhooks.close()


def environment(url: str) -> dict[str, str]:
    """The variables of a pipeline that reads from the stand-in."""
    return {
        "WHOP_API_URL": f"{url}{PREFIX}",
        "WHOP_WEBHOOK_SECRET": f"ws_{secrets.token_urlsafe(24)}",
        "WHOP_REQUESTS_PER_MINUTE": "60000",
    }


def accounts(world: Mapping[str, Any]) -> Sequence[Account]:
    """The accounts."""
    return [
        Account(profile_id, account["key"], account["account_id"], f"{number(account['payments'], 'payment')}")
        for profile_id, account in world["whop"].items()
    ]


STAND_IN = StandIn(
    name=PLATFORM.name,
    where=f"Whop's API v1 is under {PREFIX}",
    invent=invented_accounts,
    serve=WhopService,
    fault_kinds=frozenset({"repeat_key"}),
    environment=environment,
    accounts=accounts,
    compare=compare,
)
