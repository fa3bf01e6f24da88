"""A refused token, and the way to the next one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError, ConfigError, TransientError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad import oauth
from creator_pipeline.platforms.gumroad.access import gumroad_client
from creator_pipeline.platforms.gumroad.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.sandbox import SandboxServer


@pytest.fixture
def app(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> oauth.OAuthApp:
    """The sandbox's application, in the environment too."""
    monkeypatch.setenv("GUMROAD_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("GUMROAD_CLIENT_SECRET", CLIENT_SECRET)
    return oauth.oauth_app(settings.load())


def connect(warehouse: Warehouse, ring: KeyRing, access: str, refresh: str | None) -> None:
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, ring, "gumroad", "alice", access, refresh_token=refresh)


def test_a_refused_token_is_refreshed_once_and_the_read_goes_on(
    warehouse: Warehouse, ring: KeyRing, sandbox: SandboxServer, app: oauth.OAuthApp
):
    """Guards: a night's sync failing for a token that could be renewed."""
    seller = sandbox.world.gumroad["alice"]
    before = seller.refresh_token
    connect(warehouse, ring, "stale", before)
    with gumroad_client(settings.load(), warehouse, "alice") as client:
        assert client.user()["user_id"] == seller.user_id
        # Whose token it is, refused and asked again, and the test's own.
        assert client.usage.requests == 3
    stored = profiles.get_connection(warehouse, ring, "gumroad", "alice")
    assert stored.access_token == seller.token
    assert stored.refresh_token not in {None, before}
    # Whose the new token is gets asked once.
    for requests in (2, 1):
        with gumroad_client(settings.load(), warehouse, "alice") as client:
            client.user()
            assert client.usage.requests == requests


def test_many_who_are_refused_together_use_the_refresh_token_once(
    warehouse: Warehouse, ring: KeyRing, sandbox: SandboxServer, app: oauth.OAuthApp
):
    """Guards: two runs burning each other's refresh token, which ends the connection."""
    connect(warehouse, ring, "stale", sandbox.world.gumroad["alice"].refresh_token)
    together = threading.Barrier(6)

    def renew(_: int) -> str | None:
        together.wait()
        return oauth.refresh(warehouse, ring, app, "alice", "stale")

    with ThreadPoolExecutor(6) as pool:
        tokens = set(pool.map(renew, range(6)))
    assert len(tokens) == 1
    assert tokens == {profiles.get_connection(warehouse, ring, "gumroad", "alice").access_token}
    assert sandbox.faults.requests["/oauth/token"] == 1


def test_a_used_refresh_token_marks_the_connection(
    warehouse: Warehouse, ring: KeyRing, sandbox: SandboxServer, app: oauth.OAuthApp
):
    """Guards: asking for ever with a pair that is dead."""
    connect(warehouse, ring, "stale", "used already")
    with pytest.raises(AuthError) as caught:
        oauth.refresh(warehouse, ring, app, "alice", "stale")
    assert caught.value.revoked
    with pytest.raises(AuthError, match="revoked"):
        profiles.get_connection(warehouse, ring, "gumroad", "alice")
    assert oauth.refresh(warehouse, ring, app, "alice", "stale") is None


def test_a_gumroad_that_is_down_leaves_the_pair_as_it_was(
    sqlite_warehouse: Warehouse, ring: KeyRing, sandbox: SandboxServer, app: oauth.OAuthApp
):
    """Guards: a connection marked revoked because of a bad gateway."""
    connect(sqlite_warehouse, ring, "stale", "still good")
    sandbox.faults.every(1, "500", path="/oauth/")
    with pytest.raises(TransientError):
        oauth.refresh(sqlite_warehouse, ring, app, "alice", "stale")
    assert profiles.get_connection(sqlite_warehouse, ring, "gumroad", "alice").refresh_token == "still good"


def test_a_token_of_the_settings_page_has_no_way_but_to_connect_again(
    sqlite_warehouse: Warehouse, ring: KeyRing, sandbox: SandboxServer, app: oauth.OAuthApp
):
    """Guards: an error about refreshing that hides the one about the token."""
    connect(sqlite_warehouse, ring, "stale", None)
    with (
        pytest.raises(AuthError, match="refuses"),
        gumroad_client(settings.load(), sqlite_warehouse, "alice") as client,
    ):
        client.user()


def test_a_wrong_application_names_its_variables(
    sqlite_warehouse: Warehouse, ring: KeyRing, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    """Guards: a connection marked revoked for a typo in the environment."""
    monkeypatch.setenv("GUMROAD_CLIENT_ID", "other")
    monkeypatch.setenv("GUMROAD_CLIENT_SECRET", "other")
    connect(sqlite_warehouse, ring, "stale", "still good")
    with pytest.raises(ConfigError) as caught:
        oauth.refresh(sqlite_warehouse, ring, oauth.oauth_app(settings.load()), "alice", "stale")
    assert "GUMROAD_CLIENT_SECRET" in caught.value.hint
    assert profiles.get_connection(sqlite_warehouse, ring, "gumroad", "alice").status == "active"


def test_the_address_asks_for_what_is_needed_and_no_more(app: oauth.OAuthApp):
    """Guards: asking a seller for full access."""
    asked = httpx.URL(oauth.authorize_url(app, "a state", "v" * 43)).params
    assert asked["scope"] == "view_profile view_sales view_payouts"
    assert asked["state"] == "a state"
    assert asked["code_challenge_method"] == "S256"
    assert CLIENT_SECRET not in str(asked)
