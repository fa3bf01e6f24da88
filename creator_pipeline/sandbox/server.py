"""The sandbox as a server: the platforms' routes, the faults before them, and the control routes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from creator_pipeline.sandbox.control import Control
from creator_pipeline.sandbox.faults import FaultMiddleware, Faults
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.sandbox.responses import not_found
from creator_pipeline.sandbox.stand_in import Service
from creator_pipeline.sandbox.world import World


def build_app(
    world: World, faults: Faults, services: Mapping[str, Service] | None = None, resend: ResendApi | None = None
) -> Starlette:
    """The ASGI application of one world.

    The fault ``reset`` needs the server's own connection, which ``uvicorn_config`` provides.

    Args:
        world: what is served.
        faults: stand before the routes of the platforms and of Resend.
        services: of the world, by the stand-in's name; new ones where they are left out.
        resend: takes the mails; a new one where it is left out.
    """

    async def unknown(_request: Request, _error: Exception) -> Response:
        return not_found()

    served = list((world.services(faults) if services is None else services).values())
    return Starlette(
        routes=[
            *(route for service in served for route in service.routes()),
            *(resend or ResendApi(faults)).routes(),
            *Control(world, faults, served).routes(),
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


class _Server(uvicorn.Server):
    """Ends as soon as it is told to; uvicorn's own looks ten times a second whether it was."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn before it answers."""
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Called by uvicorn: returns when the server should end."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn at the end: it gives connections a tenth of a second, even where there are none."""
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for one in (*self.servers, *(sockets or ())):
            one.close()
        for server in self.servers:
            await server.wait_closed()

    def end(self) -> None:
        """From another thread, once it has started; it may have ended by itself."""
        self.should_exit = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._told.set)


def uvicorn_config(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Config:
    """A quiet server: faults are wanted here and not worth a line in a log.

    Args:
        app: of :func:`build_app`.
        host: address to listen on.
        port: 0 is any that is free.
    """
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

    Args:
        world: what is served.
        faults: switches of what goes wrong; new ones where they are left out.
        webhook_factor: scales the delays of the platforms' webhooks; 0 sends at once.

    Attributes:
        url: where it answers, without a slash at the end.
        world: may be changed while it runs.
        faults: may be changed while it runs.
        services: of the platforms, by the stand-in's name.
        resend: the stand-in of Resend.
    """

    def __init__(self, world: World, faults: Faults | None = None, *, webhook_factor: float = 0.0) -> None:
        self.world = world
        self.faults = faults or world.faults()
        self.services = world.services(self.faults)
        self.resend = ResendApi(self.faults)
        self._webhook_factor = webhook_factor

    def __enter__(self) -> Self:
        """Start, and return once it answers.

        Raises:
            RuntimeError: it did not start.
        """
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = build_app(self.world, self.faults, self.services, self.resend)
        self._server = _Server(uvicorn_config(app))
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="sandbox", daemon=True)
        for service in self.services.values():
            service.start_webhooks(self._webhook_factor)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.002)
        return self

    def _serve(self, listener: socket.socket) -> None:
        asyncio.run(self._server.serve(sockets=[listener]))

    def __exit__(self, *_: object) -> None:
        """Stop, and return once the thread has ended."""
        for service in self.services.values():
            service.close()
        self.resend.events.close()
        self._server.end()
        self._thread.join()
