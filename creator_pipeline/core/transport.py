"""A pool of connections to one server, by libcurl: what a page costs the processor is what a large load takes.

httpx takes five times as long for the same request (benchmarks/http_client.py), and a load of ten thousand pages is
mostly requests. Nothing is followed, remembered or added here: no redirects, no cookies, no ``.netrc``. The usual
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

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
CONNECT_SECONDS = 5
SILENT_SECONDS = 30
"""Without a byte of the response."""
MAX_WAIT_MS = 1000
"""The longest wait inside libcurl: within it, a signal that arrives is handled."""
READ_BYTES = 128 * 1024
"""Taken from a connection at once: a page in one piece, where libcurl's 16 KiB would make two or three."""


class Response(NamedTuple):
    """One response, decompressed.

    Attributes:
        headers: of errors (400 and more) ``content-type`` and ``retry-after``, the latter in whole seconds where it is
            more than none; else nothing. A call for each header line would cost a page a tenth of its time.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


class ConnectionFailedError(Exception):
    """The response did not arrive whole; the text says why, without the address."""


class TooLargeError(Exception):
    """The response, decompressed, is larger than allowed."""


class Connection:
    """One connection of a pool, for one request at a time.

    After :meth:`send` either :meth:`receive` or :meth:`release` must be called, once, from any thread.

    Args:
        give_back: puts the connection back into its pool.
    """

    def __init__(self, give_back: Callable[[Connection], None]) -> None:
        import pycurl

        self._give_back = give_back
        # A CurlMulti for the one request: so that it can be sent now and received later.
        self._multi = pycurl.CurlMulti()
        self._curl = curl = pycurl.Curl()
        self._header_lines: Sequence[str] = ()
        self._parts: list[bytes] = []
        self._bytes_left = 0
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

    def send(
        self, method: str, url: str, header_lines: Sequence[str], form: str | None, *, seconds: float, max_bytes: int
    ) -> None:
        """Send a request, as far as that goes without waiting.

        Args:
            header_lines: the same object again costs nothing.
            form: an urlencoded body; None for a request without one.
            seconds: allowed for the whole request.
            max_bytes: allowed for the response, decompressed.
        """
        import pycurl

        curl = self._curl
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        if form is None:
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POSTFIELDS, form)
        if header_lines is not self._header_lines:
            curl.setopt(pycurl.HTTPHEADER, list(header_lines))
            self._header_lines = header_lines
        self._parts.clear()
        self._bytes_left = max_bytes
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        self._multi.add_handle(curl)
        _, self._busy = self._multi.perform()

    def receive(self) -> Response:
        """Wait for the response to the request that was sent, then give the connection back.

        Raises:
            ConnectionFailedError: the response did not arrive whole.
            TooLargeError: the response is larger than allowed.
        """
        try:
            return self._receive()
        finally:
            self.release()

    def release(self) -> None:
        """Give the connection back to its pool; a request that has no response yet is aborted."""
        self._abort()
        self._give_back(self)

    def close(self) -> None:
        """Close the connection."""
        self._abort()
        self._curl.close()
        self._multi.close()

    def _abort(self) -> None:
        if self._curl in self._multi:
            self._multi.remove_handle(self._curl)

    def _write(self, part: bytes) -> int | None:
        self._bytes_left -= len(part)
        if self._bytes_left < 0:
            return -1
        self._parts.append(part)
        return None

    def _receive(self) -> Response:
        import pycurl

        multi = self._multi
        while self._busy:
            timer = multi.timeout()
            if not multi.select(min(timer, MAX_WAIT_MS) / 1000 if timer >= 0 else MAX_WAIT_MS / 1000):
                # Nothing to wait for yet: a name being looked up, or a descriptor too high for select().
                time.sleep(0.001)
            _, self._busy = multi.perform()
        _, _, failed = multi.info_read()
        multi.remove_handle(self._curl)
        if failed:
            if self._bytes_left < 0:
                raise TooLargeError
            raise ConnectionFailedError(_reason(failed[0][1]))
        status = self._curl.getinfo(pycurl.RESPONSE_CODE)
        return Response(status, self._response_headers() if status >= 400 else {}, b"".join(self._parts))

    def _response_headers(self) -> dict[str, str]:
        import pycurl

        headers = {
            "content-type": self._curl.getinfo(pycurl.CONTENT_TYPE),
            "retry-after": self._curl.getinfo(pycurl.RETRY_AFTER),  # pyright: ignore[reportAttributeAccessIssue] - newer than its stubs
        }
        return {name: str(value) for name, value in headers.items() if value}


class ConnectionPool:
    """At most ``size`` connections to one server, opened when they are needed. Safe to share between threads.

    Args:
        base_url: every request goes to a path below it.
        headers: of every request.
        size: of the pool; a request waits while all connections are in use.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str], *, size: int) -> None:
        self._base_url = base_url.rstrip("/")
        # The one used last is taken first: the others' servers may have hung up meanwhile.
        self._idle: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(None)
        self._lock = threading.Lock()
        self._closed = False
        self._headers = dict(headers)
        self._header_lines = self._format_headers()

    def set_header(self, name: str, value: str) -> None:
        """Change a header of the requests from now on."""
        with self._lock:
            self._headers = self._headers | {name: value}
            self._header_lines = self._format_headers()

    def _format_headers(self) -> Sequence[str] | None:
        """The headers as lines; None where a control character would make two headers of one."""
        lines = tuple(f"{name}: {value}" for name, value in self._headers.items())
        return None if any(_CONTROL_CHARACTERS.search(line) for line in lines) else lines

    def send(self, method: str, target: str, form: str | None = None, *, seconds: float, max_bytes: int) -> Connection:
        """Send one request, once; blocks while all connections are in use.

        Args:
            target: path and query.
            form: an urlencoded body; None for a request without one.
            seconds: allowed for the whole request.
            max_bytes: allowed for the response, decompressed.

        Returns:
            The connection to receive the response from.

        Raises:
            ConnectionFailedError: the pool is closed.
            ValueError: a header has a control character in it.
        """
        header_lines = self._header_lines
        if header_lines is None:
            raise ValueError("A header has a control character in it.")
        connection = self._idle.get()
        try:
            if self._closed:
                raise ConnectionFailedError("closed")
            connection = connection or Connection(self._give_back)
            connection.send(method, self._base_url + target, header_lines, form, seconds=seconds, max_bytes=max_bytes)
        except BaseException:
            if connection is None:
                self._give_back(None)
            else:
                connection.release()
            raise
        return connection

    def _give_back(self, connection: Connection | None) -> None:
        with self._lock:
            if self._closed and connection is not None:
                connection.close()
                connection = None
            # Also when closed: another thread may be waiting for it.
            self._idle.put(connection)

    def close(self) -> None:
        """Close the connections, those in use when they are given back; nothing can be sent afterwards."""
        with self._lock:
            self._closed = True
            idle = [self._idle.get() for _ in range(self._idle.qsize())]
        for connection in idle:
            self._give_back(connection)


def _reason(code: object) -> str:
    """The name of an error of libcurl, in words: its own text may hold the address."""
    import pycurl

    names = (name for name in dir(pycurl) if name.startswith("E_") and getattr(pycurl, name) == code)
    return next((name[2:].replace("_", " ").lower() for name in names), f"curl {code}")
