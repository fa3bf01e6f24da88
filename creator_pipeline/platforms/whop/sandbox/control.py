"""``/_sandbox/whop/…``: the truth of each Whop account, and what can be made to happen to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from creator_pipeline.platforms.whop.sandbox import truth
from creator_pipeline.platforms.whop.sandbox.api import WhopApi
from creator_pipeline.platforms.whop.sandbox.data import WhopPart
from creator_pipeline.sandbox.responses import json_response


class WhopControl:
    """What other processes may see and change."""

    def __init__(self, part: WhopPart, api: WhopApi) -> None:
        self.part, self.api = part, api
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
            "fail_refund": part.fail_refund,
            "alert": part.alert,
            "edit_row": part.edit_row,
            "remove_row": part.remove_row,
            "post": part.post,
            "earn": part.earn,
            "top_up": part.top_up,
            "reserve": part.reserve,
            "release": part.release,
            "convert": part.convert,
            "pay_out": part.pay_out,
            "move_payout": part.move_payout,
            "advance": self._advance,
            "read_as": self._read_as,
            "without": self._without,
            "hook": self._hook,
            "permissions": self._permissions,
            "revoke": self._revoke,
        }

    def routes(self) -> list[Route]:
        """The routes of this part of the control panel."""
        return [
            Route("/_sandbox/whop/{profile}/totals", self.totals),
            Route("/_sandbox/whop/{profile}/books", self.books),
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

    async def books(self, request: Request) -> Response:
        """The books of one account now: balances, lines by word, by meaning and by payment, payouts."""
        profile = request.path_params["profile"]
        if profile not in self.part:
            return json_response({"error": f"no profile {profile}"}, 404)
        return json_response(truth.as_json(self.part.books(profile)))

    async def change(self, request: Request) -> Response:
        """Something happens to an account: one of ``verbs``, with its arguments as a JSON object."""
        profile, verb = request.path_params["profile"], request.path_params["verb"]
        if profile not in self.part or verb not in self.verbs:
            return json_response({"error": f"no profile {profile} or no {verb}", "verbs": sorted(self.verbs)}, 404)
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        for name in {"at", "created"} & wish.keys():
            wish[name] = datetime.fromisoformat(wish[name])
        try:
            return json_response(_told(self.verbs[verb](profile, **wish)))
        except (KeyError, StopIteration, TypeError, ValueError) as error:
            return json_response({"error": f"{type(error).__name__}: {error}"}, 400)

    def _advance(self, _profile: str, days: int = 1) -> dict[str, list[str]]:
        """Days pass, in all accounts; the payouts that were touched."""
        return self.part.advance(days)

    def _read_as(self, _profile: str, **readings: Any) -> dict[str, Any]:
        """Play what isn't documented in another way, in all accounts."""
        self.part.read_as(**readings)
        return {name: _told(value) for name, value in asdict(self.part.readings).items()}

    def _without(self, _profile: str, lists: list[str]) -> dict[str, Any]:
        """The server lacks these lists: an older dialect."""
        self.api.without = frozenset(lists)
        return {"without": sorted(lists)}

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


def _told(value: Any) -> Any:
    """What a verb returns, as JSON can hold it."""
    if is_dataclass(value) and not isinstance(value, type):
        return _told(asdict(value))
    if isinstance(value, dict):
        return {key: _told(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, (list, tuple, frozenset)):
        return [_told(one) for one in cast("list[Any]", value)]
    return f"{value:f}" if isinstance(value, Decimal) else value
