"""The five mails by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.mail import functions, outbox
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse

CALLS: list[tuple[str, tuple[Any, ...], str]] = [
    ("send_signup_confirmation", ("zoe@example.net", "https://app.example.com/c?x=1"), "https://app.example.com/c?x=1"),
    ("send_password_reset", ("zoe@example.net", "https://app.example.com/r"), "https://app.example.com/r"),
    ("send_subscription_updated", ("zoe@example.net", "pro", "Creator Pro"), "Creator Pro"),
    ("send_ingestion_completed", ("zoe@example.net", "job-1", 1234), "1,234 events"),
    ("send_ingestion_failed", ("zoe@example.net", "job-1", "The file is empty."), "The file is empty."),
]
SIGNATURES = {
    "send_signup_confirmation": ["email", "confirmation_url"],
    "send_password_reset": ["email", "reset_url"],
    "send_subscription_updated": ["email", "tier", "plan_name"],
    "send_ingestion_completed": ["email", "job_id", "event_count"],
    "send_ingestion_failed": ["email", "job_id", "error_message"],
}


@pytest.mark.parametrize(("name", "arguments", "shown"), CALLS)
def test_each_is_called_with_its_values_alone_and_is_one_mail(
    warehouse: Warehouse,
    settings: Settings,
    resend: ResendApi,
    message: Callable[[str], dict[str, Any]],
    name: str,
    arguments: tuple[Any, ...],
    shown: str,
) -> None:
    """A caller outside must pass a warehouse, or a second call mails twice."""
    function = getattr(functions, name)
    key = function(*arguments)
    assert function(*arguments) == key
    assert shown in message(key)["payload"]["text"]
    assert "zoe" not in key
    assert outbox.flush(warehouse, settings).sent == 1
    assert [mail.idempotency_key for mail in resend.inbox] == [key]
    assert function(*arguments, warehouse=warehouse, settings=settings, idempotency_key="mine") == "mine"
    positional = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    assert positional == SIGNATURES[name]


def test_two_readers_of_one_job_are_two_mails(warehouse: Warehouse, settings: Settings) -> None:
    """The second reader's mail dropped as a repeat of the first's."""
    for to in ("a@example.net", "b@example.net", "B@example.net"):
        functions.send_ingestion_completed(to, "job-1", 1)
    assert outbox.flush(warehouse, settings).sent == 2


def test_the_reader_with_a_profile_is_greeted_and_unsubscribes_by_it(
    warehouse: Warehouse, settings: Settings, message: Callable[[str], dict[str, Any]]
) -> None:
    """A link that ends one address's mails and not the profile's."""
    key = functions.send_ingestion_completed("Alice@example.net", "job-1", 0)
    row = message(key)
    assert row["profile_id"] == "alice"
    assert "Hello Alice," in row["payload"]["text"]
    assert "It found nothing new" in row["payload"]["text"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/relative", "", "data:text/html,x", "https:///x"])
def test_a_link_that_is_none_is_refused(warehouse: Warehouse, settings: Settings, url: str) -> None:
    """A button that runs a script, or leads nowhere."""
    with pytest.raises(DataError, match="http"):
        functions.send_password_reset("zoe@example.net", url)


def test_a_failure_is_told_without_trace_and_secret(
    warehouse: Warehouse, settings: Settings, message: Callable[[str], dict[str, Any]]
) -> None:
    """A stack trace and a token in a seller's mailbox."""
    trace = (
        'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in x\n    y()\nValueError: token=abc123def bad'
    )
    payload = message(functions.send_ingestion_failed("zoe@example.net", "job-1", trace))["payload"]
    for part in (payload["html"], payload["text"]):
        assert "ValueError: token=*** bad" in part
        assert "/srv/a.py" not in part
        assert "Next step" in part
