"""Who gets no mail: learned from Resend's events, both ways, and lifted by a person."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.mail import suppressions, unsubscribe
from creator_pipeline.mail.delivery import handle_resend_event
from creator_pipeline.mail.kinds import CATEGORIES
from creator_pipeline.sandbox.resend_webhooks import Hook, signed
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_suppressions

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
ALICE = "alice@example.net"
PERMANENT = {"bounce": {"type": "Permanent", "subType": "General"}}
Tell = Callable[..., None]


@pytest.fixture
def tell(warehouse: Warehouse, settings: Settings) -> Tell:
    """Delivers one event, signed, each under an id of its own."""
    config = Settings(**{**settings.model_dump(), "resend_webhook_secret": SECRET})
    count = iter(range(100))

    def deliver(event: str, **data: Any) -> None:
        body = orjson.dumps({"type": event, "created_at": "2026-11-23T20:00:00Z", "data": data})
        headers = signed(Hook("h", "http://x", SECRET), f"m{next(count)}", body)
        assert handle_resend_event(body, headers, warehouse=warehouse, settings=config) == 200

    return deliver


def known(warehouse: Warehouse) -> set[tuple[str, str, str]]:
    with warehouse.read() as connection:
        return {(one.email, one.category, one.reason) for one in suppressions.listed(connection)}


@pytest.mark.parametrize(
    ("event", "data", "reason"),
    [
        ("email.suppressed", {"to": [ALICE], "suppressed": {"reason": "previous_bounce"}}, "bounced"),
        ("email.suppressed", {"to": ALICE, "suppressed": {"reason": "previous_complaint"}}, "complained"),
        ("email.suppressed", {"to": [ALICE]}, "bounced"),
        ("suppression.added", {"email": ALICE, "origin": "complaint"}, "complained"),
        ("email.bounced", {"to": [ALICE], **PERMANENT}, "bounced"),
    ],
)
def test_what_resend_suppresses_is_suppressed_here(
    warehouse: Warehouse, tell: Tell, event: str, data: dict[str, Any], reason: str
) -> None:
    """Mail after mail into a list that Resend drops, each of them noted as sent."""
    tell(event, **data)
    assert known(warehouse) == {(ALICE, "*", reason)}


@pytest.mark.parametrize("name", ["email", "to", "email_address"])
def test_what_resend_lifts_is_lifted_here(warehouse: Warehouse, tell: Tell, name: str) -> None:
    """An address that Resend writes to again, and that gets nothing from here for ever."""
    tell("email.suppressed", to=[ALICE], suppressed={"reason": "previous_bounce"})
    tell("suppression.removed", **{name: "Alice@example.net"})
    assert known(warehouse) == set()
    tell("suppression.removed", **{name: ALICE})


def test_another_application_s_mail_suppresses_only_addresses_of_ours(warehouse: Warehouse, tell: Tell) -> None:
    """Strangers' addresses, of a newsletter that shares the account, kept in this installation's table."""
    tell("email.bounced", to=[ALICE], tags={}, **PERMANENT)
    tell("email.bounced", to=["stranger@example.org"], tags={}, **PERMANENT)
    tell("email.complained", to=["stranger@example.org"])
    assert known(warehouse) == {(ALICE, "*", "bounced")}
    tell("email.bounced", to=["new@example.org"], tags={"app": "creator_pipeline"}, **PERMANENT)
    assert ("new@example.org", "*", "bounced") in known(warehouse)


def test_who_turned_everything_off_still_has_after_a_bounce_is_lifted(warehouse: Warehouse, tell: Tell) -> None:
    """The choice of a reader, lost in a row that a bounce took over."""
    with warehouse.write() as connection:
        row = {"email": ALICE, "category": "*", "reason": "unsubscribed"}
        moment = {"created_at": suppressions.now()}
        connection.execute(email_suppressions.insert().values(**row, **moment))
    tell("email.bounced", to=[ALICE], **PERMANENT)
    tell("suppression.removed", email=ALICE)
    with warehouse.read() as connection:
        assert unsubscribe.wanted(connection, ALICE) == dict.fromkeys(CATEGORIES, False)
        assert unsubscribe.why_suppressed(connection, ALICE, "security") is None


def test_the_commands_list_and_lift(warehouse: Warehouse, tell: Tell) -> None:
    """An address that works again, and nothing but SQL to say so."""
    tell("email.bounced", to=[ALICE], **PERMANENT)
    listed = CliRunner().invoke(cli, ["mail", "suppressions", "list"]).output
    assert ALICE in listed
    assert listed.rstrip().endswith("alice")
    told = CliRunner().invoke(cli, ["mail", "suppressions", "list", "--json"]).output
    assert [row["profile_id"] for row in orjson.loads(told)] == ["alice"]
    assert "gets mails again" in CliRunner().invoke(cli, ["mail", "suppressions", "lift", "Alice@example.net"]).output
    assert known(warehouse) == set()
    again = CliRunner().invoke(cli, ["mail", "suppressions", "lift", ALICE])
    assert isinstance(again.exception, ConfigError)
