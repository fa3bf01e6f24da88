"""Turns on an account: a load that takes long lets a webhook's run go first, between two parts that it has committed.

``dagster.yaml`` lets one run at a time work on an account, by a tag. A load that gives up its turn has another value
there until nobody waits any more. What it had read ahead is read again: a sale that the webhook has brought up to date
meanwhile must not be replaced by what was read before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import date
from typing import TypeVar

import dagster as dg

from creator_pipeline.core.windows import DayWindow, contiguous
from creator_pipeline.runtime.tags import ACCOUNT_TAG, PRIORITY_TAG, SOON

Part = TypeVar("Part")
LOOK_SECONDS = 5.0
"""Between two looks at who waits."""
WAIT_SECONDS = 1.0
"""Between two looks while another run has the turn."""
MOST_SECONDS = 900.0
"""A load lets others go first no longer than this: it was there first."""
_WAITING = [dg.DagsterRunStatus.QUEUED]
_AT_WORK = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_GIVEN_UP = " (its turn is given up)"


class Turn:
    """The turn of a run on its account.

    Args:
        instance: whose runs wait.
        run: that works. One without a tag that names its account keeps its turn, and one that is waited for itself.
    """

    def __init__(self, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
        self._instance, self._run_id = instance, run.run_id
        awaited = run.tags.get(PRIORITY_TAG) == SOON[PRIORITY_TAG]
        self._account = "" if awaited else run.tags.get(ACCOUNT_TAG, "")
        self._looked = time.monotonic()

    def wanted(self) -> bool:
        """Whether a run that somebody waits for stands behind this one; asks at most every ``LOOK_SECONDS``."""
        if not self._account or time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        return self._is_waited_for()

    def give_up(self) -> None:
        """Let those go who wait, and come back when none of them waits or works on the account."""
        until, others = time.monotonic() + MOST_SECONDS, True
        while others:
            self._name(self._account + _GIVEN_UP)
            try:
                while self._others_at_work() or (time.monotonic() < until and self._is_waited_for()):
                    _pause()
            finally:
                self._name(self._account)
            # What Dagster was launching just then, by what it had seen a moment before.
            _pause()
            others = self._others_at_work()

    def _is_waited_for(self) -> bool:
        return self._instance.get_runs_count(self._filter(_WAITING, **SOON)) > 0

    def _others_at_work(self) -> bool:
        return any(run_id != self._run_id for run_id in self._instance.get_run_ids(self._filter(_AT_WORK)))

    def _filter(self, statuses: Sequence[dg.DagsterRunStatus], **tags: str) -> dg.RunsFilter:
        return dg.RunsFilter(statuses=statuses, tags={ACCOUNT_TAG: self._account, **tags})

    def _name(self, account: str) -> None:
        self._instance.add_run_tags(self._run_id, {ACCOUNT_TAG: account})


def _pause() -> None:
    # Two loads that come back at the same moment must not do so for ever.
    time.sleep(WAIT_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


def in_turns(
    turn: Turn,
    windows: Iterable[DayWindow],
    load: Callable[[Sequence[DayWindow]], Iterator[Part]],
    days_of: Callable[[Part], Iterable[date]],
) -> Generator[Part]:
    """The parts of a load. Where its turn is wanted, it is given up after a part, and the rest is loaded anew then.

    Args:
        turn: of the run.
        windows: half-open UTC days to load.
        load: loads windows and gives each part once it is committed; to be closed anywhere.
        days_of: the days of a part.
    """
    left = [day for window in windows for day in window.each()]
    while True:
        parts, landed, more = load(contiguous(left)), set[date](), False
        for part in parts:
            yield part
            landed.update(days_of(part))
            more = not landed.issuperset(left) and turn.wanted()
            if more:
                break
        if not more:
            return
        if isinstance(parts, Generator):
            parts.close()
        turn.give_up()
        left = [day for day in left if day not in landed]
