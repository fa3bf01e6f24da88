"""What each answer of Resend means, by its real client against the stand-in and a server of fixed answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.mail import mailer
from creator_pipeline.mail.mailer import Mailer, backoff, judge
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.settings import Settings
from creator_pipeline_tests.support import paths

FIXTURES = paths.FIXTURES / "resend" / "resend_errors.json"
ERRORS: dict[str, Any] = json.loads(FIXTURES.read_text())
MAIL = {"from": "a@example.com", "to": ["b@example.net"], "subject": "s", "text": "t"}

ACTIONS = {
    "fail": "failed",
    "fail_conflict": "failed",
    "fail_config": "stop",
    "retry_same_key": "retry",
    "retry_after": "retry",
    "defer_long": "defer",
}
OF_NO_MAIL = {"unverified_domain": "refused", "not_found": "retry", "method_not_allowed": "retry"}
"""An account in test mode refuses the recipient; and what is wrong with the address that was asked is no mail's fault."""


class Fixed(BaseHTTPRequestHandler):
    """Answers everything with ``answer``: status, headers, body."""

    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def fixed(settings: Settings) -> Iterator[Settings]:
    """Settings that send to a server of fixed answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fixed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield settings.model_copy(update={"resend_api_url": f"http://127.0.0.1:{server.server_port}"})
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_leads_to_what_must_be_done_about_it(name: str, fixed: Settings) -> None:
    """A revoked key retried all night, or a quota's end taken for a busy second."""
    error = ERRORS[name]
    Fixed.answer = (error["status"], error["headers"], json.dumps(error["body"]).encode())
    verdict = Mailer(fixed).send(MAIL, "key")
    assert verdict.action == OF_NO_MAIL.get(name, ACTIONS[error["action"]])
    assert str(error["status"]) in verdict.reason
    assert verdict.wait == {
        "rate_limit_exceeded": 1.0,
        "daily_quota_exceeded": mailer.QUOTA_SECONDS,
        "monthly_quota_exceeded": mailer.QUOTA_SECONDS,
        "unverified_domain": mailer.REFUSED_SECONDS,
    }.get(name, mailer.CONFIG_SECONDS if verdict.action == "stop" else None)
    assert "you@example.com" not in verdict.reason


@pytest.mark.parametrize(
    ("status", "headers", "body", "action"),
    [
        (502, {"content-type": "text/html"}, b"<html>Bad gateway</html>", "retry"),
        (200, {"content-type": "text/html"}, b"<html>Just a moment</html>", "retry"),
        (200, {"content-type": "application/json"}, b"{}", "retry"),
        (200, {"content-type": "application/json"}, b'[{"id": "4"}]', "retry"),
        (200, {"content-type": "application/json"}, b"null", "retry"),
        (200, {"content-type": "application/json"}, b'{"id": {"id": "4"}}', "retry"),
        (404, {"content-type": "text/html"}, b"<html>not here</html>", "retry"),
        (200, {"content-type": "application/json"}, b'{"id": "4', "retry"),
        (403, {"content-type": "text/html"}, b"<html>blocked</html>", "stop"),
        (503, {"content-type": "text/plain", "Retry-After": "7"}, b"later", "retry"),
        (418, {"content-type": "application/json"}, b'{"name": "teapot", "message": "no"}', "failed"),
    ],
)
def test_answers_that_are_not_of_the_book(
    status: int, headers: dict[str, str], body: bytes, action: str, fixed: Settings
) -> None:
    """The page of a network in between counted as sent."""
    Fixed.answer = (status, headers, body)
    verdict = Mailer(fixed).send(MAIL, "key")
    assert verdict.action == action
    assert verdict.wait == (7.0 if status == 503 else mailer.CONFIG_SECONDS if action == "stop" else None)


def test_the_real_client_is_taken_by_the_stand_in_and_the_key_goes_with_it(
    resend: ResendApi, settings: Settings
) -> None:
    """An idempotency key that is made and never sent."""
    first = Mailer(settings).send(MAIL, "event/1")
    assert first.action == "sent"
    assert Mailer(settings).send(MAIL, "event/1").provider_id == first.provider_id
    assert [(mail.idempotency_key, mail.payload) for mail in resend.inbox] == [("event/1", MAIL)]
    changed = Mailer(settings).send({**MAIL, "subject": "other"}, "event/1")
    assert (changed.action, "already sent" in changed.reason) == ("failed", True)


def test_nobody_there_and_no_answer_in_time_leave_the_outcome_open(
    resend: ResendApi, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out counted as not sent: the reader gets two mails."""
    nobody = settings.model_copy(update={"resend_api_url": "http://127.0.0.1:9"})
    assert Mailer(nobody).send(MAIL, "event/1").action == "retry"
    monkeypatch.setattr(mailer, "TIMEOUT_SECONDS", 0.1)
    resend.latency = 2.0
    assert Mailer(settings).send(MAIL, "event/1").action == "retry"
    # What follows is answered: on a busy machine not within a tenth of a second.
    monkeypatch.setattr(mailer, "TIMEOUT_SECONDS", 10.0)
    busy = Mailer(settings).send(MAIL, "event/1")
    assert (busy.action, "concurrent" in busy.reason) == ("retry", True)
    deadline = time.monotonic() + 30
    while Mailer(settings).send(MAIL, "event/1").action != "sent":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(resend.inbox) == 1


def test_no_key_is_an_error_before_anything_is_sent(unset: Settings) -> None:
    """'Bearer None'."""
    with pytest.raises(ConfigError, match="RESEND_API_KEY"):
        Mailer(unset)


def test_a_wait_that_is_asked_for_is_bounded_and_read_as_a_date_too() -> None:
    """A Retry-After of a year, or one that int() can't read."""
    assert judge(429, "rate_limit_exceeded", "", {"RETRY-AFTER": "99999999"}).wait == mailer.MAX_WAIT_SECONDS
    assert judge(429, "rate_limit_exceeded", "", {"retry-after": "Sat, 01 Jan 2022 00:00:00 GMT"}).wait == 0.0


def test_waits_grow_to_a_quarter_of_an_hour() -> None:
    """An outage hammered at, or given up on."""
    assert 1.6 <= backoff(1) <= 2.4
    assert 6.4 <= backoff(3) <= 9.6
    assert 720 <= backoff(400) <= 1080


def test_without_redis_each_sender_keeps_to_its_half_of_the_rate(settings: Settings) -> None:
    """Gateway and daemon together above Resend's limit."""
    mailer._local.cache_clear()
    budget = mailer.pace(settings.model_copy(update={"resend_requests_per_second": 0.02}))
    assert isinstance(budget, LocalPace)
    assert budget.reserve() == 0.0
    assert 90 < budget.reserve() <= 105


@pytest.mark.parametrize(
    ("message", "action"),
    [
        ("The example.com domain is not verified. Please, add and verify your domain.", "stop"),
        ("You can only send testing emails to your own email address (you@example.com).", "refused"),
        ("This recipient may not be written to.", "refused"),
    ],
)
def test_a_domain_that_is_refused_stops_all_mail_and_a_recipient_only_its_own(message: str, action: str) -> None:
    """The first state of every account: one recipient that it may not write to stopped all mail for 23 hours."""
    assert mailer.judge(403, "validation_error", message, {}).action == action
