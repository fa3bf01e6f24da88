"""Deliveries, genuine and not, against a real server and real databases."""

from __future__ import annotations

import base64
import os
import random
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import orjson
import pytest

from creator_pipeline.platforms.gumroad.webhook import profile_secret
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, ingestion_jobs, webhook_events
from creator_pipeline_tests.support import paths
from creator_pipeline_tests.support.gateway import (
    PATH_SECRET,
    RESEND_SECRET,
    WHOP_SECRET,
    Gateway,
    signed,
    whop_event,
)

FIXTURES = paths.FIXTURES / "gumroad"
SALE = (FIXTURES / "ping_sale.txt").read_bytes()
REFUND = (FIXTURES / "ping_refund_partial.txt").read_bytes()


def test_a_delivery_sent_three_times_by_many_is_stored_once_and_is_one_job(gateway: Gateway):
    """Guards: at-least-once senders making twins of jobs."""
    gateway.add("alice", "whop", "biz_alice")
    sends = [f"msg_{number}" for number in range(60) for _ in range(3)]
    random.Random(5).shuffle(sends)

    def send(delivery_id: str) -> tuple[int, bool]:
        body = whop_event(f"pay_{delivery_id[4:]}")
        answer = gateway.whop(body, signed(body, delivery_id))
        return answer.status_code, answer.json()["repeat"]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, sends))
    assert {status for status, _ in answers} == {202}
    assert sum(not repeat for _, repeat in answers) == 60
    events, jobs = gateway.rows(webhook_events), gateway.rows(ingestion_jobs)
    assert [row["repeats"] for row in events] == [2] * 60
    assert {row["status"] for row in events} == {"queued"}
    assert {row["job_id"] for row in events} == {row["id"] for row in jobs}
    assert len(jobs) == 60
    assert {(row["profile_id"], row["source"], row["kind"]) for row in jobs} == {("alice", "whop", "webhook")}


def test_nothing_personal_of_a_delivery_is_kept(gateway: Gateway):
    """Guards: buyers' addresses in a table that nobody thinks of when a buyer asks to be forgotten."""
    gateway.add("alice", "whop", "biz_alice")
    gateway.add("bob", "gumroad")
    body = whop_event()
    gateway.whop(body, signed(body))
    gateway.ping(SALE)
    kept = orjson.dumps([str(dict(row)) for table in (webhook_events, ingestion_jobs) for row in gateway.rows(table)])
    assert b"pay_1" in kept
    assert b"@" not in kept
    assert b"%40" not in kept


@pytest.mark.parametrize(
    "attack",
    ["no headers", "other secret", "secret as base64", "other body", "truncated", "ten minutes old", "from the future"],
)
def test_a_delivery_that_whop_did_not_send_now_is_refused(shared: Gateway, attack: str):
    """Guards: whoever knows the address making the pipeline work, or replaying what was caught on the way."""
    before = len(shared.rows(webhook_events))
    body = whop_event()
    headers = signed(body)
    match attack:
        case "no headers":
            headers = {}
        case "other secret":
            headers = signed(body, secret=b"ws_other")
        case "secret as base64":
            headers = signed(body, secret=base64.b64decode(WHOP_SECRET[3:] + "=="))
        case "other body":
            body = whop_event("pay_2")
        case "truncated":
            body = body[:-1]
        case "ten minutes old":
            headers = signed(body, age=600)
        case _:
            headers = signed(body, age=-600)
    answer = shared.whop(body, headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "bad_signature"
    assert "WHOP_WEBHOOK_SECRET" in answer.json()["error"]["hint"]
    assert WHOP_SECRET not in answer.text
    assert len(shared.rows(webhook_events)) == before


@pytest.mark.parametrize("signature", ["v1,%%%", "v1", "", "v1,aGk= v1a,x", "ä".encode().decode("latin-1")])
def test_a_signature_that_is_no_signature_is_refused_and_no_failure(shared: Gateway, signature: str):
    """Guards: the library's ValueErrors on malformed headers becoming 500s."""
    body = whop_event()
    assert shared.whop(body, signed(body) | {"webhook-signature": signature.encode("latin-1")}).status_code == 401


def test_two_signatures_of_which_one_is_good_are_accepted(shared: Gateway):
    """Guards: deliveries lost while the secret is rotated."""
    body = whop_event()
    good = signed(body, "msg_two")
    good["webhook-signature"] = f"v1,{base64.b64encode(b'x' * 32).decode()} {good['webhook-signature']}"
    assert shared.whop(body, good).status_code == 202


def test_a_delivery_of_a_stranger_s_account_is_kept_and_ignored(shared: Gateway):
    """Guards: another company's payments asked for with this profile's key."""
    body = whop_event(account="biz_stranger")
    assert shared.whop(body, signed(body, "msg_stranger")).json() == {"status": "ignored", "repeat": False}
    row = next(row for row in shared.rows(webhook_events) if row["delivery_id"] == "msg_stranger")
    assert (row["profile_id"], row["job_id"]) == (None, None)


def test_an_event_of_no_interest_and_a_body_that_cannot_be_read_are_accepted_once_signed(shared: Gateway):
    """Guards: Whop switching the webhook off because of answers it can't change."""
    for number, body in enumerate([whop_event(type="chat.message"), b"not json", b"[]"]):
        assert shared.whop(body, signed(body, f"msg_odd_{number}")).json()["status"] == "ignored"


@pytest.mark.parametrize("secret", ["wrong", PATH_SECRET[:-1], PATH_SECRET + "x", "alice.AAAA", ".", "%00", "ä"])
def test_a_ping_to_a_wrong_address_finds_nothing(shared: Gateway, secret: str):
    """Guards: pings, which nobody signs, taken from anyone."""
    assert shared.ping(SALE, secret).status_code == 404


def test_a_ping_asks_every_connected_profile_unless_its_address_names_one(gateway: Gateway):
    """Guards: a sale nobody reads again because the body named another seller."""
    for profile in ("alice", "bob"):
        gateway.add(profile, "gumroad")
    gateway.add("carol")
    assert gateway.ping(SALE).json()["status"] == "queued"
    assert {row["profile_id"] for row in gateway.rows(ingestion_jobs)} == {"alice", "bob"}
    assert gateway.ping(REFUND, profile_secret(PATH_SECRET, "bob")).json()["status"] == "queued"
    assert sorted(row["profile_id"] for row in gateway.rows(ingestion_jobs)) == ["alice", "bob", "bob"]
    payload = orjson.loads(gateway.rows(ingestion_jobs)[0]["payload"])
    assert payload == {"sale_ids": [parse_qs(SALE.decode())["sale_id"][0]], "test": False, "read_days": False}


def test_an_overwritten_sale_id_makes_its_day_be_read_instead(gateway: Gateway):
    """Guards: a buyer's form field called sale_id hiding the buyer's refund until the night."""
    gateway.add("alice", "gumroad")
    gateway.ping("sale_id=other&custom_fields%5Bsale_id%5D=other&sale_timestamp=2026-09-19T18:42:07Z")
    gateway.ping((FIXTURES / "ping_cancellation.txt").read_bytes().replace(b"purchase_ids", b"none"))
    first, second = (
        orjson.loads(row["payload"]) for row in sorted(gateway.rows(ingestion_jobs), key=lambda row: row["created_at"])
    )
    assert first == {"sale_ids": [], "test": False, "from": "2026-09-19", "to": "2026-09-20"}
    assert second == {
        "sale_ids": [],
        "test": False,
        "subscription_id": "eohrgiccZ8pjAPNB4mw7eQ==",
        "purchase_ids": [],
    }


def test_an_account_s_mail_is_stored_once_and_answered_at_once(warehouse: Warehouse):
    """Guards: a sign-up that fails because its mail took too long; and three mails for three tries."""
    secret = "v1,whsec_" + base64.b64encode(b"k" * 32).decode()
    call = {
        "metadata": {"uuid": "8d3c", "time": "2026-11-23T10:00:00Z", "name": "send-email"},
        "user": {"email": "new@example.com"},
        "email_data": {"token": "123456", "token_hash": "a" * 56, "email_action_type": "signup", "redirect_to": ""},
    }
    body = orjson.dumps(call)
    with Gateway(os.environ["DATABASE_URL"], supabase_hook_secret=secret) as gateway:
        for attempt in ("msg_1", "msg_2"):
            headers = signed(body, attempt, secret=secret.removeprefix("v1,"))
            answer = gateway.http.post("/webhooks/auth", content=body, headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert gateway.http.post("/webhooks/auth", content=body + b" ", headers=headers).status_code == 401
        assert [row["status"] for row in gateway.rows(email_messages)] == ["held"]


def test_a_retry_of_the_sender_is_a_repeat_although_its_body_differs(gateway: Gateway):
    """Guards: ``retry_count`` making a new delivery of each try."""
    gateway.add("alice", "gumroad")
    retried = (FIXTURES / "ping_sale_retry_1.txt").read_bytes()
    first = retried.replace(b"&retry_count=1", b"")
    assert first != retried
    assert [gateway.ping(body).json()["repeat"] for body in (first, retried, first)] == [False, True, True]
    assert len(gateway.rows(ingestion_jobs)) == 1


def test_a_second_partial_refund_is_read_although_its_ping_is_the_same_word_for_word(gateway: Gateway):
    """Guards: money that went back and stayed in the ledger, because two refunds look alike."""
    gateway.add("alice", "gumroad")
    answers = [gateway.ping(REFUND).json()["repeat"] for _ in range(2)]
    assert answers == [False, True]
    assert [row["repeats"] for row in gateway.rows(webhook_events)] == [1]
    assert len(gateway.rows(ingestion_jobs)) == 2


def test_a_source_that_is_switched_off_keeps_deliveries_for_a_replay(sqlite_warehouse: Warehouse):
    """Guards: what arrives while a flag is off being lost."""
    with Gateway(os.environ["DATABASE_URL"], enable_whop=False) as gateway:
        gateway.add("alice", "whop", "biz_alice")
        body = whop_event()
        assert gateway.whop(body, signed(body)).json()["status"] == "stored"
        assert gateway.rows(ingestion_jobs) == []


def test_a_mail_s_delivery_event_is_taken_when_resend_signed_it(shared: Gateway):
    """Guards: bounces that never stop the next mail; and anyone suppressing anyone's mails."""
    body = orjson.dumps({"type": "email.delivered", "created_at": "2026-11-23T10:00:00Z", "data": {"email_id": "e1"}})
    headers = {name.replace("webhook", "svix"): value for name, value in signed(body, secret=RESEND_SECRET).items()}
    assert shared.http.post("/webhooks/resend", content=body, headers=headers).status_code == 200
    assert shared.http.post("/webhooks/resend", content=body + b" ", headers=headers).status_code == 401
    assert shared.http.post("/webhooks/auth", content=body, headers=headers).status_code == 401


def test_without_a_secret_nothing_is_believed(sqlite_warehouse: Warehouse):
    """Guards: a forgotten variable opening the door."""
    with Gateway(
        os.environ["DATABASE_URL"],
        whop_webhook_secret=None,
        gumroad_webhook_secret=None,
        resend_webhook_secret=None,
    ) as gateway:
        body = whop_event()
        assert gateway.whop(body, signed(body)).status_code == 401
        assert gateway.ping(SALE, "").status_code == 404
        assert gateway.ping(SALE, "None").status_code == 404
        assert gateway.http.post("/webhooks/resend", content=b"{}").status_code == 401
