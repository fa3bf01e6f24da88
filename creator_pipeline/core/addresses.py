"""E-mail addresses as people write them: alone, with a name, in a list."""

from __future__ import annotations

import re
from typing import NamedTuple

from creator_pipeline.core.errors import DataError

_LOCAL = re.compile(r"[^\s@<>,;:\"()\[\]\\.]+(?:\.[^\s@<>,;:\"()\[\]\\.]+)*")
_DOMAIN = re.compile(r"(?:[^\W_](?:[^\W_]|-){0,62}\.)+[^\W_](?:[^\W_]|-){1,62}")
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")
# A comma or semicolon within a quoted name separates nothing.
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,;])+')


class Addresses(NamedTuple):
    """Addresses that can be used, and what can't be read as one, as it was written."""

    usable: list[str]
    unusable: list[str]


def check(text: str) -> str:
    """The one address of ``text``, without the name beside it.

    Raises:
        DataError: it isn't one address.
    """
    named = _NAMED.fullmatch(text.strip())
    address = (named.group(1) if named else text).strip()
    local, _, domain = address.rpartition("@")
    fits = _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain) and address.isprintable()
    if not fits or len(local) > 64 or len(address) > 254:
        raise DataError("A mail's recipient is not an e-mail address.", hint="It looks like name@example.com.")
    return address


def split(text: str) -> Addresses:
    """The addresses of a list, separated by commas or semicolons, each once."""
    usable, unusable = dict[str, None](), list[str]()
    for part in filter(None, (one.strip() for one in _PART.findall(text))):
        try:
            usable[check(part)] = None
        except DataError:
            unusable.append(part)
    return Addresses(list(usable), unusable)
