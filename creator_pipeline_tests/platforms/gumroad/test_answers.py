"""A route that a server doesn't know answers in two ways, and both mean that it isn't there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import pytest

from creator_pipeline.core.errors import RejectedError
from creator_pipeline.platforms.gumroad.answers import NotFoundError
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline_tests.support.http_server import TOKEN, Free, Server, says

DAY = date(2026, 11, 20)
UNKNOWN = [
    (200, b'{"success": false, "message": "The sale was not found."}'),
    (200, b'{"success": false, "message": "The payout was not found."}'),
    (200, b'{"success": false}'),
    (404, b"<html>not here</html>"),
]
OPTIONAL: dict[str, Callable[[GumroadClient], object]] = {
    "summary": lambda client: client.summary(date(2025, 11, 20), DAY),
    "payout": lambda client: client.payouts.payout("p=="),
    "upcoming": lambda client: client.payouts.upcoming(),
    "earnings": lambda client: client.payouts.earnings(2025),
}


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.mark.parametrize("answer", UNKNOWN)
@pytest.mark.parametrize("name", OPTIONAL)
def test_a_route_that_the_server_does_not_know_is_not_there(server: Server, name: str, answer) -> None:
    """Incident: twelve of twelve drift scans failed each night, because "summary" was taken for a sale's id."""
    server.script = [says(*answer)]
    with GumroadClient(server.url, TOKEN, Free()) as client:
        assert OPTIONAL[name](client) is None
    assert len(server.seen) == 1


@pytest.mark.parametrize("answer", UNKNOWN)
def test_a_server_without_payouts_is_an_older_one(server: Server, answer) -> None:
    """Guards: payouts that fail every night where there are none to read."""
    server.script = [says(*answer)]
    with GumroadClient(server.url, TOKEN, Free()) as client, pytest.raises(NotFoundError):
        list(client.payouts.pages())


def test_a_sale_whose_answer_says_something_else_is_no_missing_sale(server: Server) -> None:
    """Guards: a sale taken for gone because the service had a reason of its own not to show it."""
    server.script = [says(200, b'{"success": false, "message": "Please try again."}')]
    with GumroadClient(server.url, TOKEN, Free()) as client, pytest.raises(RejectedError, match="try again"):
        client.sale("s==")
