"""The outbox: written once, sent once, and to nobody who may not or will not have it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.core.windows import now
from creator_pipeline.mail import outbox
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_suppressions
from creator_pipeline_tests.support.outbox import notice, reset

Read = Callable[[str], dict[str, Any]]


def test_a_clock_that_is_ahead_delays_no_mail(
    warehouse: Warehouse, settings: Settings, resend: ResendApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: the gateway's clock was an hour ahead of the database's; password resets went out an hour late."""
    if warehouse.is_postgres:
        monkeypatch.setattr(outbox, "now", lambda: now() + timedelta(hours=1))
    outbox.write(warehouse, settings, reset("e/1"))
    assert outbox.flush(warehouse, settings).sent == len(resend.inbox) == 1


def test_many_tellers_one_mail(warehouse: Warehouse, settings: Settings, resend: ResendApi, message: Read) -> None:
    """Hook, sensor and net each mail the same event."""
    assert outbox.write(warehouse, settings, notice("e/1")) == ["e/1"]
    stored = message("e/1")["payload"]
    outbox.write(warehouse, settings, notice("e/1", plan="Other"))
    assert message("e/1")["payload"] == stored
    assert outbox.flush(warehouse, settings).sent == 1
    assert outbox.flush(warehouse, settings) == outbox.FlushReport()
    outbox.write(warehouse, settings, notice("e/1"))
    assert outbox.flush(warehouse, settings) == outbox.FlushReport()
    (mail,) = resend.inbox
    assert mail.payload == {"from": "Pipeline <no-reply@example.com>", **stored} == message("e/1")["payload"]
    assert (mail.idempotency_key, message("e/1")["status"]) == ("e/1", "sent")
    assert message("e/1")["provider_id"] == mail.id


def test_notices_carry_the_one_click_pair_and_security_mails_never(
    warehouse: Warehouse, settings: Settings, message: Read
) -> None:
    """Mailboxes that file notices as spam, or a password reset that can be turned off."""
    outbox.write(warehouse, settings, notice("n"), reset("s"))
    headers = message("n")["payload"]["headers"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].startswith("<https://pipeline.example.com/unsubscribe/")
    assert headers["List-Unsubscribe"][1:-1] in message("n")["payload"]["text"]
    assert "alice@" not in headers["List-Unsubscribe"]
    assert "Hello Alice," in message("n")["payload"]["text"]
    assert "headers" not in message("s")["payload"]
    assert "unsubscribe" not in message("s")["payload"]["html"]


def test_without_a_key_mails_are_held_and_go_when_one_appears(
    warehouse: Warehouse, settings: Settings, unset: Settings, resend: ResendApi, message: Read
) -> None:
    """A first evening's mails lost because the key came the morning after."""
    outbox.write(warehouse, unset, notice("e/1"))
    assert (message("e/1")["status"], "from" in message("e/1")["payload"]) == ("held", False)
    assert message("e/1")["error"] == "RESEND_API_KEY and FROM_EMAIL are not set."
    report = outbox.flush(warehouse, unset)
    assert (report.held, type(report.problem)) == (1, ConfigError)
    assert outbox.flush(warehouse, settings).sent == 1
    assert resend.inbox[0].payload["from"] == "Pipeline <no-reply@example.com>"
    assert message("e/1")["payload"] == resend.inbox[0].payload


def test_the_feature_flag_holds_what_is_queued(
    warehouse: Warehouse, settings: Settings, resend: ResendApi, message: Read
) -> None:
    """Mails that go out though they were switched off."""
    outbox.write(warehouse, settings, notice("e/1"))
    off = settings.model_copy(update={"enable_email": False})
    assert outbox.flush(warehouse, off).held == 1
    assert (message("e/1")["status"], message("e/1")["error"]) == ("held", "ENABLE_EMAIL is false.")
    assert resend.inbox == []
    assert outbox.flush(warehouse, settings).sent == 1


def test_a_from_address_that_is_none_holds_mails_and_loses_none(
    warehouse: Warehouse, settings: Settings, resend: ResendApi, message: Read
) -> None:
    """A typing error in one variable fails every mail for good."""
    broken = settings.model_copy(update={"from_email": "Pipeline"})
    outbox.write(warehouse, broken, notice("e/1"))
    assert outbox.flush(warehouse, broken).held == 1
    assert "FROM_EMAIL is not an address" in message("e/1")["error"]
    assert outbox.flush(warehouse, settings).sent == 1


def test_suppressed_readers_get_nothing_also_when_it_happens_in_between(
    warehouse: Warehouse, settings: Settings, resend: ResendApi, message: Read
) -> None:
    """A mail after the unsubscribe, or a bouncing address asked again until Resend closes the account."""
    outbox.write(warehouse, settings, notice("early"), reset("allowed"), reset("gone", "gone@example.net"))
    rows = [("alice@example.net", "account", "unsubscribed"), ("gone@example.net", "*", "bounced")]
    with warehouse.write() as connection:
        for email, category, reason in rows:
            row = {"email": email, "category": category, "reason": reason, "created_at": now()}
            connection.execute(insert(email_suppressions).values(row))
    outbox.write(warehouse, settings, notice("late", "Alice@Example.net"))
    assert message("late")["status"] == "suppressed"
    report = outbox.flush(warehouse, settings)
    assert (report.sent, report.suppressed) == (1, 2)
    assert [mail.idempotency_key for mail in resend.inbox] == ["allowed"]
    assert message("early")["error"] == "The reader turned account notices off."
    assert message("gone")["error"] == "The address bounces (suppressed)."


def test_mails_of_security_go_first_and_by_name_alone(
    warehouse: Warehouse, settings: Settings, resend: ResendApi
) -> None:
    """A password reset behind a night's hundred notices."""
    outbox.write(warehouse, settings, notice("n/1"), notice("n/2"), reset("s"))
    assert outbox.flush(warehouse, settings, 1).sent == 1
    assert outbox.flush(warehouse, settings, ids=["n/2"]).sent == 1
    assert [mail.idempotency_key for mail in resend.inbox] == ["s", "n/2"]
    assert outbox.flush(warehouse, settings, ids=[]) == outbox.FlushReport()


@pytest.mark.parametrize("address", ["", "alice", "a@b@c", "a@x.net\r\nBcc: b@x.net", "a@x", "a@x.net,b@x.net"])
def test_an_address_that_can_not_be_one_is_refused(warehouse: Warehouse, settings: Settings, address: str) -> None:
    """A line break in an address begins a header."""
    with pytest.raises(DataError, match="not an e-mail address"):
        outbox.write(warehouse, settings, notice("ok"), notice("e/1", address))
    assert outbox.flush(warehouse, settings) == outbox.FlushReport()


def test_a_key_that_resend_would_refuse_is_refused_here(warehouse: Warehouse, settings: Settings) -> None:
    """400 invalid_idempotency_key, a day later."""
    assert len(outbox.event_key("k", "x" * 300)) == 34
    for key in ("", "x" * 257):
        with pytest.raises(DataError, match="256"):
            outbox.write(warehouse, settings, notice(key))
