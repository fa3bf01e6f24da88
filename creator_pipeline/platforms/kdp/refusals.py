"""What can be wrong with a report, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from creator_pipeline.core.errors import DataError

Level = Literal["note", "quarantine"]
MAX_LISTED = 50
"""Problems listed of one report; the rest is only counted."""
OWN_FILE = "Download the report from KDP again and upload that file itself, not one saved by a spreadsheet program."


class ReportError(DataError):
    """A file that is no usable KDP report.

    Attributes:
        kind: what it is as far as could be told: ``empty``, ``html``, ``ole``, ``xlsx``, ``csv_combined``, ``unknown``…
    """

    code = "data"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        kind: str = "unknown",
        file: str | None = None,
        sheet: str | None = None,
        row: int | None = None,
        column: str | None = None,
        found: str | None = None,
        expected: str | None = None,
    ) -> None:
        super().__init__(
            message,
            hint=hint,
            file=file,
            sheet=sheet,
            row=row,
            column=column,
            found=shown(found),
            expected=expected,
        )
        self.kind = kind


class BadCell(Exception):  # noqa: N818 - never leaves this room: the row's reader turns it into a Problem
    """A cell that can't be read with certainty."""

    def __init__(self, found: object, expected: str, hint: str = OWN_FILE, column: str = "") -> None:
        super().__init__(expected)
        self.found = str(found)
        self.expected = expected
        self.hint = hint
        self.column = column


class Problem(NamedTuple):
    """One finding. ``level`` is ``note`` (told, and the report counts) or ``quarantine`` (a person must look)."""

    level: Level
    sheet: str | None
    row: int | None
    column: str | None
    found: str | None
    expected: str | None
    hint: str

    def as_dict(self) -> dict[str, str | int | None]:
        """Without the level, for JSON."""
        return {
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "found": self.found,
            "expected": self.expected,
            "hint": self.hint,
        }


def _no_counts() -> dict[Level, int]:
    return {"note": 0, "quarantine": 0}


@dataclass(slots=True)
class Findings:
    """Collects the problems of one report, at most ``MAX_LISTED`` of each level."""

    problems: list[Problem] = field(default_factory=list[Problem])
    counts: dict[Level, int] = field(default_factory=_no_counts)

    def add(
        self,
        level: Level,
        hint: str,
        *,
        sheet: str | None = None,
        row: int | None = None,
        column: str | None = None,
        found: str | None = None,
        expected: str | None = None,
    ) -> None:
        """Keep or count one problem."""
        self.counts[level] += 1
        if self.counts[level] <= MAX_LISTED:
            self.problems.append(Problem(level, sheet, row, column, shown(found), expected, hint))

    def closed(self) -> tuple[Problem, ...]:
        """All of them, with one line more for those that were only counted."""
        rest = [
            Problem(level, None, None, None, f"{count - MAX_LISTED} more", None, "Only the first are listed.")
            for level, count in self.counts.items()
            if count > MAX_LISTED
        ]
        return (*self.problems, *rest)


def shown(text: str | None) -> str | None:
    """Text of a foreign file as it may stand in a message: one line, printable, short."""
    if text is None:
        return None
    line = "".join(char if char.isprintable() else " " for char in text[:200])
    return line if len(line) <= 80 else line[:79] + "…"
