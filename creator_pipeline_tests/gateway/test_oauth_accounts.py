"""Another account at the consent page, and the pages that say whose account it is."""

from __future__ import annotations

import html
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from creator_pipeline.gateway.connect_links import start_link
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, platform_accounts, platform_connections
from creator_pipeline_tests.support.accounts import book
from creator_pipeline_tests.support.gateway import Gateway
from creator_pipeline_tests.support.gumroad_oauth import come_back, connecting, said_at_gumroad, start
from creator_pipeline_tests.support.sandbox import SandboxServer


@pytest.fixture
def gateway(sqlite_warehouse: Warehouse, sandbox: SandboxServer) -> Iterator[Gateway]:
    """With alice, who is connected to her account and has a sale, and bob."""
    with connecting(sandbox) as running:
        running.add("alice")
        running.add("bob")
        answer = come_back(running, said_at_gumroad(start(running)))
        assert answer.status_code == 303, answer.text
        with sqlite_warehouse.write() as connection:
            profiles.add_profile(connection, "alice", display_name="Alice Example")
            book(connection, "alice", "gumroad", "s1")
        yield running


def tokens(gateway: Gateway, profile_id: str = "alice") -> str:
    return profiles.get_connection(gateway.services.warehouse, gateway.ring, "gumroad", profile_id).access_token


def test_another_account_is_held_and_the_page_names_both(gateway: Gateway, sandbox: SandboxServer):
    """Who was signed in at Gumroad as somebody else had that account's sales in place of the profile's own."""
    alice, chen = (sandbox.world.gumroad[name] for name in ("alice", "chen"))
    before = tokens(gateway)
    answer = come_back(gateway, said_at_gumroad(start(gateway), profile="chen"))
    assert answer.status_code == 400
    for named in (alice.user_id, chen.user_id, "Alice Example (alice)", "Nothing was changed"):
        assert html.escape(named) in answer.text
    assert "creator-pipeline" not in answer.text
    assert tokens(gateway) == before
    assert len(gateway.rows(ingestion_jobs)) == 1
    assert chen.subscriptions == []
    again = html.unescape(answer.text.partition('class="button" href="')[2].partition('"')[0])
    asked = gateway.http.get(again)
    assert alice.user_id in asked.text
    assert "Alice Example (alice)" in asked.text


def test_an_operator_s_link_takes_the_other_account(gateway: Gateway, sandbox: SandboxServer):
    """No way to move a profile to a seller's new account but to erase it."""
    chen = sandbox.world.gumroad["chen"]
    link = urlsplit(start_link(gateway.ring, "", "gumroad", "alice", replace=True))
    page = gateway.http.get(f"{link.path}?{link.query}").text
    assert "deleted" in page
    begun = gateway.http.get(html.unescape(page.partition('class="button" href="')[2].partition('"')[0]))
    answer = come_back(gateway, said_at_gumroad(begun, profile="chen"))
    assert answer.status_code == 303, answer.text
    (row,) = gateway.rows(platform_accounts)
    assert (row["account_id"], row["clears"]) == (chen.user_id, True)
    done = gateway.http.get(answer.headers["location"]).text
    assert f"Gumroad account {html.escape(chen.name)} is connected to Alice Example (alice)" in done


def test_the_account_of_another_profile_is_refused_without_its_name(gateway: Gateway):
    """Two profiles with one account; and a page that tells one seller of another."""
    begun = gateway.http.get("/oauth/gumroad/start", params={"profile_id": "bob"}, headers=gateway.key("bob"))
    answer = come_back(gateway, said_at_gumroad(begun, profile="alice"))
    assert answer.status_code == 400
    assert "another profile here already" in answer.text
    assert "Alice" not in answer.text.replace(html.escape(seller_name(gateway)), "")
    assert [row["profile_id"] for row in gateway.rows(platform_connections)] == ["alice"]


def seller_name(gateway: Gateway) -> str:
    (row,) = gateway.rows(platform_accounts)
    return str(row["account_name"])
