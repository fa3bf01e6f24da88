"""The way of a seller through Gumroad's consent page, at a gateway."""

from __future__ import annotations

import os
from urllib.parse import parse_qs, urlsplit

import httpx

from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.platforms.gumroad.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.gateway import Gateway
from creator_pipeline_tests.support.sandbox import SandboxServer

CALLBACK = f"http://callback.example{CALLBACK_PATH}"


def connecting(sandbox: SandboxServer, **values: str) -> Gateway:
    """A gateway whose Gumroad is the sandbox."""
    return Gateway(
        os.environ["DATABASE_URL"],
        gumroad_api_url=sandbox.url,
        gumroad_authorize_url=f"{sandbox.url}/oauth/authorize",
        gumroad_client_id=CLIENT_ID,
        gumroad_client_secret=CLIENT_SECRET,
        gumroad_redirect_uri=CALLBACK,
        gumroad_requests_per_minute=60_000_000,
        public_url="http://gateway.example",
        **values,
    )


def start(gateway: Gateway, **asked: str) -> httpx.Response:
    """Start with alice's key."""
    return gateway.http.get(
        "/oauth/gumroad/start", params={"profile_id": "alice", **asked}, headers=gateway.key("alice")
    )


def said_at_gumroad(answer: httpx.Response, **wish: str) -> dict[str, str]:
    """What Gumroad adds to the callback's address once the seller has said yes or no."""
    assert answer.status_code == 302, answer.text
    back = local_http.get(httpx.URL(answer.headers["location"]).copy_merge_params(wish))
    assert back.headers["location"].startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(back.headers["location"]).query).items()}


def come_back(gateway: Gateway, query: dict[str, str]) -> httpx.Response:
    """Follow the callback's address in the browser that started."""
    return gateway.http.get(CALLBACK_PATH, params=query)
