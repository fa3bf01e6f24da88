"""The client against the facts of the API."""

from datetime import timedelta

import httpx
import orjson
import pytest

from creator_pipeline.core.errors import AuthError, DataError, RejectedError, TransientError
from creator_pipeline.core.http import Answer
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.gumroad.answers import SlowQueryError, classify
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline_tests.support.gumroad_samples import FIXTURES
from creator_pipeline_tests.support.http_server import TOKEN, Free, Server, says

KINDS = {"never": (RejectedError, AuthError), "narrow window": (SlowQueryError,), "restart walk": (RejectedError,)}
# OAuth has a client of its own, and the deprecated page numbers are never asked for.
ERRORS = [
    case
    for case in orjson.loads((FIXTURES / "errors.json").read_bytes())
    if "/v2/" in case["request"] and "page=" not in case["request"]
]
COMMON = {408, 429, 500, 502, 503, 504}


@pytest.fixture
def client(sandbox, client_of):
    return client_of(sandbox)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.mark.parametrize("case", ERRORS, ids=[case["name"] for case in ERRORS])
def test_each_known_error_is_named_by_what_must_be_done(case):
    """Guards: a permanent refusal tried again all night, and a time-out given up for good."""
    body = case.get("body_json")
    content = orjson.dumps(body) if body is not None else case.get("body_text", "").encode()
    parsed = body if body is not None else None
    error = classify(Answer(case["status"], httpx.Headers(case.get("headers", {})), content, parsed))
    kind = KINDS.get(case["retry"])
    if error is None:
        # Left to the common rules: they retry exactly these, and refuse every other.
        assert (case["status"] in COMMON) == (case["retry"] not in KINDS), case
    elif kind is None:
        assert isinstance(error, TransientError), case
    else:
        assert isinstance(error, kind), case
        assert not error.retryable


def test_the_seller_is_read(client):
    """Guards: an account connected to the wrong profile."""
    assert client.user()["email"] == "alice@example.com"


@pytest.mark.parametrize("legacy", [False, True])
def test_the_catalogue_is_read_whole_from_either_kind_of_server(sandbox, client, legacy):
    """Guards: ten products of thirteen, which would mark the others as removed."""
    sandbox.gumroad.legacy = legacy
    products = list(client.products())
    assert {product["id"] for product in products} == {
        product.id for product in sandbox.world.gumroad["alice"].products
    }
    assert len(products) == 13
    assert client.usage.requests == (1 if legacy else 2)


def test_a_window_is_half_open(sandbox, client, first_day):
    """Guards: midnight's sale on two days, or on none."""
    end = today() + timedelta(days=1)
    page = client.sales_page(DayWindow(today(), end))
    assert page.sales
    assert all(sale["created_at"][:10] == today().isoformat() for sale in page.sales)
    before = client.sales_page(DayWindow(today() - timedelta(days=1), today()))
    assert all(sale["created_at"][:10] == (today() - timedelta(days=1)).isoformat() for sale in before.sales)


def test_one_sale_is_read_in_any_state_and_an_unknown_one_is_none(sandbox, client):
    """Guards: a ping that names somebody else's sale failing the whole job."""
    listed = sandbox.world.gumroad["alice"].rows[-1]
    assert client.sale(listed.id)["id"] == listed.id
    assert client.sale("nothing/../x==") is None
    assert client.sale(sandbox.world.gumroad["bea"].rows[-1].id) is None


def test_the_platforms_own_totals_are_read_in_parts_of_a_year(sandbox, client, first_day):
    """Guards: a 400 for a range that the endpoint doesn't take."""
    before = client.usage.requests
    days = client.summary(first_day - timedelta(days=1000), today())
    assert client.usage.requests - before == 3
    truth = sandbox.world.gumroad.totals("alice")
    assert sum(day.gross_cents for day in days.values()) == sum(day.gross_cents for day in truth.values())
    assert sum(day.refunded_cents for day in days.values()) == sum(day.refunded_cents for day in truth.values())


def test_a_server_without_totals_is_no_error(sandbox, client):
    """Guards: older servers, on which every refund would fail the sync."""
    sandbox.gumroad.has_summary = False
    assert client.summary(today(), today()) is None


def test_revoked_and_narrowed_tokens_are_told_apart(sandbox, client):
    """Guards: a connection marked revoked because one scope was missing."""
    sandbox.world.gumroad.drop_scope("alice", "view_sales")
    window = DayWindow(today(), today() + timedelta(days=1))
    with pytest.raises(AuthError, match="view_sales") as caught:
        client.sales_page(window)
    assert not caught.value.revoked
    sandbox.world.gumroad.revoke("alice")
    with pytest.raises(AuthError) as caught:
        client.sales_page(window)
    assert caught.value.revoked


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ({"success": True}, "sales"),
        ({"success": True, "sales": None}, "sales"),
        ([], "sales"),
    ],
)
def test_an_answer_without_its_list_is_an_error_and_not_an_empty_day(server, body, column):
    """Guards: a renamed key read as 'no sales', after which the replace deletes the day."""
    server.script = [says(200, orjson.dumps(body))]
    with GumroadClient(server.url, TOKEN, Free()) as client, pytest.raises(DataError) as caught:
        client.sales_page(DayWindow(today(), today() + timedelta(days=1)))
    assert (caught.value.column, caught.value.expected) == (column, "a list of objects")
