"""Words for people: numbers with their nouns, and text of others among our own words."""

from __future__ import annotations

from typing import Any

_TURNS = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def unturned(value: Any) -> Any:
    """A text without the characters that turn the direction of what follows them; anything else as it is.

    A name that holds one turns the rest of a sentence round: an amount behind it reads backwards.
    """
    return value.translate(_TURNS) if isinstance(value, str) else value


def number(count: int, noun: str, plural: str = "") -> str:
    """``1 day``, ``2 days``.

    Args:
        count: of things.
        noun: one of them, or what one does: ``job waits``.
        plural: several of them: ``jobs wait``; the noun with an s where it is left out.
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
