"""What an answer of a service means for a notice: taken, to be tried again, refused, or nobody knows."""

from __future__ import annotations

import logging.config
from collections.abc import Iterator

import pytest

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.mail import alert_sender
from creator_pipeline.mail.alert_sender import Service
from creator_pipeline.mail.alerts import Channel
from creator_pipeline_tests.support import channels
from creator_pipeline_tests.support.channels import TOKENS, Channels

SLACK = Channel("slack", f"slack://{TOKENS}")
WORDS = {"title": "The books", "body": "Profile: alice\nAmount: 1 < 2 & 3", "kind": "failure", "key": "health/1"}


@pytest.fixture(scope="module")
def server() -> Iterator[Channels]:
    with channels.running() as running:
        channels.slack_at(running.url)
        yield running


@pytest.mark.parametrize(
    ("step", "action", "wait"),
    [
        (200, "sent", None),
        ("limited", "retry", 30.0),
        (500, "retry", None),
        (404, "retry", alert_sender.CONFIG_SECONDS),
        (301, "retry", alert_sender.CONFIG_SECONDS),
        ("error", "retry", alert_sender.CONFIG_SECONDS),
        (400, "failed", None),
        (504, "unknown", None),
        ("hang up", "unknown", None),
        ("refuse", "unknown", None),
        ("slow", "unknown", None),
    ],
)
def test_each_answer_has_its_meaning(
    server: Channels, step: int | str, action: str, wait: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a time-out taken for a refusal, which makes two messages of one; and a limit that is run into for ever."""
    monkeypatch.setattr(alert_sender, "READ_SECONDS", 0.05)
    server.script, server.asked, server.slow = [step], 0, 0.2
    outcome = Service(SLACK).send(WORDS)
    assert (outcome.action, outcome.wait, server.asked) == (action, wait, 1)
    assert action == "sent" or outcome.reason
    assert TOKENS.rpartition("/")[2] not in outcome.reason


def test_nobody_there_is_tried_again() -> None:
    """Guards: an hour without network in which every notice is given up as perhaps sent."""
    for url in ("json://127.0.0.1:9/x", "jsons://no.such.host.invalid/x"):
        assert Service(Channel("json", url)).send(WORDS).action == "retry"


def test_slack_shows_the_words_as_they_are(server: Channels) -> None:
    """Guards: an amount that vanishes as a tag, and pictures fetched from a stranger's host."""
    server.taken.clear()
    Service(SLACK).send(WORDS)
    assert server.taken == [("The books", "Profile: alice\nAmount: 1 &lt; 2 &amp; 3")]
    assert "http" not in str(server.bodies[-1])


def test_a_receiver_of_keys_gets_the_same_one_with_each_attempt_and_is_asked_again(server: Channels) -> None:
    """Guards: a webhook of one's own that can't tell a repeat from a second event."""
    server.script, server.keys = ["hang up"], []
    channel = Channel("json", f"json://{server.url.partition('://')[2]}/hook")
    assert Service(channel).send(WORDS).action == "retry"
    assert Service(channel).send(WORDS).action == "sent"
    assert server.keys == ["health/1", "health/1"]


def test_services_over_http_are_seen_and_an_on_call_service_gets_the_key(
    server: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a release of Apprise that makes its requests another way, or names its keys otherwise: every refusal of a
    channel would be taken for a notice that nothing can be known of."""
    import requests

    asked = []

    def answer(_self: object, request: requests.PreparedRequest, **_: object) -> requests.Response:
        asked.append((request.url.partition("://")[2].partition("/")[0], request.body))
        made = requests.Response()
        made.status_code = 503
        return made

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", answer)
    for url in (
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "workflows://example.com:443/643e69f83c8944/T2H5L7Pa",
        "pagerduty://abcdefghi@integrationkey",
        f"slack://{TOKENS}",
    ):
        outcome = Service(Channel("any", url)).send(WORDS)
        assert (outcome.action, outcome.reason) == ("retry", "HTTP 503"), url
    assert len({host for host, _ in asked}) == 4
    assert '"dedup_key": "health/1"' in str(asked[2][1])


@pytest.mark.parametrize("url", ["slack://nonsense", "nosuchservice://secret/b/c", f"slack://{TOKENS}/#one/#two"])
def test_an_address_that_apprise_cannot_use_says_so_without_the_address(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Guards: a channel of two receivers, one of which gets each notice again while the other is down. Apprise logs the
    whole address of what it can't read, as an error; and Dagster, which sets up logging, let it."""
    caplog.set_level(1)
    Service(SLACK)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    with pytest.raises(ConfigError) as found:
        Service(Channel("slack-2", url))
    assert "slack-2" in str(found.value)
    assert url.partition("://")[2].partition("/")[0] not in f"{found.value} {caplog.text}"


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a traceback of an import each ten seconds."""
    monkeypatch.setattr(alert_sender, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"creator-pipeline\[alerts\]"):
        Service(SLACK)
