"""``/_sandbox/…``: what other processes may see and change, and a page that lists it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.sandbox.responses import json_response
from creator_pipeline.sandbox.stand_in import Service
from creator_pipeline.sandbox.world import World


class Control:
    """The sandbox's own routes, and those that the platforms' services add to them."""

    def __init__(self, world: World, faults: Faults, services: Sequence[Service]) -> None:
        self._world, self._faults, self._services = world, faults, services

    def routes(self) -> list[Route]:
        """All control routes, and the page that lists them."""
        return [
            Route("/", self.index),
            Route("/_sandbox/world", self.world),
            Route("/_sandbox/requests", self.requests),
            Route("/_sandbox/faults", self.set_faults, methods=["POST"]),
            *(route for service in self._services for route in service.control_routes()),
        ]

    def _told(self) -> dict[str, Any]:
        entries = (service.world() for service in self._services)
        return {"today": self._world.today} | {key: value for entry in entries for key, value in entry.items()}

    async def index(self, _request: Request) -> Response:
        """A plain page of what there is."""
        told = self._told()
        rows = "".join(
            f"<li>{html.escape(f'{stand_in.name}, {account.profile_id}: {account.size}')}, "
            f"token <code>{html.escape(account.token)}</code></li>"
            for stand_in in self._world.stand_ins
            if stand_in.accounts
            for account in stand_in.accounts(told)
        )
        paths = "".join(f"<li><code>{html.escape(route.path)}</code></li>" for route in self.routes())
        where = "".join(f"{html.escape(one.where)}. " for one in self._world.stand_ins if one.where)
        title = "Sandbox of creator_pipeline"
        text = f"<!DOCTYPE html><title>{title}</title><h1>{title}</h1><p>Invented data of {self._world.today}. {where}"
        text += "Mails are in the <a href='/inbox'>inbox</a>.</p>"
        return HTMLResponse(f"{text}<ul>{rows}</ul><ul>{paths}</ul>")

    async def world(self, _request: Request) -> Response:
        """The day, and what each platform tells of itself: its accounts, with tokens."""
        return json_response(self._told())

    async def requests(self, _request: Request) -> Response:
        """What was asked so far."""
        return json_response({"requests": self._faults.requests, "throttled": self._faults.throttled})

    async def set_faults(self, request: Request) -> Response:
        """Replaces all faults: ``{"every": {"7": "429"}, "path": "/v2/", "limit_per_minute": 120, …}``."""
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        every = cast("dict[str, str]", wish.pop("every", {}))
        path = str(wish.pop("path", "/v2/"))
        limits = {name: wish.pop(name) for name in ("limit_per_minute", "limit_per_second") if name in wish}
        plain = {"retry_after", "retry_after_as_date", "delay", "slow_window_days"}
        if unknown := set(wish) - plain:
            return json_response({"error": f"unknown: {', '.join(sorted(unknown))}"}, 400)
        self._faults.clear()
        try:
            for n, kind in every.items():
                self._faults.every(int(n), kind, path=path)
        except ValueError as error:
            return json_response({"error": str(error)}, 400)
        for name, count in limits.items():
            getattr(self._faults, name)(int(count))
        for name, value in wish.items():
            setattr(self._faults, name, value)
        return json_response({"ok": True})
