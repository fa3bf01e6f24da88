"""Words of what commands print."""

from __future__ import annotations


def number(count: int, word: str) -> str:
    """``1 day``, ``2 days``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
