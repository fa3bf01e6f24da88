"""Checks and findings: how doctor, health and smoke say what they see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["ok", "no", "off", "unknown"]
"""``no``: configured, and doesn't work. ``off``: not configured, or switched off on purpose. ``unknown``: it can't be
seen from here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: one line of the doctor, one problem of the health.

    Attributes:
        name: the same as long as it is the same thing: ``redis``, ``queue/SOURCE``, ``connection/PROVIDER/PROFILE``.
        detail: what was found, without secrets and addresses.
        hint: the command or the step that fixes it; empty where nothing need be done.
        subject: what it is about, for the subject of a mail; empty where no mail is sent of it.
        profile_id: whose it is; empty for the installation's.
        told: another finding tells of it, or the same cause: no mail is sent of this one.
        cause: findings of one cause are told in one mail; empty where it is told by itself.
        since: when it began; when it was found where None.
        amount: money that it is about, for people; empty where it is about none.
        run_id: of the Dagster run that failed; empty where it is no run.
    """

    name: str
    state: State
    detail: str = ""
    hint: str = ""
    subject: str = ""
    profile_id: str = ""
    told: bool = False
    cause: str = ""
    since: datetime | None = None
    amount: str = ""
    run_id: str = ""

    def as_json(self) -> dict[str, str]:
        """For ``--json``."""
        return {"name": self.name, "state": self.state, "detail": self.detail, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class Check:
    """A way to look at one thing.

    Attributes:
        name: of its finding where it breaks or takes too long. For health: what the names of its findings begin with
            where it ends with ``/``, else their one name; the check answers for them.
        run: gives the findings; a PipelineError that it raises becomes a finding by itself.
    """

    name: str
    run: Callable[[], Iterable[Finding]]


class NothingKnown(Exception):  # noqa: N818 - no error: nothing can be said at the moment
    """Raised by a check that found no answer: what was known before stands."""
