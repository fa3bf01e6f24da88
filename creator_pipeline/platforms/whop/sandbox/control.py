"""``/_sandbox/whop/…``: the truth of each Whop account, and what can be made to happen to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from creator_pipeline.platforms.whop.sandbox.data import WhopPart
from creator_pipeline.sandbox.responses import json_response


class WhopControl:
    """What other processes may see and change."""

    def __init__(self, part: WhopPart) -> None:
        self.part = part
        self.verbs: dict[str, Callable[..., Any]] = {
            "buy": self._buy,
            "settle": part.settle,
            "cancel": part.cancel_at_period_end,
            "expire": part.expire,
            "past_due": part.past_due,
            "move_plan": part.move_plan,
            "refund": part.refund,
            "dispute": part.dispute,
            "close_dispute": part.close_dispute,
            "hook": self._hook,
            "permissions": self._permissions,
            "revoke": self._revoke,
        }

    def routes(self) -> list[Route]:
        """The routes of this part of the control panel."""
        return [
            Route("/_sandbox/whop/{profile}/totals", self.totals),
            Route("/_sandbox/whop/{profile}/{verb}", self.change, methods=["POST"]),
        ]

    async def totals(self, request: Request) -> Response:
        """The truth of one account: a list of days and currencies, amounts in micros."""
        profile = request.path_params["profile"]
        if profile not in self.part:
            return json_response({"error": f"no profile {profile}"}, 404)
        found = self.part.totals(profile).items()
        return json_response(
            [{"day": day, "currency": currency, **figures._asdict()} for (day, currency), figures in found]
        )

    async def change(self, request: Request) -> Response:
        """Something happens to an account: one of ``verbs``, with its arguments as a JSON object."""
        profile, verb = request.path_params["profile"], request.path_params["verb"]
        if profile not in self.part or verb not in self.verbs:
            return json_response({"error": f"no profile {profile} or no {verb}", "verbs": sorted(self.verbs)}, 404)
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        for name in {"at", "created"} & wish.keys():
            wish[name] = datetime.fromisoformat(wish[name])
        try:
            return json_response(self.verbs[verb](profile, **wish))
        except (KeyError, StopIteration, TypeError, ValueError) as error:
            return json_response({"error": f"{type(error).__name__}: {error}"}, 400)

    def _buy(self, profile: str, **wish: Any) -> dict[str, Any]:
        membership, payment = self.part.buy(profile, **wish)
        return {"membership": membership, "payment": payment}

    def _hook(self, profile: str, url: str, secret: str) -> dict[str, Any]:
        """Send what happens to ``url``, signed with ``secret``."""
        self.part[profile].hooks[url] = secret
        return {"hooks": sorted(self.part[profile].hooks)}

    def _permissions(self, profile: str, permissions: list[str]) -> dict[str, Any]:
        self.part[profile].permissions = set(permissions)
        return {"permissions": sorted(permissions)}

    def _revoke(self, profile: str) -> dict[str, Any]:
        self.part[profile].revoked = True
        return {"revoked": True}
