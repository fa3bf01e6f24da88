"""What both readers hand on: a named stream of rows below a header."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from creator_pipeline.platforms.kdp.cells import Cell


@dataclass(slots=True)
class Table:
    """Rows below the header, once. ``row`` is the header's own row as a spreadsheet counts, from 1."""

    name: str
    rows: Iterator[Sequence[Cell]]
    row: int
