"""Forms of senders who aren't known yet, and forms that are made to cost."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from creator_pipeline.gateway import multipart
from creator_pipeline_tests.support.gateway import Gateway

PART = b'--B\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n'
FILE = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
KIND = {"Content-Type": "multipart/form-data; boundary=B"}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Bytes that the parser was given."""
    seen: list[int] = []
    write = multipart.MultipartParser.write

    def noted(self: multipart.MultipartParser, data: bytes) -> int:
        seen.append(len(data))
        return write(self, data)

    monkeypatch.setattr(multipart.MultipartParser, "write", noted)
    return lambda: sum(seen)


@pytest.mark.parametrize(
    "body", [PART * 40_000, b'--B\r\nContent-Disposition: form-data; name="key"\r\n\r\n' + b"k" * 3_000_000]
)
def test_of_a_stranger_s_form_little_is_read(shared: Gateway, parsed: Callable[[], int], body: bytes):
    """Guards: a million parts without a key, worked through while every ping waits."""
    answer = shared.http.post("/uploads/kdp", content=body, headers=KIND)
    assert answer.status_code == 401
    assert answer.headers["connection"] == "close"
    assert parsed() <= multipart.UNKNOWN_BYTES + multipart._PIECE


def test_a_key_is_found_among_ten_parts_and_not_behind_them(shared: Gateway):
    """Guards: a form with a few fields of its own refused; and a key that is looked for without end."""
    typed = shared.key("bob")["Authorization"].removeprefix("Bearer ").encode()
    key = b'--B\r\nContent-Disposition: form-data; name="key"\r\n\r\n' + typed + b"\r\n"
    for before, status in ((5, 415), (11, 401)):
        body = PART * before + key + FILE + b"%PDF-\r\n--B--\r\n"
        assert shared.http.post("/uploads/kdp", content=body, headers=KIND).status_code == status


def test_a_good_key_does_not_open_a_form_of_a_million_parts(shared: Gateway, parsed: Callable[[], int]):
    """Guards: one seller's script holding up all others."""
    answer = shared.http.post("/uploads/kdp", content=PART * 40_000, headers=shared.key("alice") | KIND)
    assert answer.status_code == 400
    assert "100 parts" in answer.json()["error"]["message"]
    assert parsed() < 200_000


@pytest.mark.parametrize("length", [71, 5_000])
def test_a_long_boundary_is_refused(shared: Gateway, length: int):
    """Guards: a 500 and an error report for what a stranger typed."""
    kind = {"Content-Type": f"multipart/form-data; boundary={'b' * length}"}
    for key in ({}, shared.key("alice")):
        answer = shared.http.post("/uploads/kdp", content=b"x", headers={**key, **kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "broken_form")


def test_the_refusal_of_a_large_form_arrives(shared: Gateway):
    """Guards: a connection that is reset while its sender still writes, who then sees no reason."""
    head = b"POST /uploads/kdp HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as raw:
        raw.sendall(head + b"Content-Length: 900000\r\n\r\n" + FILE + b"x" * 200_000)
        assert raw.recv(200).startswith(b"HTTP/1.1 401")
