"""What every request passes: ids, limits, time, one shape of refusals, a log without secrets."""

from __future__ import annotations

import io
import logging
import socket
import time

import orjson
import pytest

from creator_pipeline.core.logging import JsonLines
from creator_pipeline.gateway import limits, middleware, server
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.gateway import PATH_SECRET, Gateway, signed, whop_event


def until_closed(raw: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    content = b""
    while part := raw.recv(4000):
        content += part
    return content


def test_a_request_id_is_kept_or_made(shared: Gateway):
    """Guards: a complaint with an id that no log knows; and log lines written by whoever sends a header."""
    assert shared.http.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    for odd in ("a b", "x" * 65, '{"a":1}'):
        made = [shared.http.get("/healthz", headers={"X-Request-ID": odd}).headers["x-request-id"] for _ in range(2)]
        assert odd not in made
        assert len(set(made)) == 2


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/webhooks/whop", 405)])
def test_a_refusal_has_one_shape(shared: Gateway, method: str, path: str, status: int):
    """Guards: callers that must read three kinds of errors."""
    answer = shared.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"code", "message", "hint"}


def test_a_person_gets_a_page_instead(shared: Gateway):
    """Guards: JSON for a seller who followed a link."""
    answer = shared.http.get("/nothing", headers={"Accept": "text/html,*/*"})
    assert "<h1>There is nothing here.</h1>" in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_a_body_past_the_limit_is_refused_before_it_is_there(shared: Gateway):
    """Guards: memory filled by whoever knows the address."""
    big = b"x" * (limits.MIB + 1)
    assert shared.whop(big, signed(b"")).status_code == 413
    assert shared.http.post("/webhooks/whop", content=iter([big[:600_000]] * 4)).status_code == 413
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as raw:
        raw.sendall(b"POST /webhooks/whop HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_drips_is_hung_up_on(shared: Gateway, monkeypatch: pytest.MonkeyPatch):
    """Guards: slow senders holding every connection."""
    monkeypatch.setattr(middleware, "CHUNK_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as raw:
        raw.sendall(b"POST /webhooks/whop HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert until_closed(raw).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("begin", [b"", b"POST /webhooks/whop HTT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_does_not_come_is_hung_up_on(shared: Gateway, monkeypatch: pytest.MonkeyPatch, begin: bytes):
    """Guards: slowloris; the server itself would wait for ever."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as raw:
        raw.sendall(begin)
        assert raw.recv(4000) == b""


def test_a_second_head_that_does_not_come_is_hung_up_on_and_a_slow_answer_is_not(
    shared: Gateway, monkeypatch: pytest.MonkeyPatch
):
    """Guards: the bound holding for a connection's first request only."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        raw.sendall(b"GET /healthz HTT")
        content = until_closed(raw)
        assert content.startswith(b"HTTP/1.1 200")
        assert content.endswith(b"}")


def test_too_many_requests_are_told_when_to_come_back(shared: Gateway, monkeypatch: pytest.MonkeyPatch):
    """Guards: one caller using up what all share."""
    rule = limits.Rule("/docs", "2/minute", "100/minute")
    monkeypatch.setattr(limits, "RULES", (rule, *limits.RULES))
    answers = [shared.http.get("/docs") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["error"]["code"] == "too_many_requests"


def test_guessing_secrets_is_slowed_down_and_good_deliveries_are_not(shared: Gateway, monkeypatch: pytest.MonkeyPatch):
    """Guards: a guesser at full speed; and a guesser who locks the platform out."""
    monkeypatch.setattr(limits, "REFUSED", "3/minute")
    statuses = [shared.ping("a=1", f"guess{number}").status_code for number in range(5)]
    assert set(statuses[3:]) == {429}
    body = whop_event()
    assert shared.whop(body, signed(body, "msg_amid")).status_code == 202


def test_no_secret_address_or_body_is_logged(shared: Gateway):
    """Guards: the ping's secret address, or a token in a query, readable by whoever reads logs."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        shared.ping("email=buyer%40example.com&sale_id=abc")
        shared.http.get("/jobs/x?access_token=hunter2", headers={"Authorization": "Bearer hunter3"})
        shared.http.get(f"/nothing/{PATH_SECRET}")
        body = whop_event()
        shared.whop(body, signed(body, "msg_logged"))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    mine = [line for line in lines if line["logger"].startswith("creator_pipeline.gateway")]
    assert [line["route"] for line in mine] == [
        "/webhooks/gumroad/{secret}",
        "/jobs/{job_id}",
        "unmatched",
        "/webhooks/whop",
    ]
    assert {"request_id", "status", "ms", "time"} <= mine[0].keys()
    for secret in (PATH_SECRET, "hunter2", "hunter3", "buyer", "b@example.com"):
        assert all(secret not in str(line) for line in mine)


def test_a_foreign_error_s_text_is_not_logged():
    """Guards: a driver's message that quotes the row it choked on."""
    try:
        raise RuntimeError("buyer@example.com")
    except RuntimeError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "", 0, "It failed: token=abc", None, (type(error), error, error.__traceback__)
        )
    line = orjson.loads(JsonLines().format(record))
    assert line["error"]["type"] == "RuntimeError"
    assert "test_middleware.py" in line["error"]["frames"][-1]
    assert "buyer" not in str(line)
    assert "abc" not in line["message"]


def test_every_page_forbids_scripts_and_other_hosts(shared: Gateway):
    """Guards: a page of ours calling home to somebody else."""
    for path in ("/docs", "/uploads/kdp", "/unsubscribe/x", "/oauth/gumroad/connected"):
        answer = shared.http.get(path, headers={"Accept": "text/html"})
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "<script" not in answer.text
        assert "http://" not in answer.text
        assert "https://" not in answer.text
    assert shared.http.get("/assets/style.css").headers["content-type"].startswith("text/css")


def test_a_fault_of_ours_is_a_500_in_the_same_shape(shared: Gateway, monkeypatch: pytest.MonkeyPatch):
    """Guards: stack traces for strangers."""
    monkeypatch.setattr("creator_pipeline.gateway.health.json_response", None)
    answer = local_http.get(f"{shared.url}/healthz")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
