"""Outgoing pace: never above the limit, and little of it wasted."""

from __future__ import annotations

import itertools
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import SimpleNamespace

import pytest

from creator_pipeline.queue import pace
from creator_pipeline.queue.pace import PROCESSES, USED_SHARE, LocalPace, RedisPace, pace_for
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline.settings import Settings
from creator_pipeline_tests.support.queue_processes import consumers
from creator_pipeline_tests.support.servers import RedisServer

PER_SECOND = 20
SECONDS = 3.5
WINDOW = 3.0


def call_as_fast_as_it_goes(url: str, log: Path, start: Barrier) -> None:
    """One process that asks without rest, and notes what it was told: its slot is between two moments."""
    paced = RedisPace(RedisLink(url), "shared", PER_SECOND * 60)
    lines: list[str] = []
    asked, sleep = 0.0, time.sleep

    def told(delay: float) -> None:
        lines.append(f"{asked + delay!r} {time.monotonic() + delay!r} {delay!r}")
        sleep(delay)

    pace.time.sleep = told
    start.wait(60)
    end = time.monotonic() + SECONDS
    while (asked := time.monotonic()) < end:
        paced.wait()
    log.write_text("\n".join(lines))


def test_four_processes_stay_below_the_limit_and_use_nearly_all_of_it(server: RedisServer, tmp_path: Path) -> None:
    """429 for a whole account, or a backfill that takes four times as long as it may."""
    context = consumers()
    start = context.Barrier(PROCESSES)
    logs = [tmp_path / str(n) for n in range(PROCESSES)]
    workers = [context.Process(target=call_as_fast_as_it_goes, args=(server.url, log, start)) for log in logs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    slots = sorted(tuple(map(float, line.split())) for log in logs for line in log.read_text().splitlines())
    # Those that are surely in one window: how late a busy machine wakes who waits is not the pace's doing.
    windows = [
        sum(latest < earliest + WINDOW for _, latest, _ in slots[n:]) for n, (earliest, _, _) in enumerate(slots)
    ]
    assert max(windows) <= PER_SECOND * WINDOW
    # Each waits for the others' slots and for its own: whoever waits longer leaves one unused.
    assert max(delay for _, _, delay in slots) <= (PROCESSES + 0.5) * 60 / (PER_SECOND * 60 * USED_SHARE)


def test_slots_are_never_closer_than_the_interval_and_none_is_left_out(
    link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that ask in the same moment are let through in the same moment."""
    slept: list[float] = []
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    # Ten seconds apart: a tenth of one passes between two statements of a busy machine.
    paced, interval = RedisPace(link, "k", 6), 60 / (6 * USED_SHARE)
    ends: list[int] = []
    for _ in range(40):
        paced.wait()
        ends.append(int(link.client.get("v1:pace:k") or 0))
    assert {after - before for before, after in itertools.pairwise(ends)} == {round(interval * 1e6)}
    # What the last one is told to sleep is what its slot is away, and not more.
    assert 38 * interval < slept[-1] <= 39 * interval
    link.client.script_flush()
    paced.wait()
    assert slept[-1] > 39 * interval


def test_an_idle_pace_saves_nothing_up(link: RedisLink, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that filled overnight empties in one second, and the limit of the minute is gone."""
    slept: list[float] = []
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    paced, interval = RedisPace(link, "k", 6), 60 / (6 * USED_SHARE)
    yesterday = time.time() - 86_400
    link.client.set("v1:pace:k", round(yesterday * 1e6))
    for _ in range(3):
        paced.wait()
    assert slept[0] == 0
    assert interval / 2 < slept[1] <= interval
    assert interval * 1.5 < slept[2] <= interval * 2


def test_without_redis_each_process_keeps_to_its_share_and_comes_back(
    link: RedisLink, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Redis restarts four processes go at full speed each."""
    slept: list[float] = []
    sleep = time.sleep
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    paced, interval = RedisPace(link, "k", 6), 60 / (6 * USED_SHARE)
    share = interval * PROCESSES

    def told(waits: int) -> list[float]:
        """Seconds that each of some waits would have slept; nobody does."""
        slept.clear()
        for _ in range(waits):
            paced.wait()
        return list(slept)

    assert told(2) == [0, pytest.approx(interval, rel=0.5)]
    server.kill()
    # The first one too: others have used the budget up to now.
    assert told(3) == [pytest.approx(share * number, rel=0.2) for number in (1, 2, 3)]
    server.start()
    sleep(0.11)
    assert told(1) == [pytest.approx(share * 4, rel=0.2)], "others may not have noticed yet"
    paced._careful_until = 0.0
    assert told(2) == [pytest.approx(interval * number, rel=0.5) for number in (1, 2)]


def test_the_shares_of_all_processes_together_fit_into_the_limit() -> None:
    """Four shares of the whole limit, each with one request at both ends of the window."""
    for per_minute in (120, 600):
        interval = 60 * PROCESSES / (per_minute * USED_SHARE)
        assert PROCESSES * (int(60 / interval) + 1) <= per_minute
    local = LocalPace(6)
    assert local.reserve() == 0
    assert local.reserve() == pytest.approx(60 * PROCESSES / (6 * USED_SHARE), rel=0.2)


def test_each_token_has_its_own_pace_and_keeps_it() -> None:
    """One profile's backfill stops all others; or each client of a profile starts a budget of its own."""
    for extra in ({}, {"redis_url": "redis://127.0.0.1:1/6"}):
        values = Settings(_env_file=None, **extra)
        ann = pace_for(values, "gumroad", "token-ann", 120)
        assert ann is pace_for(values, "gumroad", "token-ann", 120)
        assert ann is not pace_for(values, "gumroad", "token-bob", 120)
        assert ann is not pace_for(values, "whop", "token-ann", 120)
        assert "token" not in repr(vars(ann))
