"""Attacks on every route: each is refused, leaves a line in the log that says so, and no secret in it."""

from __future__ import annotations

import hmac
import io
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest

from creator_pipeline.core import signing
from creator_pipeline.core.logging import JsonLines
from creator_pipeline.gateway import limits
from creator_pipeline.gateway.connect_links import start_link
from creator_pipeline.platforms.gumroad import oauth, webhook
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline_tests.support.gateway import PATH_SECRET, WHOP_SECRET, Gateway, settings_of, signed, whop_event

BODY = whop_event()
GUESS = PATH_SECRET[:-1] + "Z"
CARRIED = ("hunter2", GUESS, PATH_SECRET, WHOP_SECRET, "b@example.com", "evil.example")
"""What the attacks carry and nobody may read in a log."""

Attack = Callable[[Gateway], httpx.Response]


def forged_state(gateway: Gateway) -> httpx.Response:
    return gateway.http.get(CALLBACK_PATH, params={"code": "hunter2", "state": "hunter2.x.y"})


def used_state(gateway: Gateway) -> httpx.Response:
    state = signing.sign(gateway.ring, "oauth-state.v1", ["alice", "nonce"])
    query, cookie = {"code": "hunter2", "state": state, "error": "access_denied"}, {"Cookie": "gumroad_oauth=nonce"}
    gateway.http.get(CALLBACK_PATH, params=query, headers=cookie)
    return gateway.http.get(CALLBACK_PATH, params=query, headers=cookie)


def wrong_profile(gateway: Gateway) -> httpx.Response:
    job = gateway.services.queue.enqueue("alice", "kdp", "file", {})
    return gateway.http.get(f"/jobs/{job}", headers=gateway.key("bob"))


def upload(gateway: Gateway, **headers: str) -> httpx.Response:
    return gateway.http.post("/uploads/kdp", files={"file": ("../hunter2.csv", b"a,b\n1,2\n")}, headers=headers)


ATTACKS: dict[str, tuple[Attack, int]] = {
    "forged": (lambda g: g.whop(BODY, signed(BODY, secret=b"ws_hunter2")), 401),
    "truncated": (lambda g: g.whop(BODY[:-1], signed(BODY)), 401),
    "replayed after ten minutes": (lambda g: g.whop(BODY, signed(BODY, age=600)), 401),
    "ping to a guessed address": (lambda g: g.ping("email=b%40example.com", GUESS), 404),
    "state forged": (forged_state, 400),
    "state replayed": (used_state, 400),
    "link forged": (lambda g: g.http.get("/oauth/gumroad/start?profile_id=alice&link=hunter2"), 401),
    "result forged": (lambda g: g.http.get("/oauth/gumroad/connected?result=hunter2"), 404),
    "oversize": (lambda g: g.whop(b"hunter2" * limits.MIB, {}), 413),
    "upload without a key": (upload, 401),
    "upload with a guessed key": (lambda g: upload(g, Authorization="Bearer cpk_hunter2"), 401),
    "another profile's job": (wrong_profile, 404),
    "unsubscribing somebody": (lambda g: g.http.post("/unsubscribe/hunter2"), 404),
    "Resend's event forged": (lambda g: g.http.post("/webhooks/resend", content=b'{"to": "b@example.com"}'), 401),
    "auth mail forged": (lambda g: g.http.post("/webhooks/auth", content=b'{"token": "hunter2"}'), 401),
}


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """What is logged from here on, in the gateway's own form."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [orjson.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_logged_without_what_it_carries(
    shared: Gateway, lines: Callable[[], list[dict[str, object]]], name: str
) -> None:
    """Guards: an attack that nobody sees, and a log that is worth stealing."""
    send, status = ATTACKS[name]
    answer = send(shared)
    assert answer.status_code == status, answer.text
    # The line is written once the answer is out.
    deadline = time.monotonic() + 30
    while not any(line.get("request_id") == answer.headers["x-request-id"] for line in lines()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    logged = [line for line in lines() if str(line["logger"]).startswith("creator_pipeline")]
    assert [line["status"] for line in logged if "status" in line][-1] == status
    assert all(word not in str(logged) for word in CARRIED)
    assert all(word not in answer.text for word in CARRIED)


def test_every_guess_of_the_ping_s_secret_costs_the_same_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a secret told character by character, by how long its refusal takes."""
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def noted(given: bytes, expected: bytes) -> bool:
        compared.append((len(given), len(expected)))
        return compare(given, expected)

    monkeypatch.setattr(webhook.hmac, "compare_digest", noted)
    own = webhook.profile_secret(PATH_SECRET, "alice")
    for guess in ("", "x", PATH_SECRET[:-1], PATH_SECRET + "x", own[:-1], own + "x", "nobody.AAAA", "é", "../alice"):
        compared.clear()
        assert webhook.recognise(PATH_SECRET, guess) == (False, None)
        assert compared == [(32, 32), (32, 32)]


def test_nobody_is_led_to_another_host(shared: Gateway, tmp_path: Path) -> None:
    """Guards: a link of ours that ends on somebody else's page, which looks like ours."""
    config = settings_of(shared.config.warehouse_url, gumroad_client_id="app", gumroad_client_secret="hunter2")
    gumroad = urlsplit(oauth.oauth_app(config).authorize_url).netloc
    given = {key: getattr(config, key) for key in ("gumroad_client_id", "gumroad_client_secret")}
    evil = {f"{name}=https://evil.example" for name in ("redirect_uri", "redirect_to", "next", "return_to", "state")}
    with Gateway(shared.config.warehouse_url, dagster_home=tmp_path, **given) as gateway:
        link = urlsplit(start_link(gateway.ring, "", "gumroad", "alice")).query
        answer = gateway.http.get(f"/oauth/gumroad/start?{link}&{'&'.join(sorted(evil))}")
        target = urlsplit(answer.headers["location"])
        assert (answer.status_code, target.netloc) == (302, gumroad)
        assert parse_qs(target.query)["redirect_uri"] == [f"{config.public_url}{CALLBACK_PATH}"]
        assert "evil" not in answer.headers["location"]
        for path in ("//evil.example/docs", "/docs/", "/healthz/", "//evil.example/%2f..", "/unsubscribe/x/"):
            answer = gateway.http.get(f"{gateway.url}{path}", headers={"Host": "evil.example"})
            assert (answer.status_code, answer.headers.get("location")) == (404, None), path
