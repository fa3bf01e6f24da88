"""What operators are told of problems: once for each cause, with all whose problem it is; and once that it is over.

By mail to OPS_EMAIL, and by a notice to each channel of ALERT_URLS that wants it.

Each problem is told once while it is open. One that is solved and comes back is told again, however soon. Problems of
one cause rarely come in one moment, so a cause is told once nothing has been added to it for a while.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from creator_pipeline.core.checks import Finding
from creator_pipeline.core.text import number
from creator_pipeline.mail import alerts, outbox
from creator_pipeline.mail.alerts import Notice
from creator_pipeline.mail.outbox import digest, event_key
from creator_pipeline.mail.wording import moment_text
from creator_pipeline.settings import Settings
from creator_pipeline.store import health_reports

INSTALLATION = "the pipeline"
"""Whose a problem is that is no profile's."""
QUIET = timedelta(seconds=60)
"""A cause is told when it has been the same for so long; the sensor runs each minute, so within two."""
LONGEST = timedelta(minutes=15)
"""It is told after so long in any case."""
AGAIN = timedelta(hours=1)
"""Who joins a cause that was told and is still open is told with all others that join within this."""
FAILED = "failed/"
"""Causes of work that failed begin with it."""
ELSEWHERE = "elsewhere"
"""Cause of what another problem tells of."""
SHOWN = 50
"""Most problems that a mail lists."""
CHANNEL = "alerts/"
"""Ids of problems of a channel begin with it; its name follows."""

_REQUEST = re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE) /\S*:? ")
_BEGINS = re.compile(r"[.:] ")
_DIFFERS = re.compile(r"\S*\d\S*|'[^']*'|\"[^\"]*\"")

Row = Mapping[str, Any]


def cause_of(problem: Finding) -> str | None:
    """What is stored as a problem's cause."""
    return ELSEWHERE if problem.told else problem.cause or None


def failed_cause(source: str, owner: str, message: str) -> str:
    """The cause of a failure: its message without what differs between profiles, days, endpoints and runs.

    A platform that is down fails each of its endpoints, and is one cause.

    Args:
        source: what was read.
        owner: whose profile; its id is no part of the cause.
        message: of the error.
    """
    message = _REQUEST.sub("", message)
    words = _DIFFERS.sub("#", message.replace(owner, "#") if owner else message)
    return f"{FAILED}{source}/{' '.join(words.split())[:120]}"


def fails_otherwise(row: Row, problem: Finding) -> bool:
    """Whether what is open failed again since, by another cause: a failure of its own, and told as one."""
    before, cause = row["cause"] or "", problem.cause
    return not problem.told and cause.startswith(FAILED) and before.startswith(FAILED) and before != cause


def tell(connection: Connection, settings: Settings, found: Collection[str], moment: datetime) -> None:
    """Write the mails and notices that are due.

    Args:
        connection: of the transaction that stored the problems.
        settings: of this installation. Without an address or a channel what is open is told when there is one.
        found: ids of problems that were found now; what couldn't be looked at isn't told.
        moment: now.
    """
    rows = health_reports.open_ones(connection)
    last = _last_told(rows)
    new = [row for row in rows if row["id"] in found and row["told_at"] is None and row["cause"] != ELSEWHERE]
    for cause, group in _by_cause(new).items():
        joins = cause in last and moment - last[cause] < AGAIN
        if not _somebody(settings, "failure", group) or joins or _may_grow(group, moment, lambda row: row["since"]):
            continue
        _tell(connection, settings, "health", "failure", group)
        for row in group:
            health_reports.changed(connection, row["id"], told_at=moment)
    _tell_solved(connection, settings, moment)


def _tell_solved(connection: Connection, settings: Settings, moment: datetime) -> None:
    for group in _by_cause(health_reports.solved_ones(connection)).values():
        told = [row for row in group if row["cause"] != ELSEWHERE]
        told = told if told and _somebody(settings, "mended", told) else []
        if told and _may_grow(told, moment, lambda row: row["resolved_at"]):
            continue
        if told:
            _tell(connection, settings, "health-mended", "mended", told)
        for row in group:
            health_reports.changed(connection, row["id"], mended_told_at=moment)


def _by_cause(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups = defaultdict[str, list[Row]](list)
    for row in rows:
        groups[row["cause"] or row["id"]].append(row)
    return groups


def _last_told(rows: Sequence[Row]) -> dict[str, datetime]:
    last: dict[str, datetime] = {}
    for row in rows:
        if row["cause"] and row["told_at"] is not None:
            last[row["cause"]] = max(row["told_at"], last.get(row["cause"], row["told_at"]))
    return last


def _may_grow(group: Sequence[Row], moment: datetime, when: Callable[[Row], datetime]) -> bool:
    """Whether more may belong to the same mail."""
    moments = [when(row) for row in group]
    grows = group[0]["cause"] is not None
    return grows and moment - max(moments) < QUIET and moment - min(moments) < LONGEST


def _somebody(settings: Settings, word: str, group: Sequence[Row]) -> bool:
    return bool(settings.ops_addresses) or alerts.wanted(settings, _topic(word, group))


def _topic(word: str, group: Sequence[Row]) -> str:
    return f"{word}/{str(group[0]['id']).partition('/')[0]}"


def _tell(connection: Connection, settings: Settings, word: str, topic: str, group: Sequence[Row]) -> None:
    """A mail to each operator, and a notice. Their key is made of the problems, so that the same ones are told once."""
    key = event_key(word, digest(*(f"{row['id']} {row['since'].isoformat()}" for row in group)))
    said = values(group, settings)
    outbox.add_each(connection, settings, *outbox.to_ops(settings, key, f"ops_{topic}", said))
    owners = {row["profile_id"] for row in group}
    notice = Notice(
        key,
        _topic(topic, group),
        said["title"] if topic == "failure" else f"Over: {said['title']}",
        list(_facts(said)),
        "failure" if topic == "failure" else "success",
        next(iter(owners)) if len(owners) == 1 else None,
        # A channel that is down is told of by the others.
        frozenset(str(row["id"]).removeprefix(CHANNEL) for row in group if str(row["id"]).startswith(CHANNEL)),
    )
    alerts.add(connection, settings, notice)


def _facts(said: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """The lines of a notice."""
    many = len(said["problems"]) > 1
    if many:
        yield "Profiles", said["profiles"]
    for one in said["problems"][: alerts.SHOWN]:
        if many:
            yield "", f"{one['whose']}: {one['what']}"
        else:
            yield "Profile", said["profiles"]
        yield "Check", one["id"]
        yield "Amount", one["amount"]
        yield "Since", one["since"]
        yield "Over", one["mended_at"]
        yield "Next step", "" if one["mended_at"] else one["hint"]
        yield "Run", one["run_url"]
    if (more := len(said["problems"]) - alerts.SHOWN + said["more"]) > 0:
        yield "", f"And {more} more: creator-pipeline doctor --only-problems"
    yield "Next step", "" if said["problems"][0]["mended_at"] else said["next_step"]


def values(group: Sequence[Row], settings: Settings) -> dict[str, Any]:
    """What the templates of ``ops_failure`` and ``ops_mended`` name."""
    first, owners = group[0], sorted({row["profile_id"] for row in group if row["profile_id"]})
    hints = {row["hint"] for row in group}
    title = first["text"]
    if len(group) > 1:
        who = number(len(owners), "profile") if len(owners) > 1 else number(len(group), "problem")
        title = f"{first['subject'] or 'The pipeline'}, {who}: {_shared([row['text'] for row in group])}"
    return {
        "title": title,
        "profiles": ", ".join(owners[:SHOWN]),
        "next_step": first["hint"] if len(hints) == 1 else "",
        "problems": [
            {
                "id": row["id"],
                "whose": row["profile_id"] or INSTALLATION,
                "what": row["text"],
                "hint": row["hint"] if len(hints) > 1 else "",
                "since": moment_text(row["since"]),
                "mended_at": moment_text(row["resolved_at"]),
                "told": row["told_at"] is not None,
                "amount": row["amount"] or "",
                "run_url": alerts.run_url(settings, row["run_id"]),
            }
            for row in group[:SHOWN]
        ],
        "more": max(0, len(group) - SHOWN),
    }


def _shared(texts: Sequence[str]) -> str:
    """The end that all texts share, from a sentence's begin or behind a colon; else the first, and how many more."""
    begins = (0, *(found.end() for found in _BEGINS.finditer(texts[0])))
    ends = (texts[0][begin:] for begin in begins)
    many = f"{texts[0].removesuffix('.')}, and {len(texts) - 1} more."
    return next((end for end in ends if end and all(text.endswith(end) for text in texts)), many)
