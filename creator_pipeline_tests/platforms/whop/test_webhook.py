"""A delivery names what to read again, and nothing in it is believed."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from creator_pipeline.core.errors import ConfigError, RejectedError
from creator_pipeline.core.signatures import BadSignatureError
from creator_pipeline.platforms.whop.sandbox.webhooks import signed_headers
from creator_pipeline.platforms.whop.webhook import reread, verify
from creator_pipeline_tests.support.whop_samples import FIXTURES

HOOKS = FIXTURES / "2026-10-15-1" / "webhooks"
SECRET = "ws_test_f1x7ure0secret0not0real0copperleaf"
SIGNED_AT = datetime(2026, 10, 12, 11, tzinfo=UTC)
NAMES = sorted(path.name.removesuffix(".body.json") for path in HOOKS.glob("*.body.json"))


def delivery(name: str) -> tuple[dict[str, str], bytes]:
    return json.loads((HOOKS / f"{name}.headers.json").read_text()), (HOOKS / f"{name}.body.json").read_bytes()


EXPECTED = {
    "dispute.created": ("payment", "pay_E7v8nOoUEY3R3i"),
    "member.created": ("member", "mber_CLxcnyrQKxBHn3"),
    "membership.activated": ("membership", "mem_HWOLcUXJpOQnpc"),
    "membership.cancel_at_period_end_changed": ("membership", "mem_tG4qaNuT5md3iI"),
    "membership.deactivated": ("membership", "mem_lY88DlTiIy7XZp"),
    "membership.trial_ending_soon": ("membership", "mem_HWOLcUXJpOQnpc"),
    "membership.updated": ("membership", "mem_GxUoyobSJ1RrS7"),
    "payment.failed": ("payment", "pay_QhuF3hXfgvIfBx"),
    "payment.pending": ("payment", "pay_JBxo7C8L2xRnJp"),
    "payment.succeeded": ("payment", "pay_UbvgCeBnVZuZbf"),
    "refund.created": ("payment", "pay_7CmvEdIUlvcb85"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_signed_bytes_of_the_fixtures_are_accepted_and_name_what_to_read(name) -> None:
    """Given to a verifier that base64-decodes the secret, every genuine delivery is refused."""
    headers, body = delivery(name)
    told = reread(verify(SECRET, headers, body, moment=SIGNED_AT), body)
    assert (told.kind, told.ids) == (EXPECTED[name][0], (EXPECTED[name][1],))
    assert (told.event_type, told.account_id) == (name, "biz_VrSQQCBbLG8tP1")
    assert told.delivery_id == headers["webhook-id"]


@pytest.mark.parametrize("seconds", [-299, 299])
def test_five_minutes_either_way_are_tolerated(seconds) -> None:
    headers, body = delivery("payment.succeeded")
    assert verify(SECRET, headers, body, moment=SIGNED_AT + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_or_future_delivery_is_refused(seconds) -> None:
    headers, body = delivery("payment.succeeded")
    with pytest.raises(BadSignatureError, match="timestamp"):
        verify(SECRET, headers, body, moment=SIGNED_AT + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v1,\u00e9"},
        {"webhook-signature": "a,b,c"},
        {"webhook-signature": "v2,1E66xMqq07TTjxPN8hbrppgnG+zREHSLL8a26+iWetw="},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "9" * 40},
        {"webhook-timestamp": "1791802800.5"},
        {"webhook-id": "msg_other"},
        {"webhook-id": ""},
        {"webhook-id": None},
        {"webhook-timestamp": None},
        {"webhook-signature": None},
    ],
)
def test_every_malformed_header_is_one_kind_of_refusal(change) -> None:
    """The library leaks ValueError and binascii.Error: a stranger's header answered 500 and filled the error log."""
    headers, body = delivery("payment.succeeded")
    headers = {key: value for key, value in (headers | change).items() if value is not None}
    with pytest.raises(BadSignatureError):
        verify(SECRET, headers, body, moment=SIGNED_AT)


def test_a_changed_body_or_another_secret_is_refused() -> None:
    headers, body = delivery("payment.succeeded")
    for secret, content in ((SECRET, body + b" "), (SECRET[3:], body), (SECRET, b"\xff")):
        with pytest.raises(RejectedError):
            verify(secret, headers, content, moment=SIGNED_AT)
    with pytest.raises(ConfigError):
        verify("", headers, body, moment=SIGNED_AT)


def test_one_good_signature_among_several_is_enough_and_names_have_any_case() -> None:
    headers, body = delivery("payment.succeeded")
    several = {key.title(): value for key, value in headers.items()}
    several["Webhook-Signature"] = f"v1,AAAA v1a,xxxx {headers['webhook-signature']}"
    assert verify(SECRET, several, body, moment=SIGNED_AT)


def test_without_an_id_even_the_right_signature_is_refused() -> None:
    """Guards: deliveries that all count as repeats of the one without an id."""
    headers, body = delivery("payment.succeeded")
    unnamed = signed_headers(SECRET, "", body, SIGNED_AT)
    with pytest.raises(BadSignatureError) as refused:
        verify(SECRET, headers | unnamed, body, moment=SIGNED_AT)
    assert refused.value.code == "bad_signature"


def test_without_a_moment_it_is_the_present_one() -> None:
    """Guards: a delivery of last year, played back today."""
    headers, body = delivery("payment.succeeded")
    with pytest.raises(BadSignatureError, match="timestamp"):
        verify(SECRET, headers, body)
    assert verify(SECRET, signed_headers(SECRET, "msg_1", body, datetime.now(UTC)), body) == "msg_1"


def test_what_the_sandbox_signs_is_what_the_fixtures_hold() -> None:
    headers, body = delivery("refund.created")
    assert signed_headers(SECRET, headers["webhook-id"], body, SIGNED_AT) == headers


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"not json",
        b"{}",
        b'{"type": "invoice.paid", "data": {"id": "inv_1"}}',
        b'{"type": "payment.created", "data": null}',
        b'{"type": "payment.created", "data": {"id": "../members"}}',
        b'{"type": "payment.created", "data": {"id": "pay_1/../../members"}}',
        b'{"type": "payment.created", "data": {"id": "mem_1"}}',
        b'{"type": "payment.created", "data": {"id": 7}}',
        b'{"type": 5, "data": {"id": "pay_1"}}',
    ],
)
def test_what_names_nothing_readable_is_ignored(body) -> None:
    told = reread("msg_1", body)
    assert (told.kind, told.ids) == ("ignored", ())
    assert told.event_type in {"", "invoice.paid", "payment.created"}


@pytest.mark.parametrize(("kind", "name"), [("plan", "plan_1"), ("member", "mber_1"), ("membership", "mem_1")])
@pytest.mark.parametrize("account", ["account_id", "company_id"])
def test_each_kind_names_itself_and_its_account_in_both_dialects(kind, name, account) -> None:
    """Guards: a plan whose new price is never read, and older webhooks whose account has another name."""
    told = reread("msg_1", json.dumps({"type": f"{kind}.updated", account: "biz_1", "data": {"id": name}}).encode())
    assert (told.kind, told.ids, told.account_id) == (kind, (name,), "biz_1")


@pytest.mark.parametrize("data", [{"payment_id": "pay_1"}, {"payment": {"id": "pay_1"}}, {"payment": "pay_1"}])
@pytest.mark.parametrize("family", ["refund.updated", "dispute.updated", "dispute_alert.created"])
def test_refunds_and_disputes_name_their_payment_in_every_shape(family, data) -> None:
    body = json.dumps({"type": family, "data": {"id": "rf_1", **data}}).encode()
    assert reread("msg_1", body).ids == ("pay_1",)
