"""Kept connections to one server, by libcurl: what a page costs the processor is what a large load takes.

httpx takes five times as long for the same request (benchmarks/http_client.py), and a load of ten thousand pages is
mostly requests. Nothing is followed, kept or added here: no redirects, no cookies, no ``.netrc``. The usual
``http_proxy`` and ``no_proxy`` count, and ``SSL_CERT_FILE``.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import certifi

_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]")
CONNECT_SECONDS = 5
SILENT_SECONDS = 30
"""Without a byte of the answer."""
WAIT_MS = 1000
"""Between two looks at a signal that came while an answer is waited for."""
READ_BYTES = 128 * 1024
"""Taken from a connection at once: a page in one piece, where libcurl's 16 KiB would make two or three."""


class Response(NamedTuple):
    """One answer, unzipped.

    ``headers`` has ``content-type`` and ``retry-after`` alone, of errors (400 and more); the latter in whole seconds
    and where it is more than none. To be called for each line would cost a page a tenth of its time.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


class ConnectionFailedError(Exception):
    """No whole answer came: the text says why, without the address."""


class TooLargeError(Exception):
    """The answer, unzipped, is larger than allowed."""


class _Handle:
    """A connection of libcurl's; answers are collected here, so one request at a time."""

    def __init__(self) -> None:
        import pycurl

        # Of its own, for the one request: so that it can be sent now and answered later.
        self._multi = pycurl.CurlMulti()
        self.curl = curl = pycurl.Curl()
        self.lines: Sequence[str] = ()
        self._parts: list[bytes] = []
        self._room = 0
        self._busy = False
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.ACCEPT_ENCODING, "gzip, deflate")
        curl.setopt(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_SECONDS)
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, SILENT_SECONDS)
        curl.setopt(pycurl.BUFFERSIZE, READ_BYTES)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)

    def set_lines(self, lines: Sequence[str]) -> None:
        """The request's headers."""
        import pycurl

        if lines is not self.lines:
            self.curl.setopt(pycurl.HTTPHEADER, list(lines))
            self.lines = lines

    def _write(self, part: bytes) -> int | None:
        self._room -= len(part)
        if self._room < 0:
            return -1
        self._parts.append(part)
        return None

    def begin(self, seconds: float, most_bytes: int) -> None:
        """Send the request that the handle is set to, as far as that goes without waiting."""
        import pycurl

        self._parts.clear()
        self._room = most_bytes
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        self._multi.add_handle(self.curl)
        _, self._busy = self._multi.perform()

    def finish(self) -> Response:
        """Wait for the answer to the request that was begun."""
        import pycurl

        multi = self._multi
        while self._busy:
            timer = multi.timeout()
            if not multi.select(min(timer, WAIT_MS) / 1000 if timer >= 0 else WAIT_MS / 1000):
                # Nothing to wait for yet: a name being looked up, or a descriptor too high for select().
                time.sleep(0.001)
            _, self._busy = multi.perform()
        _, _, failed = multi.info_read()
        multi.remove_handle(self.curl)
        if failed:
            if self._room < 0:
                raise TooLargeError
            raise ConnectionFailedError(_reason(failed[0][1]))
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return Response(status, self._headers() if status >= 400 else {}, b"".join(self._parts))

    def drop(self) -> None:
        """Give up what was begun; its connection is closed."""
        if self.curl in self._multi:
            self._multi.remove_handle(self.curl)

    def close(self) -> None:
        """Close the connection."""
        self.drop()
        self.curl.close()
        self._multi.close()

    def _headers(self) -> dict[str, str]:
        import pycurl

        told = {
            "content-type": self.curl.getinfo(pycurl.CONTENT_TYPE),
            "retry-after": self.curl.getinfo(pycurl.RETRY_AFTER),  # pyright: ignore[reportAttributeAccessIssue] - newer than its stubs
        }
        return {name: str(value) for name, value in told.items() if value}


class Sent:
    """A request under way: either :meth:`answer` or :meth:`drop` must be called, once, by whichever thread."""

    def __init__(self, handle: _Handle, give_back: Callable[[_Handle], None]) -> None:
        self._handle = handle
        self._give_back = give_back

    def answer(self) -> Response:
        """Wait for it.

        Raises:
            ConnectionFailedError: no whole answer came.
            TooLargeError: it is larger than it may be.
        """
        try:
            return self._handle.finish()
        finally:
            self.drop()

    def drop(self) -> None:
        """Nobody wants the answer."""
        self._handle.drop()
        self._give_back(self._handle)


class Connections:
    """At most ``most`` connections, opened when they are needed. Safe to share between threads.

    Args:
        base_url: every request goes to a path below it.
        headers: of every request.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str], *, most: int) -> None:
        self._base = base_url.rstrip("/")
        # The one used last is taken first: the others' servers may have hung up meanwhile.
        self._idle: queue.LifoQueue[_Handle | None] = queue.LifoQueue()
        for _ in range(most):
            self._idle.put(None)
        self._lock = threading.Lock()
        self._closed = False
        self._headers = dict(headers)
        self._lines = self._made_lines()

    def set_header(self, name: str, value: str) -> None:
        """Of requests from now on."""
        with self._lock:
            self._headers = self._headers | {name: value}
            self._lines = self._made_lines()

    def _made_lines(self) -> Sequence[str] | None:
        """The headers as they are sent; None where one would be two."""
        lines = tuple(f"{name}: {value}" for name, value in self._headers.items())
        return None if any(_UNSENDABLE.search(line) for line in lines) else lines

    def send(self, method: str, target: str, form: str | None = None, *, seconds: float, most_bytes: int) -> Sent:
        """Send one request, once; blocks while all connections are in use.

        Args:
            target: path and query.
            form: an urlencoded body.
            seconds: for the whole of it.
            most_bytes: of the answer, unzipped.

        Raises:
            ConnectionFailedError: the connections are closed.
            ValueError: a header that would be two.
        """
        import pycurl

        lines = self._lines
        if lines is None:
            raise ValueError("A header has a control character in it.")
        handle = self._idle.get()
        try:
            if self._closed:
                raise ConnectionFailedError("closed")
            handle = handle or _Handle()
            curl = handle.curl
            curl.setopt(pycurl.URL, self._base + target)
            curl.setopt(pycurl.CUSTOMREQUEST, method)
            if form is None:
                curl.setopt(pycurl.HTTPGET, 1)
            else:
                curl.setopt(pycurl.POSTFIELDS, form)
            handle.set_lines(lines)
            handle.begin(seconds, most_bytes)
        except BaseException:
            if handle is not None:
                handle.drop()
            self._give_back(handle)
            raise
        return Sent(handle, self._give_back)

    def _give_back(self, handle: _Handle | None) -> None:
        with self._lock:
            if self._closed and handle is not None:
                handle.close()
                handle = None
            # Also when closed: others may be waiting for it.
            self._idle.put(handle)

    def close(self) -> None:
        """Close the connections, those in use when they are free; nothing can be sent afterwards."""
        with self._lock:
            self._closed = True
            idle = [self._idle.get() for _ in range(self._idle.qsize())]
        for handle in idle:
            self._give_back(handle)


def _reason(code: object) -> str:
    """What libcurl calls an error, in words: its own text may hold the address."""
    import pycurl

    names = (name for name in dir(pycurl) if name.startswith("E_") and getattr(pycurl, name) == code)
    return next((name[2:].replace("_", " ").lower() for name in names), f"curl {code}")
