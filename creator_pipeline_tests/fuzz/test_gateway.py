"""Bodies, headers and tokens at the gateway's routes, on a real database: never a 5xx."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import httpx
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from creator_pipeline.core import signing
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.queue.limits import Limits
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import webhook_events
from creator_pipeline_tests.support import gumroad_samples, whop_samples
from creator_pipeline_tests.support.gateway import PATH_SECRET, RESEND_SECRET, WHOP_SECRET, Gateway
from creator_pipeline_tests.support.hostile import BODIES, DEEP, TEXT, TEXTS, changed, quick

pytestmark = pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
"""It refuses more than SQLite does."""

AUTH_SECRET = "whsec_" + base64.b64encode(b"a secret of Supabase's hook").decode()
WHOP = [
    orjson.loads(path.read_bytes())
    for path in sorted((whop_samples.FIXTURES / "2026-10-15-1" / "webhooks").glob("*.body.json"))
]
PINGS = [path.read_text() for path in sorted(gumroad_samples.FIXTURES.glob("ping_*.txt"))]
RESEND = {
    "type": "email.bounced",
    "created_at": "2026-09-20T12:00:00Z",
    "data": {
        "email_id": "e_1",
        "to": ["reader@example.net"],
        "tags": {"app": "creator_pipeline"},
        "bounce": {"type": "Permanent", "subType": "General", "message": "gone"},
        "failed": {"reason": "no"},
    },
}
AUTH = {
    "user": {"id": "1", "email": "a@example.net", "new_email": "b@example.net"},
    "metadata": {"uuid": "u", "time": "2026-09-20T12:00:00Z", "ip_address": "192.0.2.1"},
    "email_data": {
        "token": "123456",
        "token_hash": "h",
        "token_new": "",
        "token_hash_new": "h2",
        "redirect_to": "https://app.example.com/",
        "email_action_type": "signup",
        "site_url": "https://x.supabase.co",
    },
}
ACTIONS = ["signup", "recovery", "email_change", "email_changed_notification", "reauthentication", "unknown"]


@pytest.fixture
def gateway(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Without its limits: a 429 would hide what is behind it."""
    monkeypatch.setattr(Limits, "hit", lambda *_: (True, 0.0))
    with Gateway(
        str(warehouse.engine.url.render_as_string(hide_password=False)), supabase_hook_secret=f"v1,{AUTH_SECRET}"
    ) as running:
        running.add("alice", "whop", "biz_alice")
        yield running


def post(gateway: Gateway, prefix: str, secret: str | bytes, path: str, body: bytes, delivery: str) -> httpx.Response:
    """A well-signed delivery of whatever body."""
    sent = datetime.now(UTC)
    headers = {
        f"{prefix}-id": delivery,
        f"{prefix}-timestamp": str(int(sent.timestamp())),
        f"{prefix}-signature": Webhook(secret).sign(delivery, sent, body.decode()),
    }
    return gateway.http.post(path, content=body, headers=headers)


def readable(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


BODY = st.sampled_from([body for body in BODIES if readable(body)])


@quick(25)
@given(body=BODY | changed(st.sampled_from(WHOP)).map(orjson.dumps), number=st.integers(0, 10**9))
@example(body=b'{"type":"\\u0000","data":{"id":"\\u0000"}}', number=1)
def test_a_signed_delivery_of_whop_is_taken_whatever_it_says(gateway: Gateway, body: bytes, number: int) -> None:
    """Incident: a type of event with NUL could not be stored: 503, and Whop sent it again for days."""
    answer = post(gateway, "webhook", WHOP_SECRET.encode(), "/webhooks/whop", body, f"msg_{number}")
    assert answer.status_code in {202, 413}, answer.text


@quick(20)
@given(
    fields=st.dictionaries(
        st.sampled_from(["sale_id", "sale_timestamp", "resource_name", "seller_id", "test"]) | TEXT, TEXT, max_size=4
    ),
    ping=st.sampled_from(PINGS),
    kind=st.sampled_from(["application/x-www-form-urlencoded", "application/json", "", "json;\u00e9"]),
    raw=st.none() | st.sampled_from(BODIES),
)
@example(fields={}, ping="sale_id=s1&resource_name=sale&sale_timestamp=9999-12-31T00:00:00Z", kind="", raw=None)
def test_a_ping_of_gumroad_is_taken_whatever_it_says(
    gateway: Gateway, fields: dict[str, str], ping: str, kind: str, raw: bytes | None
) -> None:
    """Incident: a sale of 31 December 9999, and JSON a thousand deep, were each a 500 that Gumroad never repeats."""
    own = orjson.dumps(fields) if "json" in kind else f"{ping.strip()}&{urlencode(fields)}".encode()
    answer = gateway.http.post(
        f"/webhooks/gumroad/{PATH_SECRET}",
        content=own if raw is None else raw,
        headers={"Content-Type": kind.encode("latin-1")},
    )
    assert answer.status_code == 202, answer.text


@quick(20)
@given(
    body=BODY | changed(st.just(RESEND)).map(orjson.dumps),
    number=st.integers(0, 10**9),
    kind=st.sampled_from(["email.sent", "email.bounced", "email.complained"]),
)
def test_an_event_of_resend_is_taken_or_refused(gateway: Gateway, body: bytes, number: int, kind: str) -> None:
    """Incident: an address that was no text failed the delivery, and Resend shut the webhook off after a week."""
    body = body.replace(b"email.bounced", kind.encode())
    answer = post(gateway, "svix", RESEND_SECRET, "/webhooks/resend", body, f"msg_{number}")
    assert answer.status_code in {200, 400}, answer.text


@quick(25)
@given(
    body=BODY | changed(st.just(AUTH)).map(orjson.dumps), action=st.sampled_from(ACTIONS), number=st.integers(0, 10**9)
)
@example(body=orjson.dumps(AUTH).replace(b"https://app.example.com/", b"http://["), action="signup", number=1)
@example(body=orjson.dumps(AUTH).replace(b"192.0.2.1", b"\\u0000"), action="signup", number=2)
def test_a_call_of_supabase_is_answered_200(gateway: Gateway, body: bytes, action: str, number: int) -> None:
    """Incident: redirect_to=http://[ failed the whole sign-up of a person who could not know why."""
    body = body.replace(b'"signup"', orjson.dumps(action))
    answer = post(gateway, "webhook", AUTH_SECRET, "/webhooks/auth", body, f"msg_{number}")
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json(), dict)


@quick(25)
@given(
    route=st.sampled_from(["whop", "resend", "auth", "gumroad/x"]),
    prefix=st.sampled_from(["webhook", "svix"]),
    values=st.tuples(
        *[
            st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30).map(
                str.strip
            )
            | st.sampled_from(
                [text.strip() for text in TEXTS if text.isascii() and text.isprintable() and len(text) < 5000]
            )
        ]
        * 3
    ),
    body=st.sampled_from(BODIES),
)
def test_headers_of_any_kind_are_no_signature(
    gateway: Gateway, route: str, prefix: str, values: tuple[str, str, str], body: bytes
) -> None:
    """Incident: a timestamp of 400 digits, or a signature in Latin-1, was a 500 in the code that compares."""
    headers = {
        f"{prefix}-{part}": value.encode("latin-1")
        for part, value in zip(("id", "timestamp", "signature"), values, strict=True)
    }
    answer = gateway.http.post(f"/webhooks/{route}", content=body, headers=headers)
    assert answer.status_code in {400, 401, 404, 413, 431}, answer.text


@quick(20)
@given(
    path=st.sampled_from(
        [
            "/unsubscribe/{}",
            "/me/enter/{}",
            "/jobs/{}",
            "/oauth/gumroad/start?profile_id={}",
            "/oauth/gumroad/start?profile_id=alice&link={}",
            "/oauth/gumroad/connected?result={}",
            CALLBACK_PATH + "?code=1&state={}",
            "/webhooks/gumroad/{}",
        ]
    ),
    word=TEXT,
    damage=st.none() | st.tuples(st.integers(0, 200), TEXT),
    bearer=st.sampled_from(["good", "", "Bearer", "Bearer cpk_\u00e9", "Basic x", "Bearer " + "x" * 5000]),
)
@example(path="/jobs/{}", word="\0", damage=None, bearer="good")
def test_a_token_that_is_not_ours_leads_nowhere(
    gateway: Gateway, path: str, word: str, damage: tuple[int, str] | None, bearer: str
) -> None:
    """Incident: GET /jobs/%00 was a 500, because PostgreSQL looks for no NUL."""
    token = word
    if damage is not None:
        good = signing.sign(gateway.ring, "page-link.v1", ["alice", "mailbox"])
        token = good[: damage[0]] + damage[1] + good[damage[0] :]
    headers = KEY if bearer == "good" else {"Authorization": bearer.encode("latin-1")}
    if bearer == "good" and not KEY:
        KEY.update(gateway.key("alice"))
    url = path.format(quote(token[:3000], safe=""))
    method = "POST" if "webhooks" in path else "GET"
    answer = gateway.http.request(
        method, url, headers=headers | {"Cookie": f"gumroad_oauth={quote(token[:500])}; me={quote(token[:500])}"}
    )
    assert 400 <= answer.status_code < 500 or (answer.status_code, url.partition("?")[0]) == (
        302,
        "/oauth/gumroad/start",
    ), answer.text


KEY: dict[str, str] = {}


@quick(5)
@given(name=TEXT, content=st.sampled_from(BODIES) | st.binary(max_size=200))
def test_an_upload_of_any_name_and_content_is_refused_in_words(gateway: Gateway, name: str, content: bytes) -> None:
    """Incident: a file's name with NUL passed the door and failed in the inbox."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % name[:500].encode()
    answer = gateway.http.post(
        "/uploads/kdp",
        content=head + content + b"\r\n--b--\r\n",
        headers=gateway.key("alice") | {"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code in {400, 413, 415, 422}, answer.text
    assert answer.json()["error"]["message"]


def test_no_body_costs_more_than_a_moment(gateway: Gateway) -> None:
    """Incident: one small body, nested deep or with a number of a million digits, kept a processor busy for minutes."""
    bodies = [
        *DEEP,
        b'{"a":' + b"9" * 900_000 + b"}",
        b'{"' + b"k" * 900_000 + b'":1}',
        b"&" * 900_000,
        b"a=b&" * 200_000,
    ]
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        for body in bodies:
            began = time.monotonic()
            answer = gateway.http.post(f"/webhooks/gumroad/{PATH_SECRET}", content=body, headers={"Content-Type": kind})
            assert answer.status_code == 202
            assert time.monotonic() - began < 20
    assert all(len(row["payload"]) < 1000 for row in gateway.rows(webhook_events))
