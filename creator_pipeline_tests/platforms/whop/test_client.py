"""Whop's API as it is, not as one would wish it."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from creator_pipeline.core.errors import AuthError, ConfigError, DataError, TransientError
from creator_pipeline.core.http import Answer
from creator_pipeline.platforms.whop import answers, catalog
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline_tests.support.whop_samples import FIXTURES, NoPace, fixture, open_client


def classified(name: str):
    told = json.loads((FIXTURES / "errors" / f"{name}.json").read_text())
    content = json.dumps(told["body"]).encode() if "body" in told else told["body_text"].encode()
    return answers.classify(Answer(told["status"], httpx.Headers(told["headers"]), content, told.get("body")))


def test_every_list_is_read_whole_and_its_last_cursor_is_not_followed(server, client, account) -> None:
    """has_next_page false comes with an end_cursor: following it costs a request on every walk, or never ends."""
    server.whop.page_limit = 50
    for name, read in (("memberships", client.memberships), ("payments", client.payments), ("members", client.members)):
        before = client.usage.requests
        assert {row["id"] for row in read(account.id)} == set(account.tables[name])
        assert client.usage.requests - before == -(-len(account.tables[name]) // 50)


def test_memberships_that_change_while_pages_are_read_come_once_and_none_is_lost(server, client, account) -> None:
    server.whop.page_limit = 10
    ids = set(account.tables["memberships"])
    moved = iter(sorted(ids))

    def change() -> None:
        server.world.whop.expire("alice", next(moved))
        server.world.whop.buy("alice")

    server.whop.between_pages = change
    read = [row["id"] for row in client.memberships(account.id)]
    assert ids <= set(read)
    assert max(Counter(read).values()) == 1


def test_a_repeated_cursor_ends_the_walk_with_an_error(server, client, account) -> None:
    server.whop.page_limit = 10
    server.faults.every(1, "repeat_key", path="/api/v1/payments")
    with pytest.raises(DataError, match="came twice"):
        list(client.payments(account.id))


def test_a_server_that_refuses_a_hundred_rows_is_asked_for_fifty(server, client, account) -> None:
    server.whop.page_limit, server.whop.refuse_large_pages = 50, True
    assert len(list(client.memberships(account.id))) == len(account.tables["memberships"])


def test_customers_and_single_objects(client, account) -> None:
    membership = next(iter(account.tables["memberships"].values()))
    assert [row["id"] for row in client.list_memberships(membership["user_id"])] == [membership["id"]]
    assert client.fetch_customer(membership["member_id"])["email"].endswith("@example.com")
    assert client.membership("mem_none") is None
    assert list(client.memberships("biz_somebody_else")) == []


def test_errors_are_named_by_what_must_be_done(server, client, account) -> None:
    account.permissions.discard("payment:basic:read")
    with pytest.raises(AuthError, match="payment:basic:read") as refused:
        list(client.payments())
    assert not refused.value.revoked
    account.revoked = True
    with pytest.raises(AuthError) as revoked:
        list(client.memberships())
    assert revoked.value.revoked


def test_a_version_that_whop_no_longer_knows_is_named(server, account, monkeypatch) -> None:
    """Without this, a dialect that is switched off looks like a bug of ours in some parameter."""
    monkeypatch.setattr(catalog, "API_VERSION_DATE", "2019-01-01")
    with open_client(server, account.key) as old, pytest.raises(ConfigError, match="2019-01-01"):
        list(old.plans())


def test_a_missing_email_permission_is_null_and_not_an_error(client, account) -> None:
    account.permissions.discard("member:email:read")
    assert {row["email"] for row in client.members()} == {None}


@pytest.mark.parametrize(("name", "seconds"), [("429_message_only", 12), ("429_with_retry_after", 12)])
def test_the_delay_of_a_429_is_found_in_the_header_or_in_the_text(name, seconds) -> None:
    """The delay is promised in the message text only: a client that looks at headers alone hammers on."""
    error = classified(name)
    assert isinstance(error, TransientError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("400_unknown_api_version", ConfigError),
        ("400_parameter_invalid", answers.BadParameterError),
        ("400_code_and_message_only", answers.BadParameterError),
        ("401_unauthorized", AuthError),
        ("403_forbidden", AuthError),
        ("404_not_found", answers.NotFoundError),
        ("409_conflict", TransientError),
        ("422_verification_required", ConfigError),
        ("500_internal", type(None)),
        ("502_html", type(None)),
    ],
)
def test_every_error_of_the_fixtures_has_its_class(name, kind) -> None:
    assert type(classified(name)) is kind


def test_gateway_pages_and_broken_bodies_are_tried_again(server, client, account) -> None:
    for kind in ("502", "garbage", "truncated"):
        server.faults.clear()
        server.faults.every(2, kind, path="/api/v1", times=1)
        list(client.payments(account.id))
        assert len(list(client.payments(account.id))) == len(account.tables["payments"])


def test_each_operation_has_a_budget_of_its_own(server, account) -> None:
    """Lists and retrieves count apart at Whop: one budget for all would halve the speed, none would trip the limit."""
    asked: list[str] = []

    class Counted(NoPace):
        def __init__(self, name: str) -> None:
            self.name = name

        def wait(self) -> float:
            asked.append(self.name)
            return 0.0

    with WhopClient(server.whop_url, account.key, Counted) as client:
        list(client.plans())
        client.payment("pay_none")
    assert asked == ["plans", "payments.one"]


class Replay(BaseHTTPRequestHandler):
    pages: ClassVar[dict[str, dict]] = {}

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        body = json.dumps(self.pages[query.get("after", [""])[0]]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def replay():
    httpd = HTTPServer(("127.0.0.1", 0), Replay)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    with WhopClient(f"http://127.0.0.1:{httpd.server_port}", "key", lambda _: NoPace()) as client:
        yield client
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.mark.parametrize(
    ("name", "pages"), [("memberships", 3), ("members", 2), ("payments", 2), ("refunds", 1), ("memberships_empty", 0)]
)
def test_the_pages_of_the_fixtures_are_read(replay, name, pages) -> None:
    bodies = [fixture(f"{name}_page_{n + 1}") for n in range(pages)] or [fixture(name)]
    cursors = ["", *(body["page_info"]["end_cursor"] for body in bodies[:-1])]
    Replay.pages = dict(zip(cursors, bodies, strict=True))
    rows = list(getattr(replay, name.partition("_")[0])())
    assert rows == [row for body in bodies for row in body["data"]]
    assert replay.usage.requests == len(bodies)


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ({"page_info": {"has_next_page": False}}, "data"),
        ({"data": []}, "page_info.has_next_page"),
        ({"data": [], "page_info": {"has_next_page": True, "end_cursor": None}}, "page_info.end_cursor"),
    ],
)
def test_an_answer_without_what_the_walk_needs_is_not_an_empty_list(replay, body, column) -> None:
    """A renamed key once read as "nothing there", and the replace that followed emptied a table."""
    Replay.pages = {"": body}
    with pytest.raises(DataError) as refused:
        list(replay.payments())
    assert refused.value.column == column
