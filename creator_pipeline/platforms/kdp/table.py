"""What both file readers return: the rows below a header, with the name of their tab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from creator_pipeline.platforms.kdp.cells import Cell


@dataclass(slots=True)
class Table:
    """The rows below a header.

    Attributes:
        name: of the tab; empty for a CSV.
        rows: can be read once.
        row: number of the header's row in the file, from 1.
    """

    name: str
    rows: Iterator[Sequence[Cell]]
    row: int
