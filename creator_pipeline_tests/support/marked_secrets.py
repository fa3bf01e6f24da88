"""Secrets that can be found again, a platform that quotes them, and what is searched for them."""

from __future__ import annotations

import base64
import logging
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import ClassVar
from urllib.parse import quote

import orjson

from creator_pipeline.core.logging import JsonLines

BUYER = "buyer-of-a-book@example.org"
REFUSALS = (400, 422, 403, 200, 404, 418, 502)


def marker() -> str:
    """Its core has no character that any encoding changes; what stands around it has many."""
    return f"m/+&={secrets.token_hex(10)}='\"<"


def core(marked: str) -> str:
    """The part that is looked for."""
    return marked[5:25]


class Quoting(BaseHTTPRequestHandler):
    """Refuses everything, each time in another way, and quotes the request in all of them."""

    numbers: ClassVar = count()
    bodies: ClassVar[list[str]] = []
    dead = False

    def answer(self) -> None:
        """One answer."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.startswith("/emails"):
            self.bodies.append(body.decode())
        said = f"{self.path} {self.headers} {body.decode(errors='replace')} {BUYER}"
        every = [said, base64.b64encode(said.encode()).decode(), quote(said), quote(said, safe=""), said.encode().hex()]
        text = " ".join(
            [said[:250], *every, said[::-1], *(base64.b64encode(v.encode()).decode() for v in self.headers.values())]
        )
        status = 401 if self.dead else REFUSALS[next(self.numbers) % len(REFUSALS)]
        told = orjson.dumps({"success": False, "message": text, "error": {"message": text, "type": "x"}, "name": "x"})
        if status in {418, 200}:
            told = orjson.dumps({"success": False, "message": text, "error": text, "statusCode": status})
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def quoting() -> Iterator[str]:
    """A platform's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quoting)
    # A connection that somebody opened and says nothing on must not be waited for.
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def needles(marked: Mapping[str, str]) -> dict[bytes, str]:
    """What must be found nowhere, and whose it is."""
    found: dict[bytes, str] = {}
    for name, text in marked.items():
        plain = text.encode()
        forms = [plain, plain[::-1], plain.hex().encode(), plain.hex().upper().encode()]
        for offset in range(3):
            whole = base64.b64encode(bytes(offset) + plain + bytes(3))
            forms.append(whole[-(-8 * offset // 6) : 8 * (offset + len(plain)) // 6])
        found |= dict.fromkeys(forms, name) | {form.replace(b"+", b"-").replace(b"/", b"_"): name for form in forms}
    return found


class Lines(logging.Handler):
    """All that is logged, down to DEBUG, as a plain text and as the gateway's JSON."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.unheard: tuple[str, ...] = ()
        self._json, self._plain = JsonLines(), logging.Formatter("%(name)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        if not record.name.startswith(self.unheard or ("-",)):
            self.lines += [self._json.format(record), self._plain.format(record)]
