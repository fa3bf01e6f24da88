"""Words for people: an error without stack trace and secrets, a moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from creator_pipeline.core.secrets import redact, without_addresses
from creator_pipeline.core.windows import now
from creator_pipeline.mail.render import one_line
from creator_pipeline.settings import Settings

MAX_ERROR = 600

_FRAME = re.compile(
    r'^\s*(Traceback \(most recent|Stack Trace:|File "[^"]*", line \d+|[~^]+$|During handling of|The above exception)'
)
_URL_PASSWORD = re.compile(r"(\w+://[^\s/:@]*:)[^\s/@]+@")
# Keys by their providers' prefixes, signed tokens, Fernet tokens, and anything long that only a machine would write.
_LOOKS_SECRET = re.compile(
    r"\b(?:re_|whsec_|ws_|apik_|sk_|pk_|sbp_|ghp_)[\w+/=-]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bgAAAA[\w-]{20,}=*"
)


_COMMAND = re.compile(r"[:,;]?\s*creator-pipeline [a-z][^\n(]*")
_ASK = ": ask whoever runs this pipeline to do it. "


SHELL = "In a shell: "
"""Begins a line of a hint that holds a command: for whoever runs the installation, and for nobody else."""


def without_shell(text: str) -> str:
    """A text of several lines without those that hold commands."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(SHELL))


def moment_text(moment: datetime | None) -> str | None:
    """``23 November 2026, 20:05 UTC``."""
    if moment is None:
        return None
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def short_moment(moment: datetime) -> str:
    """``23 Nov, 20:05 UTC``, with the year where it isn't this one."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%b}{f' {utc.year}' if utc.year != now().year else ''}, {utc:%H:%M} UTC"


def for_seller(text: str) -> str:
    """Without commands: to somebody who has no shell."""
    return _COMMAND.sub(_ASK, text).strip()


def plain_error(message: str, settings: Settings, *, for_owner: bool = True) -> str:
    """What went wrong, fit to be mailed: no stack trace, no secret, no address of a buyer, bounded.

    ``for_owner``: to somebody who has no shell; commands are left out then.
    """
    lines = list(_without_trace(without_shell(message) if for_owner else message))
    if for_owner:
        lines = [for_seller(line) for line in lines]
    text = redact(" ".join(lines), settings.secret_values())
    text = _LOOKS_SECRET.sub("***", without_addresses(_URL_PASSWORD.sub(r"\1***@", text)))
    text = one_line(text) or "No reason was given."
    return text if len(text) <= MAX_ERROR else text[: MAX_ERROR - 1].rstrip() + "…"


def _without_trace(message: str) -> Iterator[str]:
    """The lines a person can use: of a stack trace only the last one, which names the error."""
    tracing = False
    for line in message.splitlines():
        if _FRAME.match(line):
            tracing = True
        elif tracing and (line[:1].isspace() or not line.strip()):
            continue
        else:
            tracing = False
            yield line.strip()
