"""Heads: bounded in size, whatever comes before or after them."""

from __future__ import annotations

import socket

import pytest

from creator_pipeline.gateway import server
from creator_pipeline_tests.support.gateway import Gateway

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST /webhooks/whop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def sent(gateway: Gateway, begin: bytes, filling: bytes, most: int) -> tuple[int, bytes]:
    """Bytes that could be sent until the other side hung up, and what it said."""
    taken, said = 0, b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        try:
            raw.sendall(begin)
            while taken < most:
                taken += raw.send(filling)
        except OSError:
            pass
        try:
            while part := raw.recv(4000):
                said += part
        except OSError:
            pass
    return taken, said


@pytest.mark.parametrize(
    ("begin", "filling"),
    [
        (GET + b"X-A: ", b"a" * 65_536),
        (GET, b"X-A: b\r\n" * 8_000),
        (b"GET /", b"a" * 65_536),
        (GET + b"\r\n" + GET + b"X-A: ", b"a" * 65_536),
        (CHUNKED + b"1\r\na\r\n0\r\nX-A: ", b"a" * 65_536),
        (CHUNKED + b"1;", b"a" * 65_536),
    ],
    ids=["a long header", "many headers", "a long address", "a second head", "a trailer", "an extension of a chunk"],
)
def test_a_head_without_end_is_hung_up_on(shared: Gateway, begin: bytes, filling: bytes):
    """Guards: two hundred megabytes of one header kept in memory, four times at once."""
    most = 64 << 20
    taken, _ = sent(shared, begin, filling, most)
    assert taken < most // 4


def test_a_head_that_is_too_large_is_told_so_and_one_that_is_not_passes(shared: Gateway):
    """Guards: a connection that ends without a word; and a long cookie refused."""
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as raw:
        raw.sendall(GET + b"X-A: " + b"a" * (server.HEAD_BYTES + 40_000) + b"\r\n\r\n")
        assert raw.recv(400).startswith(b"HTTP/1.1 431")
    assert shared.http.get("/healthz", headers={"X-A": "a" * (server.HEAD_BYTES - 2_000)}).status_code == 200


def test_requests_that_are_piled_up_on_a_connection_are_hung_up_on(shared: Gateway):
    """Guards: a hundred thousand requests waiting in memory for the answer of the first."""
    taken, said = sent(shared, b"", (GET + b"\r\n") * 2_000, 64 << 20)
    assert taken < 16 << 20
    assert said.count(b"HTTP/1.1 200") < 2_000


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/uploads/kdp", "/assets/style.css", "/me"])
def test_head_and_options_answer_like_get(shared: Gateway, path: str):
    """Guards: a monitor that asks by HEAD, and is told that the gateway is broken."""
    told, head, options = (shared.http.request(method, path) for method in ("GET", "HEAD", "OPTIONS"))
    assert (head.status_code, head.content) == (told.status_code, b"")
    assert head.headers["content-type"] == told.headers["content-type"]
    assert (options.status_code, options.content) == (200, b"")
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["allow"].split(", "))
    assert shared.http.head("/nothing").status_code == 404
    assert shared.http.head("/webhooks/whop").status_code == 405
