"""The one mail about many files that came together: each by its name, and those with the same verdict as one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from creator_pipeline.core.windows import now
from creator_pipeline.mail import history, outbox, told_elsewhere
from creator_pipeline.mail.outbox import Mail, digest, event_key
from creator_pipeline.mail.render import one_line
from creator_pipeline.mail.wording import moment_text
from creator_pipeline.settings import Settings
from creator_pipeline.store.source import Source

_SHOWN_NAMES = 20
_SHOWN_GROUPS = 20
NEXT_STEP = "Open your page: it names the place in each file. What is corrected there can be sent again at any time."


class FileTold(NamedTuple):
    """One file: name, verdict and problem for people. ``id`` stands for it and its content; ``good`` if it counts."""

    name: str
    verdict: str
    problem: str
    id: str
    good: bool


def write_files_told(
    connection: Connection, settings: Settings, *, profile_id: str, source: Source, files: Sequence[FileTold]
) -> str | None:
    """Write the mail about files to their owner; returns its key, None where the owner wants no mails or can't get any.

    Args:
        connection: in the transaction that notes that the files are told.
        settings: of this installation.
        profile_id: whose files.
        source: the platform.
        files: all of them, at least one.
    """
    bad = sum(not each.good for each in files)
    key = event_key("files", profile_id, digest(*sorted(each.id for each in files)))
    told_elsewhere.tell_files(connection, settings, key, source, profile_id, len(files), bad)
    owner = history.owner_of(connection, profile_id)
    if owner is None or owner.notify == "none":
        return None
    values = {
        "source": source.label,
        "files": len(files),
        "bad": bad,
        "groups": groups_of(files),
        "next_step": NEXT_STEP if bad else "",
        "finished_at": moment_text(now()),
    }
    kind = "files_refused" if bad else "files_read"
    mail = Mail(key, kind, owner.email, values, profile_id, {"source": source.name})
    return next(iter(outbox.add_each(connection, settings, mail)), None)


def groups_of(files: Sequence[FileTold]) -> list[dict[str, Any]]:
    """Files with the same verdict and problem as one line, those that don't count first, the most files first."""
    names: dict[tuple[bool, str, str], list[str]] = {}
    for each in files:
        names.setdefault((each.good, each.verdict, each.problem), []).append(one_line(each.name))
    ordered = sorted(names.items(), key=lambda group: (group[0][0], -len(group[1]), group[0]))
    shown: list[dict[str, Any]] = [
        {
            "verdict": verdict,
            "problem": problem,
            "count": len(group),
            "names": ", ".join(group[:_SHOWN_NAMES]),
            "more": max(0, len(group) - _SHOWN_NAMES),
        }
        for (_, verdict, problem), group in ordered
    ]
    rest = sum(group["count"] for group in shown[_SHOWN_GROUPS:])
    if rest:
        more = {"verdict": "other verdicts", "problem": "", "count": rest, "names": "see your page", "more": 0}
        shown = [*shown[:_SHOWN_GROUPS], more]
    return shown
