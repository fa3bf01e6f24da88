"""Where something is declared in the code."""

from __future__ import annotations

import inspect
from typing import NamedTuple


class Place(NamedTuple):
    """A line of a source file; the path as Python knows it."""

    path: str
    line: int


def caller(above: int) -> Place:
    """The line that is being executed so many calls above the function that asks.

    Args:
        above: 1 is the line that called it.
    """
    frame = inspect.currentframe()
    for _ in range(above + 1):
        frame = frame.f_back if frame else None
    return Place(frame.f_code.co_filename, frame.f_lineno) if frame else Place("", 0)
