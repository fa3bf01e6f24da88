"""Connecting a Gumroad account, through the sandbox's own OAuth pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from creator_pipeline.core import signing
from creator_pipeline.gateway.connect_links import start_link
from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, platform_connections, webhook_events
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.gateway import Gateway
from creator_pipeline_tests.support.gumroad_oauth import come_back, connecting, said_at_gumroad, start
from creator_pipeline_tests.support.sandbox import SandboxServer


@pytest.fixture
def gateway(sqlite_warehouse: Warehouse, sandbox: SandboxServer) -> Iterator[Gateway]:
    """With the profile alice, who isn't connected."""
    with connecting(sandbox) as running:
        running.add("alice")
        running.add("bob")
        yield running


def test_the_whole_way_stores_encrypted_tokens_registers_eight_pings_and_asks_for_the_first_sync(
    warehouse: Warehouse, sandbox: SandboxServer
):
    """Guards: a connected account whose sales never come."""
    seller = sandbox.world.gumroad["alice"]
    with connecting(sandbox, pipeline_start_date="2025-01-01") as gateway:
        gateway.add("alice")
        answer = come_back(gateway, said_at_gumroad(start(gateway)))
        assert answer.status_code == 303, answer.text
        (row,) = gateway.rows(platform_connections)
        assert row["external_account_id"] == seller.user_id
        assert row["scopes"] == "view_payouts view_profile view_sales"
        tokens = profiles.get_connection(warehouse, gateway.ring, "gumroad", "alice")
        assert tokens.access_token not in str(dict(row))
        assert tokens.refresh_token
        assert tokens.refresh_token not in str(dict(row))
        (job,) = gateway.rows(ingestion_jobs)
        assert (job["kind"], job["source"], job["profile_id"]) == ("initial_sync", "gumroad", "alice")
        assert '"from":"2025-01-01"' in job["payload"]
        assert sorted(hook["resource_name"] for hook in seller.subscriptions) == sorted(RESOURCES)
        (address,) = {hook["post_url"] for hook in seller.subscriptions}
        sale = sandbox.world.gumroad.add_sale("alice")
        assert gateway.http.post(urlsplit(address).path, data={"sale_id": sale.id}).json()["status"] == "queued"
        page = gateway.http.get(answer.headers["location"])
        assert page.status_code == 200
        assert "8 of 8" in page.text
        assert tokens.access_token not in page.text


def test_connecting_again_makes_no_second_pings(gateway: Gateway, sandbox: SandboxServer):
    """Guards: every event arriving twice, because Gumroad adds one more at each call."""
    for _ in range(2):
        assert come_back(gateway, said_at_gumroad(start(gateway))).status_code == 303
    assert len(sandbox.world.gumroad["alice"].subscriptions) == 8


def test_no_one_starts_for_a_profile_without_its_key_or_link(gateway: Gateway):
    """Guards: a stranger linking an account of their own to somebody's profile."""
    url = "/oauth/gumroad/start"
    assert gateway.http.get(url, params={"profile_id": "alice"}).status_code == 401
    assert gateway.http.get(url, params={"profile_id": "alice"}, headers=gateway.key("bob")).status_code == 401
    link = urlsplit(start_link(gateway.ring, "", "gumroad", "bob")).query.replace("profile_id=bob", "profile_id=alice")
    assert gateway.http.get(f"{url}?{link}").status_code == 401
    assert gateway.http.get(f"{url}?profile_id=alice&link=forged").status_code == 401
    assert (
        gateway.http.get(f"{url}?{urlsplit(start_link(gateway.ring, '', 'gumroad', 'alice')).query}").status_code == 302
    )


def refused(answer: httpx.Response) -> str:
    """The page's headline."""
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "Press Connect on your page again" in answer.text
    assert "creator-pipeline" not in answer.text
    return answer.text.partition("<h1>")[2].partition("</h1>")[0]


def test_an_answer_is_good_once(gateway: Gateway, sandbox: SandboxServer):
    """Guards: an address from a browser's history connecting once more."""
    first = start(gateway)
    query = said_at_gumroad(first)
    cookie = {"Cookie": first.headers["set-cookie"].partition(";")[0]}
    assert gateway.http.get(CALLBACK_PATH, params=query, headers=cookie).status_code == 303
    assert "used" in refused(gateway.http.get(CALLBACK_PATH, params=query, headers=cookie))
    assert len(gateway.rows(ingestion_jobs)) == 1


def test_an_answer_in_another_browser_is_refused(gateway: Gateway):
    """Guards: a seller who is sent an address by someone, and so connects to that someone's profile."""
    query = said_at_gumroad(start(gateway))
    assert "another browser" in refused(local_http.get(gateway.url + CALLBACK_PATH, params=query))
    assert gateway.rows(platform_connections) == []


def test_an_old_forged_or_missing_state_is_refused(gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    """Guards: answers to questions nobody asked."""
    query = said_at_gumroad(start(gateway))
    assert "too old" in refused(come_back(gateway, query | {"state": query["state"][:-2] + "xx"}))
    assert "too old" in refused(come_back(gateway, {"code": query["code"]}))
    other = signing.sign(gateway.ring, "oauth-result.v1", ["alice", "nonce"])
    assert "too old" in refused(come_back(gateway, query | {"state": other}))
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 601)
    assert "too old" in refused(come_back(gateway, query))


def test_saying_no_is_told_as_such(gateway: Gateway):
    """Guards: a traceback for someone who changed their mind."""
    assert "You said no" in refused(come_back(gateway, said_at_gumroad(start(gateway), deny="1")))
    assert gateway.rows(platform_connections) == []


def test_a_wrong_code_is_refused_with_the_hint(gateway: Gateway):
    """Guards: a 500 for a code that lay about for too long."""
    query = said_at_gumroad(start(gateway))
    assert "too old" in refused(come_back(gateway, query | {"code": "wrong"}))


def test_a_scope_that_was_not_given_is_named(gateway: Gateway):
    """Guards: a connection that can't read sales, found out at night."""
    query = said_at_gumroad(start(gateway), scope="view_profile")
    assert "view_sales" in refused(come_back(gateway, query))
    assert gateway.rows(platform_connections) == []


def test_an_address_that_gumroad_refuses_leaves_the_account_connected_and_says_so(
    gateway: Gateway, sandbox: SandboxServer
):
    """Guards: throwing good tokens away because pings can't come to this machine."""
    sandbox.gumroad.strict_post_urls = True
    object.__setattr__(gateway.services.config, "public_url", "http://127.0.0.1:8088")
    answer = come_back(gateway, said_at_gumroad(start(gateway)))
    assert answer.status_code == 303
    page = gateway.http.get(answer.headers["location"]).text
    assert "once a night" in page
    assert "Invalid post URL" in page


def said_by_the_gateway(caplog: pytest.LogCaptureFixture) -> str:
    """Everything its lines hold."""
    lines = [record for record in caplog.records if "gateway" in record.name]
    return " ".join(f"{record.getMessage()} {record.__dict__}" for record in lines)


def test_nothing_of_the_way_is_in_the_log(gateway: Gateway, caplog: pytest.LogCaptureFixture):
    """Guards: codes, states and tokens in a log that many can read."""
    with caplog.at_level("INFO"):
        query = said_at_gumroad(start(gateway))
        come_back(gateway, query)
        # The line is written once the answer is out.
        deadline = time.monotonic() + 30
        while CALLBACK_PATH not in (told := said_by_the_gateway(caplog)):
            assert time.monotonic() < deadline, told
            time.sleep(0.01)
    for secret in (*query.values(), "Bearer"):
        assert secret not in told
    assert [row["provider"] for row in gateway.rows(webhook_events)] == ["oauth_state"]
