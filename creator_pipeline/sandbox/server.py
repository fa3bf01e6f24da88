"""The sandbox as a server: the platforms' routes, the faults before them, and routes to change the world by."""

from __future__ import annotations

import asyncio
import html
import socket
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from creator_pipeline.platforms.gumroad.sandbox.api import GumroadApi, not_found
from creator_pipeline.platforms.gumroad.sandbox.data import SandboxError
from creator_pipeline.platforms.gumroad.sandbox.oauth import CLIENT_ID, CLIENT_SECRET, OAuth
from creator_pipeline.platforms.gumroad.sandbox.pings import PingSender
from creator_pipeline.platforms.whop.sandbox.api import PREFIX as WHOP_PREFIX
from creator_pipeline.platforms.whop.sandbox.api import WhopApi
from creator_pipeline.platforms.whop.sandbox.control import WhopControl
from creator_pipeline.platforms.whop.sandbox.webhooks import WebhookSender
from creator_pipeline.sandbox.data import World
from creator_pipeline.sandbox.faults import FaultMiddleware, Faults
from creator_pipeline.sandbox.resend import ResendApi


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), status, media_type="application/json")


class Control:
    """``/_sandbox/…``: what other processes may see and change."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world, self.faults = world, faults

    def routes(self) -> list[Route]:
        """The routes of the control panel, and the page that lists them."""
        post = ["POST"]
        return [
            Route("/", self.index),
            Route("/_sandbox/world", self.tokens),
            Route("/_sandbox/requests", self.requests),
            Route("/_sandbox/faults", self.set_faults, methods=post),
            Route("/_sandbox/totals/{profile}", self.totals),
            Route("/_sandbox/gumroad/{profile}/{verb}", self.change, methods=post),
            *WhopControl(self.world.whop).routes(),
        ]

    async def index(self, _request: Request) -> Response:
        """A plain page of what there is."""
        rows = "".join(
            f"<li>{html.escape(s.profile)}: {len(s.rows)} sales, token <code>{s.token}</code></li>"
            for s in self.world.gumroad.values()
        )
        paths = "".join(f"<li><code>{html.escape(route.path)}</code></li>" for route in self.routes())
        title = "Sandbox of creator_pipeline"
        text = f"<!DOCTYPE html><title>{title}</title><h1>{title}</h1><p>Invented data of {self.world.today}."
        text += f" Gumroad's API v2 is under <code>/v2</code>, Whop's under <code>{WHOP_PREFIX}</code>;"
        text += " mails are in the <a href='/inbox'>inbox</a>.</p>"
        return HTMLResponse(f"{text}<ul>{rows}</ul><ul>{paths}</ul>")

    async def tokens(self, _request: Request) -> Response:
        """Who there is, with tokens, and the OAuth app."""
        sellers = {
            seller.profile: {
                "email": seller.email,
                "token": seller.token,
                "refresh_token": seller.refresh_token,
                "seller_id": seller.seller_id,
                "timezone": seller.timezone,
                "sales": len(seller.rows),
            }
            for seller in self.world.gumroad.values()
        }
        app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        accounts = {
            account.profile: {
                "account_id": account.id,
                "key": account.key,
                "memberships": len(account.tables["memberships"]),
                "payments": len(account.tables["payments"]),
            }
            for account in self.world.whop.values()
        }
        return _json({"today": self.world.today, "oauth": app, "gumroad": sellers, "whop": accounts})

    async def requests(self, _request: Request) -> Response:
        """What was asked so far."""
        return _json({"requests": self.faults.requests, "throttled": self.faults.throttled})

    async def totals(self, request: Request) -> Response:
        """The truth of one profile by UTC day, in US cents."""
        profile = request.path_params["profile"]
        if profile not in self.world.gumroad:
            return _json({"error": f"no profile {profile}"}, 404)
        totals = self.world.gumroad.totals(profile)
        return _json({day.isoformat(): figures._asdict() for day, figures in totals.items()})

    async def set_faults(self, request: Request) -> Response:
        """Replaces all faults: ``{"every": {"7": "429"}, "path": "/v2/", "limit_per_minute": 120, …}``."""
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        every = cast("dict[str, str]", wish.pop("every", {}))
        path = str(wish.pop("path", "/v2/"))
        limits = {name: wish.pop(name) for name in ("limit_per_minute", "limit_per_second") if name in wish}
        plain = {"retry_after", "retry_after_as_date", "delay", "slow_window_days"}
        if unknown := set(wish) - plain:
            return _json({"error": f"unknown: {', '.join(sorted(unknown))}"}, 400)
        self.faults.clear()
        try:
            for n, kind in every.items():
                self.faults.every(int(n), kind, path=path)
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        for name, count in limits.items():
            getattr(self.faults, name)(int(count))
        for name, value in wish.items():
            setattr(self.faults, name, value)
        return _json({"ok": True})

    async def change(self, request: Request) -> Response:
        """Something happens to a seller: ``sales``, ``refund``, ``dispute``, ``win_dispute``, ``revoke``."""
        profile, verb = request.path_params["profile"], request.path_params["verb"]
        part = self.world.gumroad
        if profile not in part:
            return _json({"error": f"no profile {profile}"}, 404)
        wish = cast("dict[str, Any]", orjson.loads(await request.body() or b"{}"))
        if "created_at" in wish:
            wish["created_at"] = datetime.fromisoformat(wish["created_at"])
        verbs = {
            "sales": part.add_sale,
            "refund": part.refund,
            "dispute": part.dispute,
            "win_dispute": part.win_dispute,
            "revoke": part.revoke,
        }
        if verb not in verbs:
            return not_found()
        try:
            sale = verbs[verb](profile, **wish)
        except (SandboxError, TypeError) as error:
            return _json({"error": str(error)}, 400)
        return _json({key: value for key, value in asdict(sale).items() if key != "head"} if sale else {"ok": True})


def build_app(
    world: World,
    faults: Faults,
    gumroad: GumroadApi | None = None,
    whop: WhopApi | None = None,
    resend: ResendApi | None = None,
) -> Starlette:
    """The ASGI application of one world.

    The fault ``reset`` needs the server's own connection, which ``uvicorn_config`` provides.
    """

    async def unknown(_request: Request, _error: Exception) -> Response:
        return not_found()

    api = gumroad or GumroadApi(world.gumroad, faults, OAuth(world.gumroad))
    return Starlette(
        routes=[
            *api.routes(),
            *(whop or WhopApi(world.whop)).routes(),
            *(resend or ResendApi(faults)).routes(),
            *Control(world, faults).routes(),
        ],
        middleware=[Middleware(FaultMiddleware, faults=faults)],
        exception_handlers={404: unknown},
    )


class _Connection(HttpToolsProtocol):
    """Hands the connection to the application, so that a fault can break it."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Head and body are two writes; without this the second waits 40 ms for the client's delayed ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}


def uvicorn_config(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Config:
    """A quiet server: faults are wanted here and not worth a line in a log."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_Connection,
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
    )


class SandboxServer(AbstractContextManager["SandboxServer"]):
    """Runs the sandbox in a thread of this process, on a free port of 127.0.0.1.

    Attributes:
        url, gumroad_url, whop_url, resend_url: where it answers, without a slash at the end.
        world, faults, gumroad, pings, whop, webhooks, resend: what it serves, to be changed while it runs.
    """

    def __init__(self, world: World, faults: Faults | None = None, *, ping_factor: float = 0.0) -> None:
        self.world = world
        self.faults = faults or Faults()
        self.oauth = OAuth(world.gumroad)
        self.gumroad = GumroadApi(world.gumroad, self.faults, self.oauth)
        self.whop = WhopApi(world.whop)
        self.resend = ResendApi(self.faults)
        self._ping_factor = ping_factor

    def __enter__(self) -> SandboxServer:
        """Starts, and returns once it answers."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = self.gumroad_url = self.resend_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.whop_url = f"{self.url}{WHOP_PREFIX}"
        app = build_app(self.world, self.faults, self.gumroad, self.whop, self.resend)
        self._server = uvicorn.Server(uvicorn_config(app))
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="sandbox", daemon=True)
        self.pings = PingSender(self.world.gumroad, self._ping_factor)
        self.webhooks = WebhookSender(self.world.whop, self._ping_factor)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.002)
        return self

    def _serve(self, listener: socket.socket) -> None:
        asyncio.run(self._server.serve(sockets=[listener]))

    def __exit__(self, *_: object) -> None:
        """Stops, and returns once the thread has ended."""
        self.pings.close()
        self.webhooks.close()
        self.resend.events.close()
        self._server.should_exit = True
        self._thread.join()
