"""Notices wait, are sent once each, are tried again or given up, and keep nobody else waiting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from creator_pipeline import settings as environment
from creator_pipeline.core.windows import now
from creator_pipeline.mail import alert_outbox, alert_sender, alerts, outbox
from creator_pipeline.mail.alert_sender import Service
from creator_pipeline.mail.alerts import Notice
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import alert_messages
from creator_pipeline_tests.support.channels import TOKENS, Channels
from creator_pipeline_tests.support.outbox import notice as mail


def write(warehouse: Warehouse, *keys: str, topic: str = "failure/books") -> None:
    with warehouse.write() as connection:
        for key in keys:
            alerts.add(connection, environment.load(), Notice(key, topic, f"Event {key}"))


def flush(warehouse: Warehouse) -> alert_outbox.AlertReport:
    return alert_outbox.flush(warehouse, environment.load())


def rows(warehouse: Warehouse) -> dict[str, tuple[Any, ...]]:
    table = alert_messages.c
    with warehouse.read() as connection:
        found = connection.execute(select(table.id, table.status, table.attempts, table.error, table.payload)).all()
    return {row[0]: tuple(row[1:]) for row in found}


def move(warehouse: Warehouse) -> None:
    """Let everything be due now."""
    with warehouse.write() as connection:
        connection.execute(update(alert_messages).values(next_attempt_at=now() - timedelta(seconds=1)))


def ops_mails(resend: ResendApi, warehouse: Warehouse) -> list[str]:
    outbox.flush(warehouse, environment.load())
    return [one.payload["subject"] for one in resend.inbox]


def test_each_notice_is_sent_once_in_its_order_and_nothing_of_it_is_kept(warehouse: Warehouse, slack: Channels) -> None:
    """Guards: two messages of one event, and texts that name profiles kept for years."""
    write(warehouse, "a", "b", "a")
    assert flush(warehouse) == alert_outbox.AlertReport(sent=2)
    write(warehouse, "a")
    assert flush(warehouse) == alert_outbox.AlertReport()
    assert [title for title, _ in slack.taken] == ["Event a", "Event b"]
    assert set(rows(warehouse).values()) == {("sent", 1, None, "{}")}


def test_a_limit_holds_up_the_whole_channel_for_as_long_as_it_says(warehouse: Warehouse, slack: Channels) -> None:
    """Guards: every notice of a storm run into the same limit, which then is made longer."""
    write(warehouse, "a", "b", "c")
    slack.script = ["limited"]
    assert flush(warehouse) == alert_outbox.AlertReport(retried=1)
    assert flush(warehouse) == alert_outbox.AlertReport()
    assert slack.asked == 1
    with warehouse.read() as connection:
        first = connection.execute(select(func.min(alert_messages.c.next_attempt_at))).scalar_one()
    assert 25 < (first - now()).total_seconds() <= 30
    move(warehouse)
    assert flush(warehouse).sent == 3
    assert [title for title, _ in slack.taken] == ["Event a", "Event b", "Event c"]


def test_a_channel_that_is_down_holds_up_neither_mails_nor_another_channel(
    warehouse: Warehouse, slack: Channels, resend: ResendApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident to prevent: Slack is down, and nobody is told of anything by mail either."""
    monkeypatch.setenv("ALERT_URLS", f"json://127.0.0.1:9/x slack://{TOKENS}")
    write(warehouse, "a", "b")
    outbox.write(warehouse, environment.load(), mail("m"))
    assert flush(warehouse) == alert_outbox.AlertReport(sent=2, retried=1)
    assert len(ops_mails(resend, warehouse)) == 1
    assert {key: row[0] for key, row in rows(warehouse).items() if key.endswith("json")} == {
        "a@json": "queued",
        "b@json": "queued",
    }
    monkeypatch.setenv("RESEND_API_URL", "http://127.0.0.1:9")
    outbox.write(warehouse, environment.load(), mail("n"))
    assert outbox.flush(warehouse, environment.load()).retried == 1
    write(warehouse, "c")
    assert flush(warehouse).sent == 1


@pytest.mark.parametrize("step", ["hang up", "refuse", "slow", 502])
def test_what_may_have_been_taken_is_not_sent_again_and_the_operators_are_told(
    warehouse: Warehouse, slack: Channels, resend: ResendApi, step: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: Slack has no key for repeats: the second attempt would be a second message, and silence a lost one."""
    monkeypatch.setattr(alert_sender, "READ_SECONDS", 0.05)
    write(warehouse, "a")
    slack.script, slack.slow = [step], 0.2
    for _ in range(3):
        flush(warehouse)
        move(warehouse)
    took = step in {"hang up", "slow"}
    assert [title for title, _ in slack.taken] == ["Event a"] * took + ["A notice may not have arrived here: Event a"]
    assert ops_mails(resend, warehouse) == ["[ops] slack: a notice may be missing"]
    assert rows(warehouse)["a@slack"][0] == "unknown"


class Killed(BaseException):
    """The process ends here: nothing after it is done."""


@pytest.mark.parametrize("keyed", [False, True])
def test_a_notice_whose_sender_died_before_it_went_out_is_told_of_or_sent_again_by_its_key(
    warehouse: Warehouse, slack: Channels, resend: ResendApi, monkeypatch: pytest.MonkeyPatch, *, keyed: bool
) -> None:
    """Guards: the moment between the claim and the request, in which a notice must not be lost in silence."""
    if keyed:
        monkeypatch.setenv("ALERT_URLS", f"json://{slack.url.partition('://')[2]}/x")
    write(warehouse, "a")
    with monkeypatch.context() as dying:

        def die(*_: object) -> None:
            raise Killed

        dying.setattr(Service, "send", die)
        with pytest.raises(Killed):
            flush(warehouse)
    assert flush(warehouse) == alert_outbox.AlertReport()  # another may still be at it
    move(warehouse)
    flush(warehouse)
    if keyed:
        assert (slack.keys, ops_mails(resend, warehouse)) == (["a"], [])
        return
    assert [title for title, _ in slack.taken] == ["A notice may not have arrived here: Event a"]
    assert ops_mails(resend, warehouse) == ["[ops] slack: a notice may be missing"]


def test_a_sender_that_was_only_slow_has_the_last_word_of_a_success(
    warehouse: Warehouse, slack: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a notice that is called missing for ever, though its sender came back and says that it was taken."""
    write(warehouse, "a")
    send = Service.send

    def slowly(self: Service, payload: Any) -> Any:
        outcome = send(self, payload)
        move(warehouse)
        monkeypatch.setattr(Service, "send", send)
        flush(warehouse)
        return outcome

    monkeypatch.setattr(Service, "send", slowly)
    flush(warehouse)
    assert rows(warehouse)["a@slack"][0] == "sent"


def test_a_notice_of_a_lost_notice_that_is_lost_makes_no_third(
    warehouse: Warehouse, slack: Channels, resend: ResendApi
) -> None:
    """Guards: a channel that always hangs up, and a notice about the notice about the notice."""
    write(warehouse, "a")
    slack.script = ["refuse"] * 10
    for _ in range(4):
        flush(warehouse)
        move(warehouse)
    assert slack.asked == 2
    assert ops_mails(resend, warehouse) == ["[ops] slack: a notice may be missing"] * 2


def test_what_nobody_takes_for_a_day_is_given_up_and_told_once_a_day(
    warehouse: Warehouse, slack: Channels, resend: ResendApi
) -> None:
    """Guards: last week's failures in the channel when its token is renewed, and a mail for each of them."""
    write(warehouse, "a", "b", "c")
    slack.script = [404]
    flush(warehouse)
    with warehouse.write() as connection:
        old = {"created_at": now() - timedelta(hours=25), "next_attempt_at": now() - timedelta(seconds=1)}
        connection.execute(update(alert_messages).where(alert_messages.c.id != "c@slack").values(**old))
    assert flush(warehouse).lost == 2
    assert ops_mails(resend, warehouse) == ["[ops] slack: a notice was not sent"]
    found = rows(warehouse)
    assert found["a@slack"][::2] == (
        "failed",
        "Not taken within a day: HTTP 404: the service refuses the address or its token.",
    )
    assert found["a@slack"][3] == "{}"
    move(warehouse)
    assert flush(warehouse).sent == 1


def test_a_notice_that_is_refused_is_given_up_alone(warehouse: Warehouse, slack: Channels, resend: ResendApi) -> None:
    """Guards: one odd text that keeps all others waiting."""
    write(warehouse, "a", "b")
    slack.script = [400]
    assert flush(warehouse) == alert_outbox.AlertReport(sent=1, lost=1)
    assert ops_mails(resend, warehouse) == ["[ops] slack: a notice was not sent"]


def test_a_channel_that_is_gone_takes_its_notices_with_it(
    warehouse: Warehouse, slack: Channels, resend: ResendApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: rows that are due for ever."""
    write(warehouse, "a")
    monkeypatch.setenv("ALERT_URLS", "")
    assert flush(warehouse).lost == 1
    assert (slack.asked, ops_mails(resend, warehouse)) == (0, [])


def test_without_the_library_the_notices_wait(
    warehouse: Warehouse, slack: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: an image without the extra, and a day's notices given up."""
    write(warehouse, "a")
    with monkeypatch.context() as without:
        without.setattr(alert_sender, "find_spec", lambda _: None)
        problem = flush(warehouse).problem
    assert problem is not None
    assert "Apprise is not installed" in problem.message
    assert flush(warehouse).sent == 1
