"""Nobody sees or changes what isn't theirs: one proof for each route. A route without one fails here."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from fastapi.routing import iter_route_contexts

from creator_pipeline.core.secrets import new_key
from creator_pipeline.gateway import connect_links
from creator_pipeline.mail import page_link, unsubscribe
from creator_pipeline.platforms.gumroad import webhook
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.store.tables import email_messages, email_suppressions, platform_connections
from creator_pipeline_tests.support import local_http, paths
from creator_pipeline_tests.support.gateway import PATH_SECRET, RESEND_SECRET, Gateway, signed, whop_event
from creator_pipeline_tests.support.isolation import ALICES, jobs, seed, state

HOOK_SECRET = "v1,whsec_" + base64.b64encode(b"h" * 32).decode()
GOOD = (paths.FIXTURES / "kdp" / "csv_combined_utf8.csv").read_bytes()
Proof = Callable[[Gateway, dict[str, str]], list[httpx.Response]]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Alice with a connection, a sale, a job and a mail; bob, who calls."""
    os.environ.setdefault("CREATOR_PIPELINE_TEST_KEY", new_key())
    folder = tmp_path_factory.mktemp("isolation")
    with Gateway(
        f"sqlite:///{folder / 'warehouse.sqlite'}",
        dagster_home=folder,
        kdp_inbox=str(folder / "inbox"),
        supabase_hook_secret=HOOK_SECRET,
        gumroad_client_id="client",
        gumroad_client_secret="client-secret",
        gumroad_redirect_uri=f"http://127.0.0.1{CALLBACK_PATH}",
    ) as running:
        seed(running)
        yield running
        running.services.warehouse.engine.dispose()


def plain(path: str, status: int = 200) -> Proof:
    """A route that serves nobody's data: the same for everyone, with alice's rows not in it."""

    def proof(gateway: Gateway, key: dict[str, str]) -> list[httpx.Response]:
        answers = [gateway.http.get(path, headers=headers) for headers in ({}, key)]
        assert {answer.status_code for answer in answers} <= {status, 503}
        return answers

    return proof


def whop(gateway: Gateway, _key: dict[str, str]) -> list[httpx.Response]:
    """A delivery about bob's account, whoever it names in its data, is work for bob."""
    body = whop_event("pay_1", "acct-of-bob", profile_id="alice")
    answers = [gateway.whop(body, signed(body, "msg_isolated"))]
    assert jobs(gateway, "whop") == {"bob"}
    return answers


def gumroad(gateway: Gateway, _key: dict[str, str]) -> list[httpx.Response]:
    """The address registered for bob speaks for bob, whatever seller its body names; alice's can't be made from it."""
    own = webhook.profile_secret(PATH_SECRET, "bob")
    answers = [gateway.ping("sale_id=named&seller_id=acct-of-alice", own)]
    assert jobs(gateway, "gumroad") == {"bob"}
    answers.append(gateway.ping("sale_id=x", "alice." + own.partition(".")[2]))
    assert answers[-1].status_code == 404
    return answers


def resend(gateway: Gateway, _key: dict[str, str]) -> list[httpx.Response]:
    """A mail's fate moves that mail only."""
    body = orjson.dumps(
        {
            "type": "email.bounced",
            "data": {"email_id": "id-of-bob", "to": ["bob@example.com"], "bounce": {"type": "Permanent"}},
        }
    )
    headers = {name.replace("webhook", "svix"): value for name, value in signed(body, secret=RESEND_SECRET).items()}
    answers = [gateway.http.post("/webhooks/resend", content=body, headers=headers)]
    assert {row["email"] for row in gateway.rows(email_suppressions)} == {"bob@example.com"}
    return answers


def auth(gateway: Gateway, _key: dict[str, str]) -> list[httpx.Response]:
    """A mail of an account goes to the address of that account alone."""
    user, data = {"email": "new@example.com"}, {"email_action_type": "signup", "token_hash": "h", "redirect_to": ""}
    body = orjson.dumps({"user": user, "email_data": data, "metadata": {"uuid": "u-1"}})
    headers = signed(body, secret=HOOK_SECRET.removeprefix("v1,"))
    answers = [gateway.http.post("/webhooks/auth", content=body, headers=headers)]
    assert [row["to"] for row in gateway.rows(email_messages) if row["id"] != "mail-of-alice"] == ["new@example.com"]
    return answers


def oauth_start(gateway: Gateway, key: dict[str, str]) -> list[httpx.Response]:
    """Neither bob's key nor bob's link starts a connection of alice."""
    link = parse_qs(urlsplit(connect_links.start_link(gateway.ring, "http://x", "gumroad", "bob")).query)["link"][0]
    wishes = [
        ({}, {"profile_id": "alice"}),
        (key, {"profile_id": "alice"}),
        ({}, {"profile_id": "alice", "link": link}),
    ]
    answers = [
        local_http.get(f"{gateway.url}/oauth/gumroad/start", params=wish, headers=headers) for headers, wish in wishes
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    return answers


def oauth_before(gateway: Gateway, key: dict[str, str]) -> list[httpx.Response]:
    """Bob's link shows nothing of alice, and a key is no link."""
    link = parse_qs(urlsplit(connect_links.start_link(gateway.ring, "http://x", "gumroad", "bob")).query)["link"][0]
    url = f"{gateway.url}/oauth/gumroad/connect"
    answers = [
        local_http.get(url, params={"profile_id": "alice", "link": told}, headers=key) for told in (link, "", "forged")
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    return answers


def oauth_callback(gateway: Gateway, key: dict[str, str]) -> list[httpx.Response]:
    """A state that alice began is of no use in bob's browser."""
    begun = local_http.get(
        f"{gateway.url}/oauth/gumroad/start", params={"profile_id": "alice"}, headers=gateway.key("alice")
    )
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    with local_http.Client(base_url=gateway.url) as browser:
        browser.get("/oauth/gumroad/start", params={"profile_id": "bob"}, headers=key)
        answers = [browser.get(CALLBACK_PATH, params={"state": query["state"][0], "code": "stolen"})]
    assert answers[0].status_code == 400
    assert "another browser" in answers[0].text
    assert all(
        row["external_account_id"] == f"acct-of-{row['profile_id']}" for row in gateway.rows(platform_connections)
    )
    return answers


def connected(gateway: Gateway, key: dict[str, str]) -> list[httpx.Response]:
    """The page at the end shows what a signed result says, and nothing else can make one."""
    start = parse_qs(urlsplit(connect_links.start_link(gateway.ring, "http://x", "gumroad", "alice")).query)["link"][0]
    answers = [
        gateway.http.get("/oauth/gumroad/connected", params={"result": result}, headers=key)
        for result in ("", "alice", start)
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    return answers


def upload(gateway: Gateway, key: dict[str, str]) -> list[httpx.Response]:
    """A file lands in the folder of the key's profile, whatever its name or its form says."""
    form = {"profile_id": "alice", "key": "cpk_of_nobody"}
    files = {"file": ("../alice/report.csv", GOOD)}
    answers = [gateway.http.post("/uploads/kdp", data=form, files=files, headers=key)]
    assert answers[0].status_code == 202
    assert jobs(gateway, "kdp") == {"bob"}
    return answers


def job(gateway: Gateway, key: dict[str, str]) -> list[httpx.Response]:
    """Another profile's job doesn't exist."""
    paths = ("/jobs/job-of-alice", "/jobs/no-such-job")
    answers = [gateway.http.get(path, headers=key) for path in paths]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert all("There is no such job." in answer.text for answer in answers)
    assert gateway.http.get(paths[0]).status_code == 401
    return answers


def turn_off(method: str) -> Proof:
    """A link of bob's is about bob; a word of it changed is nobody's."""

    def proof(gateway: Gateway, _key: dict[str, str]) -> list[httpx.Response]:
        made = unsubscribe.token(gateway.config, "failure", address="bob@example.com", profile_id="bob")
        body, _, signature = made.partition(".")
        forged = (
            base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "==").replace(b"bob", b"alice"))
            .decode()
            .rstrip("=")
        )
        answers = [gateway.http.request(method, f"/unsubscribe/{token}") for token in (made, f"{forged}.{signature}")]
        assert [answer.status_code for answer in answers] == [200, 404]
        return answers

    return proof


def own_page(method: str, path: str, *, opened: int, shut: int = 401) -> Proof:
    """Bob's link opens bob's page; a word of his link or of his cookie changed opens nobody's."""

    def proof(gateway: Gateway, _key: dict[str, str]) -> list[httpx.Response]:
        link = page_link.url(gateway.config, "bob", "bob@example.com")
        form = {"notify": "none", "profile_id": "alice"}
        with local_http.Client(base_url=gateway.url) as browser:
            entered = browser.get(urlsplit(link).path)
            assert entered.status_code == 303
            if method == "POST":
                found = re.search(r'name="form" value="([^"]+)"', browser.get("/me").text)
                assert found is not None
                form["form"] = found[1]
            with_cookie = browser.request(method, path, data=form if method == "POST" else None)
        forged = {"Cookie": f"creator_page={_renamed(entered.cookies['creator_page'])}"}
        with_forged = gateway.http.request(method, path, headers=forged)
        assert (with_cookie.status_code, with_forged.status_code) == (opened, shut)
        return [with_cookie, with_forged]

    return proof


def enter(gateway: Gateway, _key: dict[str, str]) -> list[httpx.Response]:
    """Bob's link with alice's name in it is nobody's."""
    token = urlsplit(page_link.url(gateway.config, "bob", "bob@example.com")).path.rpartition("/")[2]
    answers = [gateway.http.get(f"/me/enter/{word}") for word in (token, _renamed(token))]
    assert [answer.status_code for answer in answers] == [303, 404]
    return answers


def _renamed(token: str) -> str:
    body, _, signature = token.partition(".")
    told = base64.urlsafe_b64decode(body + "==").replace(b"bob", b"alice")
    return f"{base64.urlsafe_b64encode(told).decode().rstrip('=')}.{signature}"


PROOFS: dict[tuple[str, str], Proof] = {
    ("POST", "/webhooks/whop"): whop,
    ("POST", "/webhooks/gumroad/{secret}"): gumroad,
    ("POST", "/webhooks/resend"): resend,
    ("POST", "/webhooks/auth"): auth,
    ("GET", "/oauth/gumroad/connect"): oauth_before,
    ("GET", "/oauth/gumroad/start"): oauth_start,
    ("GET", CALLBACK_PATH): oauth_callback,
    ("GET", "/oauth/gumroad/connected"): connected,
    ("GET", "/uploads/kdp"): plain("/uploads/kdp"),
    ("POST", "/uploads/kdp"): upload,
    ("GET", "/jobs/{job_id}"): job,
    ("GET", "/unsubscribe/{token}"): turn_off("GET"),
    ("POST", "/unsubscribe/{token}"): turn_off("POST"),
    ("GET", "/me"): own_page("GET", "/me", opened=200),
    ("GET", "/me/enter/{token}"): enter,
    ("GET", "/me/revenue.png"): own_page("GET", "/me/revenue.png", opened=200),
    ("GET", "/me/connect/gumroad"): own_page("GET", "/me/connect/gumroad", opened=303),
    ("POST", "/me/notifications"): own_page("POST", "/me/notifications", opened=303),
    ("POST", "/me/uploads/kdp"): own_page("POST", "/me/uploads/kdp", opened=404),
    ("POST", "/me/leave"): own_page("POST", "/me/leave", opened=200, shut=200),
    ("GET", "/healthz"): plain("/healthz"),
    ("GET", "/readyz"): plain("/readyz"),
    ("GET", "/metrics"): plain("/metrics"),
    ("GET", "/docs"): plain("/docs"),
    ("GET", "/openapi.json"): plain("/openapi.json"),
    ("GET", "/assets/style.css"): plain("/assets/style.css"),
    ("GET", "/favicon.ico"): plain("/favicon.ico", 204),
}


def test_every_route_has_its_proof(gateway: Gateway):
    """Guards: a new page that shows everybody's jobs to whoever asks."""
    routes = {(method, route.path) for route in iter_route_contexts(gateway.app.routes) for method in route.methods}
    assert routes - {("HEAD", "/openapi.json")} == PROOFS.keys()


@pytest.mark.parametrize("route", PROOFS, ids=" ".join)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_stranger_s_data_is_neither_shown_nor_changed(gateway: Gateway, route: tuple[str, str], accept: str):
    """Guards: one seller reading another's job, or writing into another's inbox."""
    before = state(gateway)
    assert before["gumroad_sales"]
    assert before["ingestion_jobs"]
    key = gateway.key("bob") | {"Accept": accept}
    for answer in PROOFS[route](gateway, key):
        shown = f"{answer.text}{answer.headers}"
        assert not [word for word in ALICES if word in shown]
    after = state(gateway)
    if route[1] == CALLBACK_PATH:
        # A bearer key of her own was made to begin; a refused state was not noted.
        after["profiles"] = before["profiles"]
    assert after == before
