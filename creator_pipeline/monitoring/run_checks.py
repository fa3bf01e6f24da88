"""Runs the checks of doctor and smoke: side by side, each within a few seconds and alone with its faults."""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.secrets import redact
from creator_pipeline.settings import Settings

CHECK_SECONDS = 20.0
"""Most that a check may take; its own requests time out earlier."""
AT_ONCE = 16
_ERROR_CHARACTERS = 300


class _Running:
    def __init__(self, check: Check, slots: threading.Semaphore) -> None:
        self.check = check
        self._slots = slots
        self.findings: list[Finding] = []
        self._done = threading.Event()
        # A daemon: a check that hangs must not keep the command from ending.
        threading.Thread(target=self._work, name=f"check {check.name}", daemon=True).start()

    def _work(self) -> None:
        found: list[Finding] = []
        with self._slots:
            try:
                found.extend(self.check.run())
            except PipelineError as error:
                said = f"{error.operation}: {error.message}" if error.operation else error.message
                found.append(Finding(self.check.name, "no", said, error.hint))
            except OSError as error:
                found.append(_of_the_system(self.check.name, error))
            except Exception as error:  # noqa: BLE001 - a broken check is a line of its own and hides no other
                text = f"The check itself broke: {type(error).__name__}: {error}".splitlines()[0]
                hint = "Report it; the other lines stand."
                found.append(Finding(self.check.name, "no", text[:_ERROR_CHARACTERS], hint))
        self.findings = found
        self._done.set()

    def result(self, deadline: float) -> list[Finding]:
        if self._done.wait(max(0.0, deadline - time.monotonic())):
            return self.findings
        return [Finding(self.check.name, "no", "No answer in time.", "Is its host reachable from here? Try again.")]


def _of_the_system(name: str, error: OSError) -> Finding:
    """What the system refused, with the operation and the path."""
    operation = traceback.extract_tb(error.__traceback__)[-1].name
    path = f" of {error.filename}" if error.filename else ""
    text = f"{operation}{path} failed: {error.strerror or type(error).__name__}"
    hint = "May the user that runs this read and write it? See docs/deployment.md." if error.filename else ""
    return Finding(name, "no", text[:_ERROR_CHARACTERS], hint or "Report it; the other lines stand.")


def run(checks: Sequence[Check], config: Settings | None, *, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """The findings of all checks, in the order of the checks.

    Args:
        checks: run in threads, :data:`AT_ONCE` at a time.
        config: its secrets are cut out of every finding.
        seconds: most that a check may take.
    """
    slots = threading.Semaphore(AT_ONCE)
    deadline = time.monotonic() + seconds * math.ceil(len(checks) / AT_ONCE)
    running = [_Running(check, slots) for check in checks]
    secrets = config.secret_values() if config else []
    return [_clean(finding, secrets) for one in running for finding in one.result(deadline)]


def _clean(finding: Finding, secrets: Sequence[str]) -> Finding:
    detail, hint = (" ".join(redact(text, secrets).split()) for text in (finding.detail, finding.hint))
    return replace(finding, detail=detail, hint=hint)
