"""The doctor: probes that look at one thing each, side by side, each within a few seconds and alone with its faults."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.secrets import redact
from creator_pipeline.settings import Settings

PROBE_SECONDS = 20.0
"""Most that a probe may take; its own requests time out earlier."""
AT_ONCE = 16

State = Literal["ok", "no", "off", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor.

    Attributes:
        state: ``ok``; ``no`` (configured, and doesn't work); ``off`` (not configured, or switched off on purpose);
            ``unknown`` (it can't be seen from here).
        detail: what was found, without secrets.
        hint: what to do about it; empty where nothing need be done.
    """

    name: str
    state: State
    detail: str = ""
    hint: str = ""

    def as_json(self) -> dict[str, str]:
        """For ``--json``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Probe:
    """A look at one thing.

    Attributes:
        name: of its line, where it breaks or takes too long.
        look: gives the lines; a PipelineError it raises becomes a line by itself.
    """

    name: str
    look: Callable[[], Iterable[Finding]]


class _Running:
    def __init__(self, probe: Probe, slots: threading.Semaphore) -> None:
        self.probe = probe
        self._slots = slots
        self.findings: list[Finding] = []
        self._done = threading.Event()
        # A daemon: a probe that hangs must not keep the command from ending.
        threading.Thread(target=self._work, name=f"doctor {probe.name}", daemon=True).start()

    def _work(self) -> None:
        found: list[Finding] = []
        with self._slots:
            try:
                found.extend(self.probe.look())
            except PipelineError as error:
                found.append(Finding(self.probe.name, "no", error.message, error.hint))
            except Exception as error:  # noqa: BLE001 - a broken probe is a line of its own and hides no other
                text = f"The probe itself broke: {type(error).__name__}: {error}".splitlines()[0]
                found.append(Finding(self.probe.name, "no", text[:300], "Report it; the other lines stand."))
        self.findings = found
        self._done.set()

    def result(self, deadline: float) -> list[Finding]:
        if self._done.wait(max(0.0, deadline - time.monotonic())):
            return self.findings
        return [Finding(self.probe.name, "no", "No answer in time.", "Is its host reachable from here? Try again.")]


def examine(probes: Sequence[Probe], config: Settings | None, *, seconds: float = PROBE_SECONDS) -> list[Finding]:
    """The lines of all probes, in the order of the probes.

    Args:
        config: its secrets are cut out of every line.
        seconds: most that a probe may take.
    """
    slots = threading.Semaphore(AT_ONCE)
    deadline = time.monotonic() + seconds * math.ceil(len(probes) / AT_ONCE)
    running = [_Running(probe, slots) for probe in probes]
    secrets = config.secret_values() if config else []
    return [_clean(finding, secrets) for one in running for finding in one.result(deadline)]


def _clean(finding: Finding, secrets: Sequence[str]) -> Finding:
    detail, hint = (" ".join(redact(text, secrets).split()) for text in (finding.detail, finding.hint))
    return Finding(finding.name, finding.state, detail, hint)
