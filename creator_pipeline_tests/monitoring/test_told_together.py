"""One cause is one mail to operators, and every failure is told once, however soon it comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.monitoring import health
from creator_pipeline.monitoring.told_together import failed_cause
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import alert_messages, email_messages

CAUSE = failed_cause("gumroad", "", "Gumroad can't be reached.")


def failure(owner: str, cause: str = CAUSE) -> Finding:
    detail = f"1 partition of gumroad failed: 2026-11-27|{owner}. Gumroad can't be reached."
    return Finding(f"partitions/gumroad/{owner}", "no", detail, f"backfill {owner}", "Some days", owner, cause=cause)


class Ticks:
    """The sensor's ticks, a minute apart, over what is given as broken."""

    def __init__(self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moment = datetime(2026, 11, 28, 2, 11, tzinfo=UTC)
        self._warehouse = warehouse
        monkeypatch.setattr(health, "now", lambda: self.moment)

    def __call__(self, *broken: Finding, minutes: float = 1) -> list[str]:
        """Subjects of the mails of one tick."""
        before = self.mails()
        health.run([Check("partitions/", lambda: broken)], self._warehouse, settings.load())
        self.moment += timedelta(minutes=minutes)
        return self.mails()[len(before) :]

    def mails(self) -> list[str]:
        with self._warehouse.read() as connection:
            rows = connection.execute(select(email_messages.c.subject, email_messages.c.created_at)).all()
        return [row.subject for row in sorted(rows, key=lambda row: row.created_at)]


@pytest.fixture
def tick(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Ticks:
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    return Ticks(sqlite_warehouse, monkeypatch)


def test_one_cause_of_many_profiles_is_one_mail_and_one_when_it_is_over(tick: Ticks) -> None:
    """Incident: an endpoint was missing, and 24 mails told of it, one for each profile."""
    names = [f"p{number:02}" for number in range(24)]
    for count in range(1, 25):
        assert tick(*map(failure, names[:count]), minutes=0.5) == []
    [mail] = tick(*map(failure, names), minutes=0.5) + tick(*map(failure, names))
    assert mail == "[ops] Some days, 24 profiles: Gumroad can't be reached."
    assert tick(*map(failure, names)) == []
    assert tick() == []
    [mended] = tick()
    assert mended.startswith("[ops] Mended: Some days, 24 profiles")
    assert tick() == []


@pytest.mark.parametrize(
    ("texts", "title"),
    [
        (("{} was not read: the schedule is off.",) * 2, "the schedule is off."),
        (("days of {} failed. GET /sales: HTTP 500.", "{} failed. GET /products: HTTP 500."), "HTTP 500."),
        (("The pool is full.",) * 2, "The pool is full."),
        (("{} waits.",) * 2, "alice waits, and 1 more."),
    ],
)
def test_the_subject_of_many_says_what_is_true_of_all(tick: Ticks, texts: tuple[str, str], title: str) -> None:
    """Incident: "12 profiles: 5 partitions failed: 2026-11-19|alice, …", and the reason was cut off."""
    found = [replace(failure(who), detail=text.format(who)) for who, text in zip(("alice", "bea"), texts, strict=True)]
    assert tick(*found) + tick(*found) == [f"[ops] Some days, 2 profiles: {title}"]


def test_a_cause_that_always_grows_is_told_all_the_same(tick: Ticks) -> None:
    """Guards: a cause that waits for ever for one more."""
    told = [tick(*(failure(f"p{one}") for one in range(count)), minutes=0.5) for count in range(1, 40)]
    assert sum(map(len, told)) == 1
    assert [len(one) for one in told].index(1) == 30


def test_the_second_failure_of_a_day_is_told_although_the_first_one_was_mended(tick: Ticks) -> None:
    """Incident: two rules of twenty hours together were silence: 23 failed runs, no mail."""
    subjects: list[str] = []
    for _ in range(23):
        for broken in ([failure("alice")] * 3, []):
            for _ in range(3):
                subjects += tick(*broken[:1], minutes=1)
    assert sum(not one.startswith("[ops] Mended") for one in subjects) == 23
    assert sum(one.startswith("[ops] Mended") for one in subjects) == 23


def test_what_was_over_before_it_was_told_is_told_as_over(tick: Ticks) -> None:
    """Guards: a failure of a minute that nobody ever hears of."""
    assert tick(failure("alice")) == []
    assert tick() == []
    [mail] = tick()
    assert mail.startswith("[ops] Mended: 1 partition of gumroad failed")


def test_another_failure_of_what_is_broken_already_is_told(tick: Ticks) -> None:
    """Incident: the token expired while the network was down; the second cause was never told."""
    other = failure("alice", failed_cause("gumroad", "alice", "The file is empty."))
    first = tick(failure("alice")) + tick(failure("alice"))
    assert len(first) == 1
    assert len(tick(other) + tick(other) + tick(other)) == 1


def test_what_another_problem_tells_of_is_open_and_told_by_none(tick: Ticks) -> None:
    """Guards: the refused token and the run that it ended, in two mails."""
    quiet = replace(failure("alice"), told=True, cause="")
    assert tick(quiet) + tick(quiet) + tick(quiet) + tick() + tick() + tick() == []


def notices(warehouse: Warehouse) -> list[tuple[str, str, str]]:
    with warehouse.read() as connection:
        found = connection.execute(select(alert_messages).order_by(alert_messages.c.created_at)).mappings().all()
    said = [orjson.loads(row["payload"]) for row in found]
    return [(row["channel"], each["title"], each["body"]) for row, each in zip(found, said, strict=True)]


def test_a_failure_is_one_notice_with_check_profile_amount_step_and_run(
    tick: Ticks, sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a channel that says that something is wrong, and nothing by which anybody could begin."""
    monkeypatch.setenv("ALERT_URLS", "failure/books=slack://a/b/c json://127.0.0.1/x mended/books=discord://1/2")
    monkeypatch.setenv("DAGSTER_URL", "https://dagster.example.com")
    broken = replace(failure("alice"), name="books/gumroad/alice", amount="12.34 USD", run_id="5b1f6a1c", cause="")

    def told(*found: Finding) -> None:
        health.run([Check("books/", lambda: found)], sqlite_warehouse, settings.load())

    for _ in range(3):
        told(broken)
    body = (
        "Profile: alice\nCheck: books/gumroad/alice\nAmount: 12.34 USD\nSince: 28 November 2026, 02:11 UTC\n"
        "Run: https://dagster.example.com/runs/5b1f6a1c\nNext step: backfill alice"
    )
    title = "1 partition of gumroad failed: 2026-11-27|alice. Gumroad can't be reached."
    assert sorted(notices(sqlite_warehouse)) == [("json", title, body), ("slack", title, body)]
    told()
    told()
    over = [one[:2] for one in notices(sqlite_warehouse) if one[1].startswith("Over")]
    assert sorted(over) == [("discord", f"Over: {title}"), ("json", f"Over: {title}")]
    assert len(notices(sqlite_warehouse)) == 4
    assert not any("Next step" in body for _, said, body in notices(sqlite_warehouse) if said.startswith("Over"))
    assert len(tick.mails()) == 2


def test_one_cause_of_many_profiles_is_one_notice_without_an_address(
    tick: Ticks, sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: twenty-four messages of one cause, and a seller's address in the channel. There is no OPS_EMAIL."""
    monkeypatch.setenv("OPS_EMAIL", "")
    monkeypatch.setenv("ALERT_URLS", "slack://a/b/c")
    broken = [replace(failure(f"p{number:02}"), detail="Of a@example.com: not there.") for number in range(24)]
    assert tick(*broken) == tick(*broken, minutes=2) == tick(*broken) == []
    [(_, title, body)] = notices(sqlite_warehouse)
    assert title == "Some days, 24 profiles: Of [address]: not there."
    assert body.count("Check: ") == 5
    assert "And 19 more" in body
    assert "@" not in body


def test_a_channel_that_is_down_is_told_of_by_the_others(
    tick: Ticks, sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: "Slack is down", written to Slack."""
    monkeypatch.setenv("ALERT_URLS", "slack://a/b/c json://127.0.0.1/x")
    down = Finding("alerts/slack", "no", "2 notices to slack wait.", "Look.", "The channel slack")
    health.run([Check("alerts/", lambda: [down])], sqlite_warehouse, settings.load())
    assert [one[0] for one in notices(sqlite_warehouse)] == ["json"]
    assert len(tick.mails()) == 1


def test_a_cause_is_the_same_for_other_days_profiles_and_runs() -> None:
    """Guards: a number in an error's text that makes a cause of every run."""
    one = failed_cause("gumroad", "alice", "alice: HTTP 503 of 'abc' after 4 tries")
    assert one == failed_cause("gumroad", "bob", "bob: HTTP 502 of 'x' after 12 tries")
    assert one != failed_cause("gumroad", "bob", "bob: no answer")
    # Incident: a platform was down for a night, and a mail for each of its nine endpoints told of it.
    assert failed_cause("gumroad", "", "transient GET /v2/sales: HTTP 500.") == failed_cause(
        "gumroad", "", "transient GET /v2/products: HTTP 500."
    )
    assert one != failed_cause("whop", "bob", "bob: HTTP 502 of 'x' after 12 tries")
