"""``/_sandbox/totals/…`` and ``/_sandbox/gumroad/…``: the truth of each seller, and what can be made to happen."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from creator_pipeline.platforms.gumroad.sandbox.api import GumroadApi
from creator_pipeline.platforms.gumroad.sandbox.changes import SandboxError
from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart
from creator_pipeline.platforms.gumroad.sandbox.payouts import Payout
from creator_pipeline.platforms.gumroad.sandbox.shapes import Sale
from creator_pipeline.sandbox.responses import json_response, not_found

SWITCHES = {
    "legacy": (True, False),
    "cursor_by_id": (True, False),
    "has_summary": (True, False),
    "payouts_server": ("2026", "2025", "none"),
    "unknown_route": ("id", "page"),
}
"""Attributes of the API that can be set, and to what."""


class GumroadControl:
    """What other processes may see and change."""

    def __init__(self, part: GumroadPart, api: GumroadApi) -> None:
        self.part, self.api = part, api

    def routes(self) -> list[Route]:
        """The routes of this part of the control panel."""
        return [
            Route("/_sandbox/totals/{profile}", self.totals),
            Route("/_sandbox/gumroad/advance", self.advance, methods=["POST"]),
            Route("/_sandbox/gumroad/switches", self.switch, methods=["POST"]),
            Route("/_sandbox/gumroad/{profile}/books", self.books),
            Route("/_sandbox/gumroad/{profile}/{verb}", self.change, methods=["POST"]),
        ]

    async def totals(self, request: Request) -> Response:
        """The truth of one profile by UTC day, in US cents."""
        profile = request.path_params["profile"]
        if profile not in self.part:
            return json_response({"error": f"no profile {profile}"}, 404)
        totals = self.part.totals(profile)
        return json_response({day.isoformat(): figures._asdict() for day, figures in totals.items()})

    async def books(self, request: Request) -> Response:
        """The truth of one profile's money: balance, payouts with their parts, sales, days."""
        profile = request.path_params["profile"]
        if profile not in self.part:
            return json_response({"error": f"no profile {profile}"}, 404)
        return json_response(self.part.truth(profile))

    async def advance(self, request: Request) -> Response:
        """Lets ``{"days": 1}`` days pass for all sellers."""
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        return json_response({"today": self.part.advance(int(wish.get("days", 1)))})

    async def switch(self, request: Request) -> Response:
        """Makes the service an older one, or today's: ``{"payouts_server": "2025"}``."""
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        for name, value in wish.items():
            if value not in SWITCHES.get(name, ()):
                return json_response({"error": f"{name} can't be {value}"}, 400)
        for name, value in wish.items():
            setattr(self.api, name, value)
        return json_response({"ok": True})

    async def change(self, request: Request) -> Response:
        """Something happens to a seller; the verbs are methods of the part, their arguments a JSON object."""
        profile, verb = request.path_params["profile"], request.path_params["verb"]
        if profile not in self.part:
            return json_response({"error": f"no profile {profile}"}, 404)
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        if "created_at" in wish:
            wish["created_at"] = datetime.fromisoformat(wish["created_at"])
        verbs = {
            "sales": self.part.add_sale,
            "refund": self.part.refund,
            "fail_refund": self.part.fail_refund,
            "write_off": self.part.write_off,
            "dispute": self.part.dispute,
            "win_dispute": self.part.win_dispute,
            "credit": self.part.credit,
            "earn": self.part.earn,
            "unearn": self.part.unearn,
            "instant_payout": self.part.instant_payout,
            "return_payout": self.part.return_payout,
            "pause": self.part.pause,
            "revoke": self.part.revoke,
            "drop_scope": self.part.drop_scope,
            "remove_row": self.part.remove_row,
            "edit_row": self.part.edit_row,
            "add_row": self.part.add_row,
            "end_membership": self.part.end_membership,
        }
        if verb not in verbs:
            return not_found()
        try:
            made = verbs[verb](profile, **wish)
        except (SandboxError, TypeError) as error:
            return json_response({"error": str(error)}, 400)
        return json_response(_told(made))


def _told(made: Sale | Payout | int | None) -> dict[str, Any]:
    if isinstance(made, Sale):
        return {key: value for key, value in asdict(made).items() if key != "head"}
    if isinstance(made, Payout):
        return {"id": made.id, "status": made.status}
    return {"ok": True} if made is None else {"number": made}
