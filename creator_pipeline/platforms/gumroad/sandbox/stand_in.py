"""The stand-in of Gumroad: its API, OAuth and pings over invented sellers."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from starlette.routing import Route

from creator_pipeline.core.text import number
from creator_pipeline.platforms.gumroad import PLATFORM, subscriptions
from creator_pipeline.platforms.gumroad.access import gumroad_client
from creator_pipeline.platforms.gumroad.sandbox.api import GumroadApi
from creator_pipeline.platforms.gumroad.sandbox.compare import compare
from creator_pipeline.platforms.gumroad.sandbox.control import GumroadControl
from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart
from creator_pipeline.platforms.gumroad.sandbox.oauth import CLIENT_ID, CLIENT_SECRET, OAuth
from creator_pipeline.platforms.gumroad.sandbox.pings import PingSender
from creator_pipeline.platforms.gumroad.sandbox.sellers import invented_sellers
from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.sandbox.stand_in import Account, Demo, StandIn

LIST_FAULTS = frozenset({"timeout_400", "repeat_rows", "repeat_key", "shuffle", "arrivals", "skip_rows"})
"""Ways in which the list of sales answers wrongly."""


class GumroadService:
    """Gumroad of one world.

    Attributes:
        part: the sellers.
        oauth: its pages of authorization.
        api: the routes, with their switches.
        pings: the sender, once :meth:`start_webhooks` was called.
    """

    pings: PingSender

    def __init__(self, part: GumroadPart, faults: Faults) -> None:
        self.part = part
        self.oauth = OAuth(part)
        self.api = GumroadApi(part, faults, self.oauth)

    def routes(self) -> list[Route]:
        """``/v2`` and ``/oauth``."""
        return self.api.routes()

    def control_routes(self) -> list[Route]:
        """The truth, and what can be made to happen."""
        return GumroadControl(self.part, self.api).routes()

    def world(self) -> Mapping[str, Any]:
        """The OAuth application, and each seller."""
        sellers = {
            seller.profile: {
                "email": seller.email,
                "token": seller.token,
                "refresh_token": seller.refresh_token,
                "seller_id": seller.seller_id,
                "timezone": seller.timezone,
                "sales": len(seller.rows),
            }
            for seller in self.part.values()
        }
        return {"oauth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, "gumroad": sellers}

    def start_webhooks(self, factor: float) -> None:
        """Start to send pings."""
        self.pings = PingSender(self.part, factor)

    def close(self) -> None:
        """Stop sending pings."""
        self.pings.close()


def environment(url: str) -> dict[str, str]:
    """The variables of a pipeline that reads from the stand-in."""
    return {
        "GUMROAD_API_URL": url,
        "GUMROAD_WEBHOOK_SECRET": secrets.token_urlsafe(24),
        "GUMROAD_REQUESTS_PER_MINUTE": "60000",
    }


def accounts(world: Mapping[str, Any]) -> Sequence[Account]:
    """The sellers."""
    return [
        Account(
            profile_id, seller["token"], seller["seller_id"], f"{number(seller['sales'], 'sale')}", seller["timezone"]
        )
        for profile_id, seller in world["gumroad"].items()
    ]


def register(demo: Demo, profile_id: str) -> None:
    """Subscribe to the pings of a seller."""
    secret = demo.config.require("GUMROAD_WEBHOOK_SECRET")
    with gumroad_client(demo.config, demo.warehouse, profile_id) as client:
        subscriptions.register(client, demo.config.public_url, secret, profile_id)


def sell(demo: Demo) -> str:
    """A sale of 49 dollars, with its ping."""
    wish = {"pings": True, "price": 4900}
    return httpx.post(f"{demo.url}/_sandbox/gumroad/{demo.profile_id}/sales", json=wish).json()["id"]


STAND_IN = StandIn(
    name=PLATFORM.name,
    where="Gumroad's API v2 is under /v2",
    invent=invented_sellers,
    serve=GumroadService,
    fault_kinds=LIST_FAULTS,
    environment=environment,
    accounts=accounts,
    register=register,
    sell=sell,
    webhook_name="ping",
    compare=compare,
)
