"""Tokens, scopes, OAuth and webhooks' administration."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from creator_pipeline_tests.support import local_http

BACK = "http://127.0.0.1:1/back"
APP = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}


def authorize(api: httpx.Client, **over: str) -> dict[str, list[str]]:
    asked = {"client_id": "sandbox-client", "redirect_uri": BACK, "scope": "view_profile view_sales", "state": "s1"}
    answer = api.get("/oauth/authorize", params=asked | over)
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["location"]).query)


def exchange(api: httpx.Client, code: str, **over: str) -> httpx.Response:
    return api.post(
        "/oauth/token", data={"code": code, "redirect_uri": BACK, "grant_type": "authorization_code"} | APP | over
    )


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nobody"}])
def test_unknown_token_is_401_with_an_empty_body(server, header):
    """Guards: parsing JSON from an empty body."""
    answer = local_http.get(f"{server.url}/v2/sales", headers=header)
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["www-authenticate"].endswith('error_description="The access token is invalid"')


def test_revoked_token_says_so_and_a_missing_scope_is_403(server, api):
    """Guards: retrying what can't come back."""
    server.world.gumroad.drop_scope("alice", "view_sales")
    refused = api.get("/v2/sales")
    assert (refused.status_code, refused.content) == (403, b"")
    products = api.get("/v2/products").json()["products"]
    assert "sales_count" not in products[0]
    server.world.gumroad.revoke("alice")
    answer = api.get("/v2/products")
    assert (answer.status_code, answer.content) == (401, b"")
    assert "was revoked" in answer.headers["www-authenticate"]


def test_code_is_exchanged_once_for_tokens_that_do_not_expire(server, api):
    """Guards: a second exchange of the same code."""
    back = authorize(api, profile="bea")
    assert back["state"] == ["s1"]
    tokens = exchange(api, back["code"][0]).json()
    assert set(tokens) == {"access_token", "token_type", "refresh_token", "scope", "created_at"}
    assert tokens["scope"] == "view_profile view_sales"
    user = api.get("/v2/user", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()["user"]
    assert user["email"] == "bea@example.com"
    again = exchange(api, back["code"][0])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_code_dies_after_ten_minutes(server, api):
    """Guards: a code kept for later."""
    code = authorize(api)["code"][0]
    born = server.oauth.clock()
    server.oauth.clock = lambda: born + 601
    assert exchange(api, code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("over", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"redirect_uri": "http://127.0.0.1:1/other"}, 400, "invalid_grant"),
        ({"redirect_uri": ""}, 400, "invalid_request"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
    ],
)
def test_token_requests_are_refused(api, over, status, error):
    """Guards: a client that takes every refusal for a bad grant."""
    answer = exchange(api, authorize(api)["code"][0], **over)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_denial_comes_back_as_access_denied(api):
    """Guards: a callback that expects a code."""
    back = authorize(api, deny="1")
    assert (back["error"], back["state"]) == (["access_denied"], ["s1"])
    assert "code" not in back


def test_refresh_kills_the_old_pair_at_once(server, api):
    """Guards: two workers that refresh at the same time."""
    old = server.world.gumroad["alice"].refresh_token
    wish = {"grant_type": "refresh_token", "refresh_token": old} | APP
    fresh = api.post("/oauth/token", data=wish).json()
    assert api.get("/v2/user").status_code == 401
    assert api.post("/oauth/token", data=wish).json()["error"] == "invalid_grant"
    headers = {"Authorization": f"Bearer {fresh['access_token']}"}
    assert api.get("/v2/sales", headers=headers).status_code == 200


def test_put_of_a_webhook_twice_makes_two_and_a_list_needs_a_name(api):
    """Guards: every event arriving twice."""
    wish = {"resource_name": "sale", "post_url": "https://hooks.example.com/x"}
    made = [api.put("/v2/resource_subscriptions", data=wish).json()["resource_subscription"] for _ in range(2)]
    listed = api.get("/v2/resource_subscriptions?resource_name=sale").json()["resource_subscriptions"]
    assert listed == made
    assert made[0]["id"] != made[1]["id"]
    gone = api.delete(f"/v2/resource_subscriptions/{made[0]['id']}").json()
    assert gone == {"success": True, "message": "The resource_subscription was deleted successfully."}
    assert api.get("/v2/resource_subscriptions?resource_name=sale").json()["resource_subscriptions"] == made[1:]
    assert api.get("/v2/resource_subscriptions").json()["message"] == "Valid resource_name parameter required"


@pytest.mark.parametrize(
    ("name", "url", "message"),
    [
        ("sale", "http://localhost/x", "Invalid post URL 'http://localhost/x'"),
        ("", "https://hooks.example.com/x", "Unable to subscribe to ''."),
        ("sale", "http://10.0.0.1/x", "Invalid post URL 'http://10.0.0.1/x'"),
    ],
)
def test_bad_webhooks_are_refused_with_200(server, api, name, url, message):
    """Guards: taking 200 for done."""
    server.gumroad.strict_post_urls = True
    answer = api.put("/v2/resource_subscriptions", data={"resource_name": name, "post_url": url})
    assert (answer.status_code, answer.json()) == (200, {"success": False, "message": message})


def test_unknown_route_is_an_html_page(api):
    """Guards: JSON expected of every answer."""
    answer = api.get("/v2/nope")
    assert (answer.status_code, answer.text) == (404, "<!DOCTYPE html><title>Not found</title>")
