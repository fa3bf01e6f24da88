"""A load lets a webhook's run go first between two parts, and reads again what it had read ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.runtime import turns
from creator_pipeline.runtime.tags import ACCOUNT_TAG, SOON, account_tags
from creator_pipeline.runtime.turns import Turn, in_turns

DAYS = DayWindow(date(2026, 1, 1), date(2026, 1, 7))
QUEUED, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED
Steps = list[Callable[[], object]]


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setattr(turns, "LOOK_SECONDS", -1.0)
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def put(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, **tags: str) -> dg.DagsterRun:
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("creator_pipeline"), "__repository__")
    run = dg.DagsterRun("a_job", tags=tags, status=status, remote_job_origin=RemoteJobOrigin(place, "a_job"))
    return instance.run_storage.add_run(run)


def becomes(instance: dg.DagsterInstance, run: dg.DagsterRun, status: dg.DagsterRunStatus) -> None:
    instance.run_storage.delete_run(run.run_id)
    instance.run_storage.add_run(run.with_status(status))


def pauses(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    """What happens in each pause of a load that has given up its turn; without a step nothing does."""
    monkeypatch.setattr(turns, "_pause", lambda: steps.pop(0)() if steps else None)


class Load:
    """Two days a part, the newest first; one part is always read ahead."""

    def __init__(self) -> None:
        self.asked: list[list[DayWindow]] = []
        self.closed = 0

    def __call__(self, windows: Sequence[DayWindow]) -> Iterator[DayWindow]:
        self.asked.append(list(windows))
        days = [day for window in windows for day in window.each()]
        try:
            while days:
                last = days.pop()
                days = days[:-1]
                yield DayWindow(last - timedelta(days=1), last + timedelta(days=1))
        except GeneratorExit:
            self.closed += 1
            raise


def test_a_webhook_waits_for_the_part_at_hand_only(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a ping stood behind its own seller's first load for hours."""
    run, load, seen = put(instance, STARTED, **account_tags("gumroad", "alice")), Load(), list[str]()
    webhook = put(instance, QUEUED, **account_tags("gumroad", "alice"), **SOON)

    def tag() -> None:
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        seen.append(found.tags[ACCOUNT_TAG])

    steps: Steps = [
        lambda: (tag(), becomes(instance, webhook, STARTED)),
        lambda: (tag(), becomes(instance, webhook, dg.DagsterRunStatus.SUCCESS)),
        tag,
    ]
    pauses(monkeypatch, steps)
    parts = list(in_turns(Turn(instance, run), [DAYS], load, lambda part: part.each()))
    assert [day for part in reversed(parts) for day in part.each()] == list(DAYS.each())
    assert load.asked == [[DAYS], [DayWindow(DAYS.start, DAYS.end - timedelta(days=2))]]
    assert (load.closed, steps) == (1, [])
    # While it waits Dagster's queue counts the account as free, and afterwards as taken again.
    assert seen == ["gumroad/alice (its turn is given up)"] * 2 + ["gumroad/alice"]


def test_a_run_that_was_launched_in_the_same_moment_goes_first(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a load that writes what it read before a webhook's run has written."""
    run = put(instance, STARTED, **account_tags("gumroad", "alice"))
    other = put(instance, dg.DagsterRunStatus.NOT_STARTED, **account_tags("gumroad", "alice"))
    steps: Steps = [
        lambda: becomes(instance, other, STARTED),
        lambda: becomes(instance, other, dg.DagsterRunStatus.SUCCESS),
        lambda: None,
    ]
    pauses(monkeypatch, steps)
    Turn(instance, run).give_up()
    assert steps == []


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (account_tags("gumroad", "alice"), account_tags("gumroad", "bea") | SOON),
        (account_tags("gumroad", "alice"), account_tags("whop", "alice") | SOON),
        (account_tags("gumroad", "alice"), account_tags("gumroad", "alice")),
        (account_tags("gumroad", "alice") | SOON, account_tags("gumroad", "alice") | SOON),
        ({}, account_tags("gumroad", "alice") | SOON),
    ],
    ids=["another profile", "another platform", "no hurry", "both in a hurry", "no account"],
)
def test_nobody_else_takes_a_turn(instance: dg.DagsterInstance, mine: dict[str, str], theirs: dict[str, str]) -> None:
    """Guards: a load that is read anew for every run that is queued."""
    run, load = put(instance, STARTED, **mine), Load()
    put(instance, QUEUED, **theirs)
    assert len(list(in_turns(Turn(instance, run), [DAYS], load, lambda part: part.each()))) == 3
    assert load.asked == [[DAYS]]
