"""The server: uvicorn, with bounds on the time and the size that a request's head may take."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 32 * 1024
"""Of a request beside its body: address and headers, framing, trailers. nginx takes as much by default."""
MAX_PIPELINED = 32
"""Requests of a connection that wait for an answer to the one before them."""
_PIECE = 16 * 1024
_FRAMING = 16
"""Bytes around a piece of a chunked body."""
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s"
)
_TOO_LARGE_BODY = (
    b'{"error":{"code":"head_too_large","message":"The request\'s head is larger than %d KiB.",'
    b'"hint":"Send fewer or shorter headers."}}' % (HEAD_BYTES // 1024)
)
GRACE_SECONDS = 30


class BoundedProtocol(HttpToolsProtocol):
    """Hangs up where a head doesn't come or doesn't end: uvicorn itself waits for ever, and keeps all of it."""

    _beside_body = 0

    def connection_made(self, transport: Any) -> None:
        """A connection: its first head is awaited."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Bytes of a head or a body."""
        cycle: Any = self.cycle
        if self._head_timer is None and (cycle is None or cycle.response_complete):
            self._await_head()
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            self._beside_body += len(piece)
            super().data_received(piece)
            if self.transport.is_closing():
                return
            if self._beside_body > HEAD_BYTES or len(self.pipeline) > MAX_PIPELINED:
                self._refuse()
                return

    def on_body(self, body: bytes) -> None:
        """A piece of a body: it has a bound of its own."""
        self._beside_body = max(0, self._beside_body - len(body) - _FRAMING)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request: the next one's head begins."""
        self._beside_body = 0
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._stop_timer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stop_timer()
        super().connection_lost(exc)

    def _refuse(self) -> None:
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.write(_TOO_LARGE % (len(_TOO_LARGE_BODY), _TOO_LARGE_BODY))
        # In the middle of an answer another one would only spoil it.
        self.transport.close()

    def _await_head(self) -> None:
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def uvicorn_config(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """Logs are the application's own."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def serve(app: FastAPI, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT: requests in flight finish, what was accepted is written."""
    # uvicorn raises the signal once more when it is done; the default handler would make that a failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(uvicorn_config(app, host, port)).run()
