"""A round: the system at rest, traffic while a fault happens, repair, rest again, and the oracle's word."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from creator_pipeline_tests.faults import oracle
from creator_pipeline_tests.faults.forked_system import ForkedSystem
from creator_pipeline_tests.faults.proxy import Instant
from creator_pipeline_tests.faults.traffic import Traffic

INSTANT_SECONDS = 12.0
"""Longest wait for a named instant to come."""


@dataclass
class Round:
    """What a fault works with.

    Attributes:
        rng: seeded by the round.
        notes: what happened, for a violation's report.
    """

    system: ForkedSystem
    traffic: Traffic
    rng: random.Random
    notes: list[str] = field(default_factory=list[str])
    _killed: set[int] = field(default_factory=set[int])

    def kill(self, pid: int | None) -> None:
        """``kill -9`` a process that a proxy saw; never a server or this one."""
        if pid is not None and pid != os.getpid():
            self.notes.append(f"killed {pid}")
            self._killed.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Start what is down; a part that was just killed takes a moment to be so."""
        for process in list(self.system.processes.values()):
            if process.pid in self._killed:
                process.wait(30)
        self.system.start()

    def run_worker(self, seconds: float = INSTANT_SECONDS) -> psutil.Process | None:
        """The process of a run, once there is one."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(psutil.Error):
                launcher = self.system.processes["code" if self.system.runner == "processes" else "daemon"]
                if children := psutil.Process(launcher.pid).children():
                    return self.rng.choice(children)
            time.sleep(0.002)
        return None

    def somewhen(self, most: float = 1.0) -> None:
        """A random wait."""
        time.sleep(self.rng.uniform(0.0, most))

    @contextmanager
    def instant(self, proxy: str, instant: Instant) -> Generator[None]:
        """Traffic runs until the instant was reached."""
        before = self.system.proxies[proxy]
        before.instant = instant
        try:
            yield
            if not instant.done.wait(INSTANT_SECONDS):
                self.notes.append(f"the instant {instant.pattern!r} didn't come")
        finally:
            before.instant = None


@dataclass(frozen=True)
class Fault:
    """One entry of the catalogue. ``inject`` wraps the traffic of a round.

    Attributes:
        refusal: a job may be given up by it, and a person puts it back: ``creator-pipeline webhooks replay --all``.
        needs: kinds of traffic without which nothing happens.
    """

    name: str
    what: str
    inject: Callable[[Round], AbstractContextManager[None]]
    needs: tuple[str, ...] = ("sales",)
    refusal: bool = False
    processes: bool = False


@dataclass
class Result:
    """What a round came to."""

    fault: str
    seed: int
    seconds: float
    violations: list[str]
    notes: list[str]

    @property
    def happened(self) -> bool:
        """Whether the fault happened at all."""
        return not any("didn't come" in note for note in self.notes)


def play(system: ForkedSystem, traffic: Traffic, fault: Fault, seed: int) -> Result:
    """One round."""
    started, rng = time.monotonic(), random.Random(f"{seed}/{fault.name}")
    traffic.rng = rng
    this = Round(system, traffic, rng)
    found: list[str] = []
    try:
        with fault.inject(this):
            _send(traffic, rng, fault.needs)
        found = heal_and_judge(this, refusal=fault.refusal)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed must be told
        found.append(f"{type(error).__name__}: {error}")
    return Result(fault.name, seed, time.monotonic() - started, found, this.notes)


def _send(traffic: Traffic, rng: random.Random, needs: tuple[str, ...]) -> None:
    kinds = {"sales": 0.8, "upload": 0.15, "mail": 0.3}
    chosen = [kind for kind, share in kinds.items() if kind in needs or rng.random() < share]
    for kind in chosen:
        {"sales": traffic.sales, "upload": traffic.upload, "mail": traffic.auth_mail}[kind]()


def heal_and_judge(this: Round, *, refusal: bool = False) -> list[str]:
    """End the fault, start what is down, wait for rest; then what the oracle says."""
    system, traffic = this.system, this.traffic
    seconds = 300.0 if system.runner == "processes" else 60.0
    for proxy in system.proxies.values():
        proxy.set_mode("through")
        proxy.instant = None
    system.sandbox.faults.clear()
    this.start()
    for sender in (system.sandbox.pings, system.sandbox.webhooks):
        sender.wait_idle(30)
    if still := system.wait_until_idle(seconds):
        return [f"the system doesn't come to rest: {still}"]
    if refusal and oracle.unfinished(system):
        this.notes.append("given up, put back")
        if system.command("webhooks", "replay", "--all") or system.wait_until_idle(seconds):
            return ["what was put back is not done"]
    found = oracle.accepted_first(system)
    given_up = oracle.unfinished(system)
    for name in traffic.behind():
        system.read_all(name)
        traffic.caught_up[name] = traffic.lost(name)
        if still := system.wait_until_idle(seconds):
            return [f"reading all of {name} again doesn't end: {still}"]
    return [*found, *given_up, *oracle.violations(system, traffic)]
