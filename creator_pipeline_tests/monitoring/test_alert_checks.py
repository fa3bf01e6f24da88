"""Channels of ALERT_URLS in doctor, health and smoke, and the commands about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from creator_pipeline import settings
from creator_pipeline.cli import cli
from creator_pipeline.core.windows import now
from creator_pipeline.mail import alert_outbox, alerts
from creator_pipeline.mail.alerts import Notice
from creator_pipeline.monitoring import alert_checks, smoke
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import alert_messages
from creator_pipeline_tests.support import channels
from creator_pipeline_tests.support.channels import TOKENS, Channels


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channels]:
    with channels.running() as server:
        channels.slack_at(server.url)
        monkeypatch.setenv(
            "ALERT_URLS", f"failure=slack://{TOKENS} json://127.0.0.1:9/x slack://{TOKENS}/#a/#b nonsense"
        )
        yield server


def states(found: list[alert_checks.Finding]) -> dict[str, str]:
    return {one.name: one.state for one in found}


def test_the_doctor_says_what_is_wrong_and_what_was_taken_and_sends_nothing(
    slack: Channels, sqlite_warehouse: Warehouse
) -> None:
    """Guards: a channel that is called well because it is set, and one that gets a message at each look."""
    config = settings.load()

    def doctor() -> list[alert_checks.Finding]:
        return [one for check in alert_checks.setup(config) for one in check.run()]

    before = {"alerts": "no", "alerts slack": "unknown", "alerts json": "unknown", "alerts slack-2": "no"}
    assert states(doctor()) == before
    with sqlite_warehouse.write() as connection:
        alerts.add(connection, config, Notice("a", "failure/books", "A title"))
    alert_outbox.flush(sqlite_warehouse, config)
    assert states(doctor()) == before | {"alerts slack": "ok"}
    with sqlite_warehouse.write() as connection:
        connection.execute(update(alert_messages).values(created_at=now() - timedelta(minutes=11)))
    found = {one.name: one for one in doctor()}
    assert found["alerts json"].detail.startswith("1 notice to json waits, the oldest since ")
    assert found["alerts json"].detail.endswith("UTC: The service can't be reached.")
    assert [one.name for one in alert_checks.delivery(sqlite_warehouse, config)] == [
        "alerts/entry/1",
        "alerts/json",
        "alerts/slack-2",
    ]
    assert slack.asked == 1
    assert TOKENS.rpartition("/")[2] not in str(found)


def test_a_test_notice_reaches_every_channel_or_the_line_says_why_not(
    slack: Channels, sqlite_warehouse: Warehouse
) -> None:
    """Guards: a token of another workspace, found when the first failure is not told."""
    found = list(smoke.notice_arrives(settings.load(), sqlite_warehouse))
    assert states(found) == {"alerts: one to slack": "ok", "alerts: one to json": "no", "alerts: one to slack-2": "no"}
    assert [title for title, _ in slack.taken] == ["Notices arrive here."]
    assert "2 receivers" in found[2].detail


def test_the_commands_send_and_list(slack: Channels, sqlite_warehouse: Warehouse) -> None:
    """Guards: an operator who has no way to see whether a channel works."""
    sent = CliRunner().invoke(cli, ["alerts", "test", "slack"])
    assert (sent.exit_code, "a notice was taken" in sent.output) == (0, True)
    slack.script = [404]
    refused = CliRunner().invoke(cli, ["alerts", "test", "slack"])
    assert (refused.exit_code, "HTTP 404: the service refuses the address" in refused.output) == (1, True)
    listed = json.loads(CliRunner().invoke(cli, ["alerts", "list", "--json"]).output)
    assert [(one["channel"], one["topics"], one["waiting"]) for one in listed["channels"]] == [
        ("slack", ["failure"], 1),
        ("json", [], 0),
        ("slack-2", [], 0),
    ]
    assert "last taken" in CliRunner().invoke(cli, ["alerts", "list"]).output
    assert CliRunner().invoke(cli, ["alerts", "test", "teams"]).exit_code != 0
