"""A client whose token is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from creator_pipeline.core.errors import AuthError
from creator_pipeline.core.http import ApiClient
from creator_pipeline.platforms.gumroad.client import classify
from creator_pipeline_tests.support.http_server import Free, Server, reply


class Guarded(Server):
    """Lets ``good`` in and refuses every other token, quoting it."""

    def __init__(self) -> None:
        super().__init__()
        self.good = "new"
        self.script = [self.answer]

    def answer(self, handler) -> None:
        given = handler.headers.get("Authorization", "")
        reply(handler, *((200, b'{"ok": true}') if given == f"Bearer {self.good}" else (401, given.encode())))


@pytest.fixture
def server() -> Iterator[Guarded]:
    made = Guarded()
    yield made
    made.close()


def client(server: Guarded, renew) -> ApiClient:
    return ApiClient(base_url=server.url, token="old", classify=classify, pace=Free(), renew=renew)


def test_threads_that_are_refused_together_ask_for_one_new_token(server: Guarded):
    """Guards: a refresh token used twice, which ends the connection."""
    asked: list[str] = []

    def renew(refused: str) -> str:
        asked.append(refused)
        return "new"

    api, together = client(server, renew), threading.Barrier(6)

    def get(_: int) -> object:
        together.wait()
        return api.get("/x")

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(get, range(6))) == [{"ok": True}] * 6
    assert asked == ["old"]
    api.close()


@pytest.mark.parametrize("new", [None, "old", "also bad"])
def test_a_renewal_that_does_not_help_ends_with_the_refusal(server: Guarded, new: str | None):
    """Guards: renewing for ever."""
    asked: list[str] = []

    def renew(refused: str) -> str | None:
        asked.append(refused)
        return new

    api = client(server, renew)
    for _ in range(2):
        with pytest.raises(AuthError):
            api.get("/x")
    assert asked == ["old"]
    api.close()


def test_another_refusal_is_no_reason_to_renew(server: Guarded):
    """Guards: a missing scope taken for a dead token."""
    server.script = [lambda handler: reply(handler, 403, b"")]
    api = client(server, lambda _: pytest.fail("asked"))
    with pytest.raises(AuthError, match="scope"):
        api.get("/x")
    api.close()
