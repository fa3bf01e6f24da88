"""Which channels there are, what each is told, and what a notice never holds."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from sqlalchemy import select

from creator_pipeline import settings as environment
from creator_pipeline.mail import alerts
from creator_pipeline.mail.alerts import Notice
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import alert_messages
from creator_pipeline_tests.support.channels import TOKENS
from creator_pipeline_tests.support.paths import ROOT


def set_to(text: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ALERT_URLS", text)
    return environment.load()


def test_entries_are_read_by_their_topics_and_named_by_their_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: an on-call phone that rings for every backfill, and two channels that share one row of the outbox."""
    config = set_to(f"failure/books,mended=slack://{TOKENS}  slack://{TOKENS}\tfailure=pagerduty://a@b", monkeypatch)
    first, second, third = alerts.channels(config)
    assert [one.name for one in (first, second, third)] == ["slack", "slack-2", "pagerduty"]
    assert first.url == second.url == f"slack://{TOKENS}"
    told = ["failure/books", "failure/late", "failure/bookshops", "mended/late", "backfill"]
    assert [[one.wants(topic) for topic in told] for one in (first, second, third)] == [
        [True, False, False, True, False],
        [True, True, True, True, True],
        [True, True, True, False, False],
    ]
    assert (first.keyed, third.keyed) == (False, True)
    assert alerts.unreadable(config) == []


@pytest.mark.parametrize(
    "entry", ["hooks.slack.com/services/TOKEN", "failure=TOKEN", "falure=slack://TOKEN", "=slack://TOKEN"]
)
def test_an_entry_that_cannot_be_read_is_named_by_its_place_and_not_by_its_secret(
    monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    """Guards: a line of the doctor, pasted into a ticket, that holds the token it complains about."""
    config = set_to(f"json://localhost/x {entry}", monkeypatch)
    (said,) = alerts.unreadable(config)
    assert said.startswith("entry 2 ")
    assert "TOKEN" not in said
    assert [one.name for one in alerts.channels(config)] == ["json"]


def test_the_tokens_of_an_address_are_secrets_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a channel's token in a log or a mail, because an error quoted one part of its address."""
    config = set_to(
        f"failure=slack://{TOKENS} json://me:{'correcthorse'}@hooks.example.com/services/x?overflow=truncate",
        monkeypatch,
    )
    found = config.secret_values()
    assert {*TOKENS.split("/"), "correcthorse"} <= set(found)
    assert not {"services", "overflow", "truncate", "hooks.example.com"} & set(found)


def test_a_notice_is_one_row_for_each_channel_that_wants_it_and_holds_no_address(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a buyer's address in a chat that a whole company reads, and an event told twice."""
    config = set_to(f"backfill=slack://{TOKENS} failure=slack://{TOKENS} json://127.0.0.1/x", monkeypatch)
    facts = [
        ("Profile", "alice"),
        ("Amount", ""),
        ("", "of buyer-of-a-book@example.org\nor x%40example.org"),
        ("Key", TOKENS),
    ]
    notice = Notice("health/1", "failure/books", "buyer@example.org\n" + "w" * 300, facts, profile_id="alice")
    with warehouse.write() as connection:
        assert alerts.add(connection, config, notice) == ["health/1@slack-2", "health/1@json"]
        alerts.add(connection, config, notice)
        rows = connection.execute(select(alert_messages).order_by(alert_messages.c.id)).mappings().all()
    assert [(row["id"], row["kind"], row["status"], row["profile_id"]) for row in rows] == [
        ("health/1@json", "failure/books", "queued", "alice"),
        ("health/1@slack-2", "failure/books", "queued", "alice"),
    ]
    for row in rows:
        said = orjson.loads(row["payload"])
        assert (len(said["title"]), said["title"][:15]) == (200, "[address] wwwww")
        assert said["body"] == "Profile: alice\nof [address] or [address]\nKey: ***/***/***"


def test_every_kind_of_notice_is_in_the_table_of_the_docs() -> None:
    """Guards: a topic that can be chosen and that nobody can find."""
    text = Path(ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert {f"| `{topic}` |" for topic in alerts.TOPICS} <= {
        line[: line.find("|", 2) + 1] for line in text.splitlines()
    }
