"""Nobody waits behind a neighbour: each kind of work that blocks has threads and a deadline of its own."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from pathlib import Path

import httpx
import orjson
import pytest
from sqlalchemy import text

from creator_pipeline.core.errors import TransientError
from creator_pipeline.gateway import connect_links, lanes
from creator_pipeline.gateway.lanes import Lane
from creator_pipeline.platforms.gumroad import oauth
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.store.tables import email_messages, ingestion_jobs, platform_connections
from creator_pipeline_tests.support import local_http, servers
from creator_pipeline_tests.support.dripping import dripping
from creator_pipeline_tests.support.gateway import Gateway, signed, whop_event
from creator_pipeline_tests.support.gumroad_oauth import come_back, connecting, said_at_gumroad, start
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer

HOOK = "v1,whsec_" + base64.b64encode(b"h" * 32).decode()


def sign_up(gateway: Gateway, uuid: str = "u-1") -> httpx.Response:
    data = {"email_action_type": "signup", "token_hash": "h", "redirect_to": ""}
    body = orjson.dumps({"user": {"email": "new@example.com"}, "email_data": data, "metadata": {"uuid": uuid}})
    return gateway.http.post("/webhooks/auth", content=body, headers=signed(body, secret=HOOK.removeprefix("v1,")))


def test_a_call_that_takes_too_long_is_given_up_and_one_too_many_is_sent_away():
    """Guards: an answer long after its sender has gone; and a queue that grows for as long as something hangs."""

    async def play() -> list[str]:
        lane, hold = Lane("test", 1, 0.05), threading.Event()
        said: list[str] = []
        for _ in range(2):
            with pytest.raises(TransientError) as caught:
                await lane.run(hold.wait)
            said.append(caught.value.message)
        waiting = [asyncio.ensure_future(lane.run(hold.wait)) for _ in range(lanes.WAITING_EACH * 2)]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        said += [str(one) for one in answers]
        hold.set()
        while lane._open:
            await asyncio.sleep(0.001)
        assert await lane.run(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0)
        lane.close()
        return said

    said = asyncio.run(play())
    assert said[0] == said[1] == "It took longer than 0.05 s (test)."
    assert any("Too much waits" in one for one in said)


def test_nothing_of_the_gateway_blocks_in_threads_that_all_share():
    """Guards: a route whose work waits behind seven sellers who connect."""
    for path in (ROOT / "creator_pipeline" / "gateway").glob("*.py"):
        if path.name not in {"app.py", "deliveries.py"}:  # before the first request, and after the last one
            assert "to_thread" not in path.read_text(encoding="utf-8"), path.name


def test_callbacks_at_a_token_address_that_drips_hold_up_nobody_and_lose_nothing(
    sqlite_warehouse: object, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    """Guards: seven sellers who connect while Gumroad is slow, a sign-up that fails, and a consent that is used up."""
    monkeypatch.setattr(oauth, "SECONDS", 0.5)
    with connecting(sandbox, supabase_hook_secret=HOOK) as gateway, dripping() as slow:
        gateway.add("alice")
        query = said_at_gumroad(start(gateway))
        good = gateway.config.gumroad_api_url
        object.__setattr__(gateway.config, "gumroad_api_url", slow)
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in gateway.http.cookies.items())}
        url, answers = gateway.url + CALLBACK_PATH, list[httpx.Response]()
        threads = [
            threading.Thread(
                target=lambda: answers.append(local_http.get(url, params=query, headers=cookie, timeout=30))
            )
            for _ in range(7)
        ]
        for thread in threads:
            thread.start()
        assert sign_up(gateway).status_code == 200
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in answers} == {503}
        assert all("Load this page again" in answer.text for answer in answers)
        object.__setattr__(gateway.config, "gumroad_api_url", good)
        assert come_back(gateway, query).status_code == 303
        assert [row["status"] for row in gateway.rows(platform_connections)] == ["active"]


def test_an_answer_of_megabytes_at_the_token_address_is_not_read(
    sqlite_warehouse: object, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    """Guards: memory filled by whatever answers in Gumroad's name."""
    monkeypatch.setattr(oauth, "MAX_BYTES", 10)
    with connecting(sandbox) as gateway:
        gateway.add("alice")
        query = said_at_gumroad(start(gateway))
        answer = come_back(gateway, query)
        assert (answer.status_code, "answers with more than" in answer.text) == (503, True)


def test_tokens_that_can_t_be_stored_are_kept_for_the_next_try(
    sqlite_warehouse: object, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    """Guards: a code that was used up for nothing, because the warehouse went away in between."""
    use_once = connect_links.use_once

    def away(*_: object, **__: object) -> bool:
        raise TransientError("The warehouse is away.")

    with connecting(sandbox) as gateway:
        gateway.add("alice")
        query = said_at_gumroad(start(gateway))
        monkeypatch.setattr(connect_links, "use_once", away)
        answer = come_back(gateway, query)
        assert answer.status_code == 503
        kept = gateway.http.cookies["gumroad_oauth_kept"]
        assert sandbox.world.gumroad["alice"].token not in kept
        monkeypatch.setattr(connect_links, "use_once", use_once)
        asked = sandbox.faults.requests["/oauth/token"]
        # Somebody else's answer can't be finished with them.
        forged = {"Cookie": f"gumroad_oauth=other; gumroad_oauth_kept={kept}"}
        assert local_http.get(gateway.url + CALLBACK_PATH, params=query, headers=forged).status_code == 400
        assert local_http.head(gateway.url + CALLBACK_PATH, params=query).status_code == 405
        assert come_back(gateway, query).status_code == 303
        assert sandbox.faults.requests["/oauth/token"] == asked
        assert len(gateway.rows(ingestion_jobs)) == 1
        assert "gumroad_oauth_kept" not in gateway.http.cookies
        assert come_back(gateway, query).status_code == 400


def test_a_locked_table_is_a_503_in_time_and_frees_its_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Guards: a sign-up that waits twelve seconds, for a caller who gives up after five."""
    monkeypatch.setattr("creator_pipeline.gateway.services.LOCK_SECONDS", 0.2)
    url = servers.postgres().fresh_database()
    with Gateway(url, dagster_home=tmp_path, supabase_hook_secret=HOOK) as gateway:
        with gateway.services.warehouse.engine.begin() as connection:
            connection.execute(text("LOCK TABLE email_messages IN ACCESS EXCLUSIVE MODE"))
            began = time.monotonic()
            refused = [sign_up(gateway, f"u-{number}") for number in range(5)]
            body = whop_event()
            assert gateway.whop(body, signed(body)).status_code == 202
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(503, "5")}
        assert time.monotonic() - began < 5 * gateway.services.lanes.auth.seconds
        assert sign_up(gateway).status_code == 200
        assert len(gateway.rows(email_messages)) == 1
        gateway.services.warehouse.engine.dispose()
