"""Links of mails that turn notices off."""

from __future__ import annotations

import pytest

from creator_pipeline.mail import unsubscribe
from creator_pipeline.store.tables import email_suppressions
from creator_pipeline_tests.support.gateway import Gateway


@pytest.fixture
def token(gateway: Gateway) -> str:
    """Of alice's link for news of failures."""
    gateway.add("alice")
    return unsubscribe.token(gateway.config, "failure", address="alice@example.com", profile_id="alice")


def suppressed(gateway: Gateway) -> list[tuple[str, str, str]]:
    return [(row["email"], row["category"], row["reason"]) for row in gateway.rows(email_suppressions)]


def test_looking_changes_nothing_and_one_click_does_it_once_and_for_all(gateway: Gateway, token: str):
    """Guards: scanners that follow links turning mails off; and a second click that fails."""
    page = gateway.http.get(f"/unsubscribe/{token}")
    assert page.status_code == 200
    assert "a…@example.com" in page.text
    assert "alice@example.com" not in page.text
    assert suppressed(gateway) == []
    for _ in range(2):
        answer = gateway.http.post(f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, answer.content) == (200, b"")
    assert suppressed(gateway) == [("alice@example.com", "failure", "unsubscribed")]


def test_the_page_s_button_can_turn_everything_off(gateway: Gateway, token: str):
    """Guards: a person clicking through three links for three kinds of mail."""
    answer = gateway.http.post(f"/unsubscribe/{token}", data={"everything": "yes"})
    assert "<h1>Turned off</h1>" in answer.text
    assert suppressed(gateway) == [("alice@example.com", "*", "unsubscribed")]


@pytest.mark.parametrize("bad", ["x", "e30.x", "%00", "a" * 3000])
def test_a_link_that_is_not_ours_finds_nothing(gateway: Gateway, bad: str):
    """Guards: turning off mails of others by guessing."""
    assert gateway.http.get(f"/unsubscribe/{bad}").status_code == 404
    assert gateway.http.post(f"/unsubscribe/{bad}").status_code == 404
    assert suppressed(gateway) == []
