"""Many rounds, and the table of what came of them."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from creator_pipeline_tests.faults.catalogue import CATALOGUE, WITH_PROCESSES
from creator_pipeline_tests.faults.forked_system import ForkedSystem, Runner
from creator_pipeline_tests.faults.rounds import Fault, Result, play
from creator_pipeline_tests.faults.traffic import Traffic
from creator_pipeline_tests.support import local_http

WORLD_ROUNDS = 60
"""Rounds of one system: what is compared grows with each."""


def campaign(
    rounds: int,
    seed: int,
    only: Sequence[str] | None = None,
    *,
    runner: Runner = "worker",
    seconds: float | None = None,
) -> Iterator[Result]:
    """Rounds of every fault in turn; a system that broke a promise is replaced by a new one.

    Args:
        seconds: ends after so long.
    """
    forked = [name for name, fault in CATALOGUE.items() if not fault.processes]
    names, deadline = only or (WITH_PROCESSES if runner == "processes" else forked), time.monotonic() + (seconds or 1e9)
    plan = [CATALOGUE[names[number % len(names)]] for number in range(rounds)]
    random.Random(seed).shuffle(plan)
    numbers = iter(range(seed * 10_000, seed * 10_000 + rounds))
    while plan and time.monotonic() < deadline:
        yield from _world(plan, numbers, runner=runner, deadline=deadline)


def _world(plan: list[Fault], numbers: Iterator[int], *, runner: Runner, deadline: float) -> Iterator[Result]:
    with ForkedSystem(runner=runner) as system, local_http.Client(timeout=15) as http:
        system.start()
        traffic = Traffic(system, system.add_profiles(), random.Random(0), http)
        for _ in range(WORLD_ROUNDS):
            if not plan or time.monotonic() > deadline:
                return
            result = play(system, traffic, plan.pop(), next(numbers))
            yield result
            if result.violations:
                return


def table(results: Iterable[Result]) -> str:
    """Counts per fault."""
    done, happened, violated = Counter[str](), Counter[str](), Counter[str]()
    for result in results:
        done[result.fault] += 1
        happened[result.fault] += result.happened
        violated[result.fault] += bool(result.violations)
    lines = [f"{'fault':34}{'rounds':>8}{'happened':>10}{'violations':>12}"]
    lines += [f"{name:34}{count:8}{happened[name]:10}{violated[name]:12}" for name, count in sorted(done.items())]
    lines.append(f"{'all':34}{done.total():8}{happened.total():10}{violated.total():12}")
    return "\n".join(lines) + "\n"
