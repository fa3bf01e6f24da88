from collections.abc import Iterator
from datetime import date

import httpx
import pytest

from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.sandbox import SandboxServer, World

TODAY = date(2026, 9, 20)


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(World.invented(today=TODAY)) as running:
        yield running


@pytest.fixture
def api(server: SandboxServer) -> Iterator[httpx.Client]:
    token = server.world.gumroad["alice"].token
    with local_http.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


@pytest.fixture
def all_rows(api: httpx.Client):
    """Reads every page of a list by its page keys."""

    def read(path: str = "/v2/sales", name: str = "sales", **params: str) -> list[dict]:
        rows: list[dict] = []
        while True:
            answer = api.get(path, params=params)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            rows += body[name]
            if "next_page_key" not in body:
                assert "next_page_url" not in body
                return rows
            assert len(body[name]) == 10
            params = {**params, "page_key": body["next_page_key"]}

    return read
