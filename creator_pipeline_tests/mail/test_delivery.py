"""What became of sent mails: Resend's webhooks, signed, repeated, in any order."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.mail import functions, messages, outbox
from creator_pipeline.mail.delivery import delivery_rates, handle_resend_event
from creator_pipeline.mail.mailer import Verdict
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.sandbox.resend_webhooks import Hook, signed
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_suppressions, webhook_events

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
Read = Callable[[str], dict[str, Any]]


@pytest.fixture
def told(warehouse: Warehouse, settings: Settings) -> Callable[..., int]:
    """Delivers one event, signed, under an id; returns the status."""
    config = Settings(**{**settings.model_dump(), "resend_webhook_secret": SECRET})

    def deliver(delivery_id: str, event: str, email_id: str, to: str = "alice@example.net", **data: Any) -> int:
        said = {"email_id": email_id, "to": [to], "tags": {"app": "creator_pipeline"}, **data}
        body = orjson.dumps({"type": event, "created_at": "2026-11-23T20:00:00Z", "data": said})
        headers = signed(Hook("h", "http://x", SECRET), delivery_id, body)
        return handle_resend_event(body, headers, warehouse=warehouse, settings=config)

    return deliver


@pytest.fixture
def sent(warehouse: Warehouse, settings: Settings, resend: ResendApi) -> str:
    """Resend's id of a mail that was sent under the key ``k``."""
    functions.send_ingestion_completed(
        "alice@example.net", "job", 3, warehouse=warehouse, settings=settings, idempotency_key="k"
    )
    assert outbox.flush(warehouse, settings).sent == 1
    return resend.inbox[0].id


def suppressions(warehouse: Warehouse) -> list[tuple[str, ...]]:
    table = email_suppressions
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(select(table.c.email, table.c.category, table.c.reason))]


def events(warehouse: Warehouse) -> dict[str, tuple[str, int]]:
    with warehouse.read() as connection:
        rows = connection.execute(select(webhook_events)).all()
    return {row.delivery_id: (row.status, row.repeats) for row in rows}


def test_status_goes_forward_by_rank_whatever_comes_first(told: Callable[..., int], sent: str, message: Read) -> None:
    """'sent' arrives after 'delivered' and takes it back."""
    for number, (event, status) in enumerate(
        [
            ("email.delivered", "delivered"),
            ("email.sent", "delivered"),
            ("email.delivery_delayed", "delivered"),
            ("email.complained", "complained"),
            ("email.delivered", "complained"),
            ("email.bounced", "complained"),
        ]
    ):
        assert told(f"m{number}", event, sent) == 200
        assert message("k")["status"] == status


def test_a_repeat_is_counted_and_done_once(warehouse: Warehouse, told: Callable[..., int], sent: str) -> None:
    """Retried deliveries done again."""
    for _ in range(3):
        assert told("m1", "email.delivered", sent) == 200
    assert events(warehouse) == {"m1": ("done", 2)}


@pytest.mark.parametrize(
    ("event", "data", "reason"),
    [
        ("email.bounced", {"bounce": {"type": "Permanent", "subType": "NoEmail"}}, "bounced"),
        ("email.bounced", {"bounce": {"type": "Transient", "subType": "MailboxFull"}}, None),
        ("email.bounced", {"bounce": {"type": "Undetermined"}}, None),
        ("email.complained", {}, "complained"),
        ("email.delivered", {}, None),
    ],
)
def test_permanent_bounces_and_complaints_stop_all_mail_to_the_address(
    warehouse: Warehouse, told: Callable[..., int], sent: str, event: str, data: dict[str, Any], reason: str | None
) -> None:
    """A full mailbox shut out for ever; a dead one written to until the account is closed."""
    told("m1", event, sent, "Alice <Alice@Example.net>", **data)
    assert suppressions(warehouse) == ([("alice@example.net", "*", reason)] if reason else [])


def test_an_event_that_comes_before_the_note_of_its_mail_is_not_lost(
    warehouse: Warehouse, settings: Settings, told: Callable[..., int], resend: ResendApi, message: Read
) -> None:
    """The sender is killed after the send; 'delivered' arrives before its successor has noted Resend's id."""
    functions.send_ingestion_completed(
        "alice@example.net", "job", 3, warehouse=warehouse, settings=settings, idempotency_key="k"
    )
    with warehouse.write() as connection:
        claimed, _ = messages.claim(connection, "a@example.com", 60.0)
    assert claimed is not None
    assert told("m1", "email.delivered", "id-1") == 200
    assert events(warehouse) == {"m1": ("stored", 0)}
    outbox._record(warehouse, claimed, Verdict("sent", provider_id="id-1"))
    assert message("k")["status"] == "delivered"
    assert events(warehouse) == {"m1": ("done", 0)}


def test_other_mails_of_the_account_are_none_of_ours(warehouse: Warehouse, told: Callable[..., int], sent: str) -> None:
    """Rows that wait for ever for a mail we never sent."""
    told("m1", "email.delivered", "elsewhere", tags={})
    told("m2", "contact.created", "elsewhere")
    assert events(warehouse) == {"m1": ("ignored", 0), "m2": ("ignored", 0)}


def test_no_address_is_kept_of_an_event(warehouse: Warehouse, told: Callable[..., int], sent: str) -> None:
    """Personal data in a table nobody thinks of when a profile is erased."""
    told("m1", "email.bounced", sent, subject="Hello", bounce={"type": "Permanent", "message": "alice@example.net"})
    with warehouse.read() as connection:
        payload = connection.execute(select(webhook_events.c.payload)).scalar_one()
    assert "alice" not in payload
    assert "Hello" not in payload


def test_bad_signatures_are_401_and_unreadable_bodies_400(warehouse: Warehouse, settings: Settings) -> None:
    """Anybody suppresses anybody's address."""
    config = Settings(**{**settings.model_dump(), "resend_webhook_secret": SECRET})
    body = b'{"type": "email.complained", "data": {"email_id": "x", "to": ["alice@example.net"]}}'
    good = signed(Hook("h", "http://x", SECRET), "m1", body)
    other = signed(Hook("h", "http://x", "whsec_" + base64.b64encode(b"o" * 24).decode()), "m1", body)
    old = {**good, "svix-timestamp": str(int(time.time()) - 600)}
    for headers in ({}, other, old, {**good, "svix-id": "m2"}, {**good, "svix-signature": "v1,?"}):
        assert handle_resend_event(body, headers, warehouse=warehouse, settings=config) == 401
    assert handle_resend_event(body + b" ", good, warehouse=warehouse, settings=config) == 401
    for text in (b"[]", b"{}", b"x", b'{"type": "email.sent", "data": 3}'):
        headers = signed(Hook("h", "http://x", SECRET), "m9", text)
        assert handle_resend_event(text, headers, warehouse=warehouse, settings=config) == 400
    assert suppressions(warehouse) == []
    assert events(warehouse) == {}
    with pytest.raises(ConfigError, match="RESEND_WEBHOOK_SECRET"):
        handle_resend_event(body, good, warehouse=warehouse, settings=settings)


def test_rates_are_of_what_resend_took(
    warehouse: Warehouse, settings: Settings, told: Callable[..., int], resend: ResendApi
) -> None:
    """An account paused by Resend before anybody has seen a figure."""
    assert delivery_rates(warehouse).healthy
    assert delivery_rates(warehouse).bounce_rate == 0.0
    for n in range(4):
        functions.send_ingestion_completed(f"r{n}@example.net", "job", n, warehouse=warehouse, settings=settings)
    assert delivery_rates(warehouse).queued == 4
    assert delivery_rates(warehouse).oldest_queued_seconds >= 0.0
    outbox.flush(warehouse, settings)
    told("m1", "email.bounced", resend.inbox[0].id, bounce={"type": "Transient"})
    told("m2", "email.delivered", resend.inbox[1].id)
    rates = delivery_rates(warehouse)
    assert (rates.accepted, rates.sent, rates.delivered, rates.bounced) == (4, 2, 1, 1)
    assert (rates.bounce_rate, rates.healthy) == (0.25, False)
    assert rates.metadata()["bounce_rate"] == 0.25
    assert delivery_rates(warehouse, 0).accepted == 0


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    """URL of a server that takes everything, and what it took."""
    taken: list[tuple[bytes, dict[str, str]]] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.rfile.read(int(self.headers["content-length"])), dict(self.headers.items())))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", taken
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_stand_in_tells_as_resend_does(
    warehouse: Warehouse,
    settings: Settings,
    resend: ResendApi,
    message: Read,
    endpoint: tuple[str, list[tuple[bytes, dict[str, str]]]],
) -> None:
    """A receiver that only ever saw its own tests' bodies."""
    url, taken = endpoint
    hook = resend.events.add(url)
    config = Settings(**{**settings.model_dump(), "resend_webhook_secret": hook.secret})
    for to in ("alice", "bounced", "complained"):
        functions.send_subscription_updated(
            f"{to}@example.net", "pro", "Pro", warehouse=warehouse, settings=config, idempotency_key=to
        )
    outbox.flush(warehouse, config)
    resend.events.send_again()
    resend.events.wait_idle()
    for body, headers in taken:
        assert handle_resend_event(body, headers, warehouse=warehouse, settings=config) == 200
    assert message("alice")["status"] == "delivered"
    assert message("bounced")["status"] == "bounced"
    assert message("bounced")["error"] == "Permanent bounce (NoEmail)."
    assert message("complained")["status"] == "complained"
    assert sorted(suppressions(warehouse)) == [
        ("bounced@example.net", "*", "bounced"),
        ("complained@example.net", "*", "complained"),
    ]
