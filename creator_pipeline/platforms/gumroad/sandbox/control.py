"""``/_sandbox/totals/…`` and ``/_sandbox/gumroad/…``: the truth of each seller, and what can be made to happen."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart, SandboxError
from creator_pipeline.sandbox.responses import json_response, not_found


class GumroadControl:
    """What other processes may see and change."""

    def __init__(self, part: GumroadPart) -> None:
        self.part = part

    def routes(self) -> list[Route]:
        """The routes of this part of the control panel."""
        return [
            Route("/_sandbox/totals/{profile}", self.totals),
            Route("/_sandbox/gumroad/{profile}/{verb}", self.change, methods=["POST"]),
        ]

    async def totals(self, request: Request) -> Response:
        """The truth of one profile by UTC day, in US cents."""
        profile = request.path_params["profile"]
        if profile not in self.part:
            return json_response({"error": f"no profile {profile}"}, 404)
        totals = self.part.totals(profile)
        return json_response({day.isoformat(): figures._asdict() for day, figures in totals.items()})

    async def change(self, request: Request) -> Response:
        """Something happens to a seller: ``sales``, ``refund``, ``dispute``, ``win_dispute``, ``revoke``."""
        profile, verb = request.path_params["profile"], request.path_params["verb"]
        if profile not in self.part:
            return json_response({"error": f"no profile {profile}"}, 404)
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        if "created_at" in wish:
            wish["created_at"] = datetime.fromisoformat(wish["created_at"])
        verbs = {
            "sales": self.part.add_sale,
            "refund": self.part.refund,
            "dispute": self.part.dispute,
            "win_dispute": self.part.win_dispute,
            "revoke": self.part.revoke,
        }
        if verb not in verbs:
            return not_found()
        try:
            sale = verbs[verb](profile, **wish)
        except (SandboxError, TypeError) as error:
            return json_response({"error": str(error)}, 400)
        return json_response(
            {key: value for key, value in asdict(sale).items() if key != "head"} if sale else {"ok": True}
        )
