"""Supabase's Send Email hook: whose call it is, and which mails it becomes."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.mail import outbox
from creator_pipeline.mail.auth_hook import AuthHookResult, handle_auth_hook, origin
from creator_pipeline.mail.signatures import verified
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages
from creator_pipeline_tests.support.auth_calls import UUID, call, sign

OLD, NEW = ("v1,whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
Read = Callable[[str], dict[str, Any]]


@pytest.fixture
def config(settings: Settings) -> Settings:
    """Settings with a hook secret in rotation."""
    return Settings(**{**settings.model_dump(), "supabase_hook_secret": f"{NEW}|{OLD}"})


@pytest.fixture
def hook(warehouse: Warehouse, config: Settings) -> Callable[..., AuthHookResult]:
    """Makes one signed call."""

    def send(body: bytes, **options: Any) -> AuthHookResult:
        return handle_auth_hook(body, sign(body, NEW), warehouse=warehouse, settings=config, **options)

    return send


def links(payload: dict[str, Any]) -> dict[str, str]:
    """Query of the link of the button, and its base under an empty name."""
    line = next(line for line in payload["text"].splitlines() if line.startswith("https://"))
    parts = urlsplit(line)
    return {"": line.split("?")[0], **{name: values[0] for name, values in parse_qs(parts.query).items()}}


def test_only_calls_that_are_signed_by_one_of_the_secrets_count(warehouse: Warehouse, config: Settings) -> None:
    """Anybody mails anybody in our name; or a rotation that stops all sign-ups."""
    body = call("signup")

    def status(headers: dict[str, str], sent: bytes = body) -> int:
        return handle_auth_hook(sent, headers, warehouse=warehouse, settings=config).status

    assert status(sign(body, OLD)) == status(sign(body, NEW)) == status(sign(body, OLD, NEW)) == 200
    stranger = "v1,whsec_" + base64.b64encode(b"x" * 32).decode()
    assert status(sign(body, stranger, NEW)) == 200
    rewritten = json.dumps(json.loads(body)).encode()
    good = sign(body, NEW)
    assert status(good, rewritten) == 401
    assert status(sign(body, stranger)) == status(sign(body, NEW, age=301)) == status({}) == 401
    for signature in ("v1", "v1,%%%", "garbage", "", "v1a,AAAA"):
        assert status({**good, "Webhook-Signature": signature}) == 401
    assert status(good, b"\xff\xfe") == 401


def test_a_secret_that_can_not_be_read_opens_to_nobody_and_spaces_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    """Guards: a slip in the variable that lets everybody in, or stops all sign-ups without a word."""
    body = call("signup")
    assert verified(body, sign(body, NEW), f" {OLD} | {NEW} ")
    assert not caplog.records
    assert verified(body, sign(body, NEW), "v1,whsec_%%%|") is False
    assert "not base64" in caplog.text
    assert verified(body, sign(body, NEW), f"v1,whsec_%%%|{NEW}")
    assert verified(body, {**sign(body, NEW), "Webhook-Id": ""}, NEW) is False


def test_a_missing_secret_is_said_and_takes_no_call(warehouse: Warehouse, settings: Settings) -> None:
    """An empty secret that verifies everything."""
    body = call("signup")
    with pytest.raises(ConfigError, match="SUPABASE_HOOK_SECRET"):
        handle_auth_hook(body, sign(body, NEW), warehouse=warehouse, settings=settings)


@pytest.mark.parametrize(
    ("action", "kind", "verify_type"),
    [
        ("signup", "signup_confirmation", "signup"),
        ("recovery", "password_reset", "recovery"),
        ("invite", "invite", "invite"),
        ("magiclink", "magic_link", "magiclink"),
        ("email", "magic_link", "email"),
    ],
)
def test_each_action_with_a_link_becomes_its_mail(
    hook: Callable[..., AuthHookResult], message: Read, action: str, kind: str, verify_type: str
) -> None:
    """A link that Auth doesn't redeem."""
    result = hook(call(action))
    assert (result.status, result.json_body, result.message_ids) == (200, {}, (f"auth/{UUID}",))
    row = message(f"auth/{UUID}")
    assert (row["kind"], row["to"], row["status"]) == (kind, "ada@example.net", "queued")
    assert links(row["payload"]) == {
        "": "https://pipeline.example.com/auth/confirm",
        "token_hash": "hash-a",
        "type": verify_type,
        "next": "https://pipeline.example.com/welcome?a=1&b=2",
    }
    assert "482913" in row["payload"]["text"]
    assert "headers" not in row["payload"]


def test_a_tries_of_one_call_are_one_mail_and_calls_without_uuid_go_by_the_webhook_id(
    hook: Callable[..., AuthHookResult], warehouse: Warehouse, config: Settings, resend: ResendApi
) -> None:
    """Auth tries three times within five seconds: three mails."""
    body = call("recovery")
    for webhook_id in ("msg_1", "msg_2", "msg_3"):
        headers = sign(body, NEW, webhook_id=webhook_id)
        result = handle_auth_hook(body, headers, warehouse=warehouse, settings=config)
        assert result.message_ids == (f"auth/{UUID}",)
    outbox.flush(warehouse, config, ids=result.message_ids)
    assert [mail.idempotency_key for mail in resend.inbox] == [f"auth/{UUID}"]
    assert hook(call("recovery", metadata={})).message_ids != result.message_ids


def test_a_change_of_address_in_secure_mode_is_two_mails_with_crossed_hashes(
    hook: Callable[..., AuthHookResult], message: Read
) -> None:
    """Both links refused: the hashes' names are crossed."""
    body = call(
        "email_change",
        user={"new_email": "ada@example.org"},
        token="111111",
        token_hash="hash-of-new",
        token_new="222222",
        token_hash_new="hash-of-current",
    )
    assert hook(body).message_ids == (f"auth/{UUID}/current", f"auth/{UUID}/new")
    current, new = message(f"auth/{UUID}/current"), message(f"auth/{UUID}/new")
    assert (current["to"], new["to"]) == ("ada@example.net", "ada@example.org")
    assert links(current["payload"])["token_hash"] == "hash-of-current"
    assert links(new["payload"])["token_hash"] == "hash-of-new"
    assert "111111" in current["payload"]["text"]
    assert "222222" in new["payload"]["text"]
    assert "ada@example.net" not in new["payload"]["text"]


def test_a_change_of_address_without_secure_mode_goes_to_the_new_one_only(
    hook: Callable[..., AuthHookResult], message: Read
) -> None:
    """A mail without a link to the old address."""
    body = call("email_change", user={"new_email": "ada@example.org"}, token_hash="hash-of-new")
    assert hook(body).message_ids == (f"auth/{UUID}/new",)
    assert links(message(f"auth/{UUID}/new")["payload"])["token_hash"] == "hash-of-new"
    assert "482913" in message(f"auth/{UUID}/new")["payload"]["text"]


def test_reauthentication_is_a_code_without_link_and_without_the_code_in_the_subject(
    hook: Callable[..., AuthHookResult], message: Read
) -> None:
    """A code on a locked screen, or a link that leads nowhere."""
    hook(call("reauthentication"))
    row = message(f"auth/{UUID}")
    assert "482913" in row["payload"]["text"]
    assert "482913" not in row["subject"]
    assert "https://" not in row["payload"]["text"]


@pytest.mark.parametrize(
    ("action", "kind", "data", "shown"),
    [
        ("password_changed_notification", "password_changed", {}, "203.0.113.7"),
        ("phone_changed_notification", "phone_changed", {"old_phone": "+12025550142"}, "+12025550142"),
        ("identity_linked_notification", "identity_linked", {"provider": "google"}, "google"),
        ("identity_unlinked_notification", "identity_unlinked", {"provider": "google"}, "google"),
        ("mfa_factor_enrolled_notification", "mfa_enrolled", {"factor_type": "totp"}, "totp"),
        ("mfa_factor_unenrolled_notification", "mfa_unenrolled", {"factor_type": "totp"}, "totp"),
    ],
)
def test_each_notice_becomes_its_mail(
    hook: Callable[..., AuthHookResult], message: Read, action: str, kind: str, data: dict[str, str], shown: str
) -> None:
    """A takeover that nobody is told of."""
    hook(call(action, **{"token": "", "token_hash": "", **data}))
    row = message(f"auth/{UUID}")
    assert (row["kind"], row["to"]) == (kind, "ada@example.net")
    assert shown in row["payload"]["text"]
    assert "23 November 2026, 20:05 UTC" in row["payload"]["text"]


def test_a_changed_address_is_told_to_the_old_one(hook: Callable[..., AuthHookResult], message: Read) -> None:
    """The thief is told of the theft."""
    hook(call("email_changed_notification", old_email="old@example.net", token="", token_hash=""))
    row = message(f"auth/{UUID}")
    assert row["to"] == "old@example.net"
    assert "ada@example.net" in row["payload"]["text"]


def test_what_is_not_known_is_answered_200_and_noted(
    hook: Callable[..., AuthHookResult], caplog: pytest.LogCaptureFixture
) -> None:
    """A new action of Auth fails the user's call."""
    assert hook(call("moon_landing_notification")) == AuthHookResult(200, {}, ())
    assert "moon_landing_notification" in caplog.text
    assert hook(call("email_changed_notification")) == AuthHookResult(200, {}, ())


@pytest.mark.parametrize(
    "body",
    [b"[]", b"x", b"{}", b'{"user": {}, "email_data": 3}', b'{"user":1,"email_data":{"email_action_type":"signup"}}'],
)
def test_a_body_that_can_not_be_read_is_an_error_for_the_user_and_no_crash(
    hook: Callable[..., AuthHookResult], body: bytes
) -> None:
    """A sign-up that succeeds without its mail."""
    result = hook(body)
    assert (result.status, result.json_body["error"]["http_code"]) == (200, 422)
    assert result.message_ids == ()


def test_without_an_address_the_user_is_told(hook: Callable[..., AuthHookResult], warehouse: Warehouse) -> None:
    """An e-mail change of which only one of two mails is stored."""
    result = hook(call("email_change", token_hash_new="x"))
    assert (result.json_body["error"]["http_code"], result.message_ids) == (422, ())
    with warehouse.read() as connection:
        assert connection.execute(select(email_messages.c.id)).all() == []


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/",
        "https://pipeline.example.com.evil.example/",
        "https://pipeline.example.com@evil.example/",
        "https://evil.example\\@pipeline.example.com/",
        "http://pipeline.example.com/",
        "javascript:alert(1)",
        "//evil.example",
        "",
    ],
)
def test_links_lead_to_allowed_places_only(hook: Callable[..., AuthHookResult], message: Read, redirect: str) -> None:
    """A reset mail of ours that ends on a stranger's page."""
    hook(call("recovery", redirect_to=redirect))
    assert "next" not in links(message(f"auth/{UUID}")["payload"])
    assert "evil" not in message(f"auth/{UUID}")["payload"]["html"]


def test_the_link_can_be_auths_own_endpoint(hook: Callable[..., AuthHookResult], message: Read) -> None:
    """An app without a page that calls verifyOtp has links that lead nowhere."""
    hook(call("signup"), confirm_url="https://ref.supabase.example/auth/v1/verify")
    assert links(message(f"auth/{UUID}")["payload"]) == {
        "": "https://ref.supabase.example/auth/v1/verify",
        "token": "hash-a",
        "type": "signup",
        "redirect_to": "https://pipeline.example.com/welcome?a=1&b=2",
    }


@pytest.mark.parametrize(
    ("redirect", "kept"),
    [
        ("https://app.example.com/in?a=1", True),
        ("myapp://callback/in", True),
        ("http://localhost:3000/in", True),
        ("https://other.example.com/in", False),
        ("otherapp://callback", False),
        ("http://localhost:3001/in", False),
    ],
)
def test_redirects_to_origins_of_the_setting_are_kept(
    warehouse: Warehouse, config: Settings, message: Read, redirect: str, kept: bool
) -> None:
    """Whoever signed up in the app landed on Auth's own page, because the app is at another address."""
    origins = {"auth_redirect_origins": "https://App.example.com, myapp://callback,http://localhost:3000"}
    config = config.model_copy(update=origins)
    body = call("signup", redirect_to=redirect)
    handle_auth_hook(body, sign(body, NEW), warehouse=warehouse, settings=config)
    assert links(message(f"auth/{UUID}")["payload"]).get("next") == (redirect if kept else None)


@pytest.mark.parametrize(
    ("action", "missing"),
    [
        ("signup", {"token": "", "token_hash": ""}),
        ("recovery", {"token_hash": ""}),
        ("reauthentication", {"token": ""}),
        ("email_change", {"token_hash": "", "token_hash_new": "x"}),
    ],
)
def test_a_call_without_its_token_is_refused(
    hook: Callable[..., AuthHookResult], warehouse: Warehouse, action: str, missing: dict[str, str]
) -> None:
    """A mail with a button that opens nothing, and a sign-up that looks as if it had gone well."""
    result = hook(call(action, user={"new_email": "new@example.net"}, **missing))
    assert (result.json_body["error"]["http_code"], result.message_ids) == (422, ())
    with warehouse.read() as connection:
        assert connection.execute(select(email_messages.c.id)).all() == []


def test_an_origin_is_scheme_host_and_port() -> None:
    """Another port is another server."""
    assert origin("HTTPS://A.example:8443/x?y") == "https://a.example:8443"
    assert origin("/relative") == ""


def test_a_call_is_answered_in_time(hook: Callable[..., AuthHookResult]) -> None:
    """Auth gives up after five seconds and the sign-up fails."""
    hook(call("signup"))
    began = time.perf_counter()
    hook(call("signup", metadata={"uuid": "other"}))
    assert time.perf_counter() - began < 5
