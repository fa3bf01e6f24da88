"""A recipient that is refused, and addresses that can't be written to: the others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.mail import notify, outbox
from creator_pipeline.mail.mailer import Mailer, Verdict, judge
from creator_pipeline.mail.outbox import Mail
from creator_pipeline.monitoring import health, mail_checks
from creator_pipeline.platforms.gumroad.access import SOURCE
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, profiles

Read = Callable[[str], dict[str, Any]]
TEST_MODE = "You can only send testing emails to your own email address (me@example.com)."


def mail_to(to: str, key: str) -> Mail:
    return Mail(key, "ops_test", to, {"sent_at": "now"})


def test_one_refused_recipient_goes_to_the_end_of_the_line(
    warehouse: Warehouse, settings: Settings, message: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account in test mode: the first mail to anybody else stopped every mail for 23 hours."""
    asked: list[str] = []

    def send(_self: Mailer, payload: dict[str, Any], _key: str) -> Verdict:
        (to,) = payload["to"]
        asked.append(to)
        allowed = to == "me@example.com"
        return Verdict("sent", provider_id="id-1") if allowed else judge(403, "validation_error", TEST_MODE, {})

    monkeypatch.setattr(Mailer, "send", send)
    outbox.write(warehouse, settings, mail_to("other@example.com", "1"), mail_to("me@example.com", "2"))
    report = outbox.flush(warehouse, settings)
    assert (report.sent, report.retried, report.problem) == (1, 1, None)
    assert asked == ["other@example.com", "me@example.com"]
    assert message("1")["status"] == "queued"
    assert "from" not in message("1")["payload"]
    assert outbox.flush(warehouse, settings).retried == 0
    told = {one.name: one for one in mail_checks.delivery(warehouse, settings)}
    assert "verify one at Resend" in told["mail/refused"].hint
    assert "me@example.com" not in told["mail/refused"].detail


def failed(warehouse: Warehouse, settings: Settings) -> list[str]:
    """Something that the owner and the operators are told of."""
    broken = Finding("a/1", "no", "It broke.")
    health.run([Check("a/", lambda: [broken])], warehouse, settings)
    return notify.notify_failure(
        warehouse,
        settings,
        profile_id="alice",
        event_id="run-1",
        source=SOURCE,
        trigger="request",
        error_message="It broke.",
    )


def recipients(warehouse: Warehouse) -> list[str]:
    with warehouse.read() as connection:
        return sorted(connection.execute(select(email_messages.c.to)).scalars())


@pytest.mark.parametrize(
    ("ops", "told"),
    [
        ("Ops <ops@example.com>", ["alice@example.net", "ops@example.com"]),
        ("a@example.com, B <b@example.com>", ["a@example.com", "alice@example.net", "b@example.com"]),
        ("nobody, b@example.com", ["alice@example.net", "b@example.com"]),
        ("nobody", ["alice@example.net"]),
    ],
)
def test_each_address_of_ops_email_is_told_and_an_odd_one_silences_nobody(
    warehouse: Warehouse, settings: Settings, ops: str, told: list[str]
) -> None:
    """A display name in OPS_EMAIL: no alert, no mail to the seller, and the health check itself failed."""
    config = settings.model_copy(update={"ops_email": ops})
    assert len(failed(warehouse, config)) == 1
    assert recipients(warehouse) == told
    assert failed(warehouse, config) != []
    assert recipients(warehouse) == told
    with warehouse.read() as connection:
        named = [one.of for one in mail_checks.unreachable(connection, config)]
    assert named == (["OPS_EMAIL/unusable/1"] if "nobody" in ops else [])


def test_a_profile_s_odd_address_silences_nobody_else(warehouse: Warehouse, settings: Settings) -> None:
    """A profile that was written by another program: its failures were told to nobody, not even to the operators."""
    with warehouse.write() as connection:
        connection.execute(update(profiles).where(profiles.c.id == "alice").values(email="alice at example"))
    config = settings.model_copy(update={"ops_email": "ops@example.com"})
    assert failed(warehouse, config) == []
    assert recipients(warehouse) == ["ops@example.com"]
    (finding,) = [one for one in mail_checks.delivery(warehouse, config) if one.profile_id]
    assert (finding.name, finding.hint) == ("mail/address/alice", "creator-pipeline profiles add alice --email ANOTHER")
    assert [one.name for one in mail_checks.who_gets_no_mail(config)] == ["mail addresses alice"]
