"""Durable before answered: kills, stops, databases that are away."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from creator_pipeline.core.errors import TransientError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.gateway import deliveries
from creator_pipeline.gateway.deliveries import DeliveryWriter
from creator_pipeline.platforms.intake import Intake
from creator_pipeline.platforms.webhooks import Delivery
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, webhook_events
from creator_pipeline_tests.support import forkserver, local_http, servers
from creator_pipeline_tests.support.gateway import (
    ACCOUNT,
    WHOP_SECRET,
    Gateway,
    settings_of,
    signed,
    whop_event,
)


def writer_of(warehouse: Warehouse) -> DeliveryWriter:
    queue = JobQueue(warehouse, None)
    return DeliveryWriter(Intake(warehouse, queue, settings_of(os.environ["DATABASE_URL"])), queue)


def delivery(number: int, event_type: str = "payment.succeeded") -> Delivery:
    return Delivery("whop", f"msg_{number}", event_type, {"kind": "payment", "ids": [f"pay_{number}"]})


def test_one_that_the_database_refuses_does_not_take_the_others_with_it(warehouse: Warehouse):
    """Guards: one odd delivery stopping all that came within the same moment."""

    async def send() -> list[object]:
        writer = writer_of(warehouse)
        sending = [writer.store(delivery(n, "\ud800" if n == 7 else "x")) for n in range(20)]
        waiting = asyncio.gather(*sending, return_exceptions=True)
        await asyncio.sleep(0.01)
        writer.start()
        outcomes = await waiting
        await writer.stop()
        return outcomes

    outcomes = asyncio.run(send())
    assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Exception)] == [7]
    with warehouse.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM webhook_events")).scalar_one() == 19


def test_a_warehouse_that_takes_too_long_is_a_503_in_time_for_gumroad_to_try_again(
    sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    """Guards: an answer after the sender hung up, who then never tries again."""
    monkeypatch.setattr(deliveries, "ANSWER_SECONDS", 0.3)
    with Gateway(os.environ["DATABASE_URL"]) as gateway:
        body = whop_event()
        with sqlite_warehouse.write():
            answer = gateway.whop(body, signed(body))
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert gateway.http.get("/healthz").status_code == 200
        monkeypatch.setattr(deliveries, "ANSWER_SECONDS", 30.0)
        again = gateway.whop(body, signed(body))
        assert again.status_code == 202
        assert len(gateway.rows(webhook_events)) == 1


def test_what_waits_is_written_before_the_end(warehouse: Warehouse):
    """Guards: deliveries in memory at the moment of a deployment."""

    async def send() -> int:
        writer = writer_of(warehouse)
        waiting = [asyncio.ensure_future(writer.store(delivery(number))) for number in range(1200)]
        await asyncio.sleep(0)
        writer.start()
        await writer.stop()
        with pytest.raises(TransientError):
            await writer.store(delivery(5000))
        return len(await asyncio.gather(*waiting))

    assert asyncio.run(send()) == 1200


def test_senders_are_sent_away_when_too_many_wait(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch):
    """Guards: memory filled while the warehouse is away."""
    monkeypatch.setattr(deliveries, "MAX_WAITING", 2)
    monkeypatch.setattr(deliveries, "ANSWER_SECONDS", 0.05)

    async def send() -> list[object]:
        writer = writer_of(warehouse)
        return await asyncio.gather(*(writer.store(delivery(n)) for n in range(3)), return_exceptions=True)

    *_, last = asyncio.run(send())
    assert "wait already" in str(last)


@contextmanager
def command(url: str, port: int, home: Path) -> Iterator[forkserver.Child]:
    """The real command in a process of its own, killed at the end if it still runs."""
    environment = os.environ | {"DATABASE_URL": url, "WHOP_WEBHOOK_SECRET": WHOP_SECRET, "REDIS_URL": ""}
    process = forkserver.start(
        "creator-pipeline", "gateway", "--port", str(port), environment=environment, folder=home, log=home / "log"
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, (home / "log").read_text()
            try:
                local_http.get(f"http://127.0.0.1:{port}/healthz", timeout=20)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def send_until_refused(port: int, accepted: list[str], stop: threading.Event, offset: int) -> None:
    number = offset
    with local_http.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
        while not stop.is_set():
            name, body = f"msg_{number}", whop_event(f"pay_{number}")
            try:
                if http.post("/webhooks/whop", content=body, headers=signed(body, name)).status_code == 202:
                    accepted.append(name)
            except httpx.TransportError:
                return
            number += 1


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_whatever_was_answered_is_there_after_a_stop_and_after_a_kill(
    sqlite_warehouse: Warehouse, tmp_path: Path, how: signal.Signals, code: int
):
    """Guards: a delivery that was answered, never sent again, and lost."""
    url = os.environ["DATABASE_URL"]
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(
            connection, KeyRing([os.environ["APP_SECRET_KEYS"]]), "whop", "alice", "key", external_account_id=ACCOUNT
        )
    accepted: list[str] = []
    stop = threading.Event()
    port = servers.free_port()
    with command(url, port, tmp_path) as process:
        senders = [
            threading.Thread(target=send_until_refused, args=(port, accepted, stop, n * 100_000)) for n in range(6)
        ]
        for sender in senders:
            sender.start()
        while len(accepted) < 150:
            time.sleep(0.01)
        process.send_signal(how)
        assert process.wait(30) == code, (tmp_path / "log").read_text()
        stop.set()
        for sender in senders:
            sender.join()
    with sqlite_warehouse.read() as connection:
        stored = {row.delivery_id: row.job_id for row in connection.execute(webhook_events.select())}
        jobs = {row.id for row in connection.execute(ingestion_jobs.select())}
    assert set(accepted) <= stored.keys()
    assert set(stored.values()) == jobs
