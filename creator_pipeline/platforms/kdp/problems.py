"""What can be wrong with a report, and how it is worded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypedDict, Unpack

from creator_pipeline.core.errors import DataError

Level = Literal["note", "quarantine"]
MAX_LISTED = 50
"""Problems of one level that are listed of one report; further ones are only counted."""
OWN_FILE = (
    "Upload the file that KDP made, not one saved by a spreadsheet program. If it is that file, set the language of "
    "KDP to English, export the report again and upload that."
)

TEACH = (
    "Set the language of KDP to English, export the report again and upload that file; or the person who runs this "
    "installation says what these columns are (kdp teach)."
)
NO_ROWS = "This tab holds no rows."


class Place(TypedDict, total=False):
    """Where in a file something is wrong, what stands there, and what should.

    Attributes:
        sheet: name of the tab; None for a CSV.
        row: number of the row in the file, from 1.
        column: header of the column, as the file spells it.
        found: text of the file; it is made printable.
        expected: what would be right.
    """

    sheet: str | None
    row: int | None
    column: str | None
    found: str | None
    expected: str | None


class ReportError(DataError):
    """A file that is no usable report.

    Attributes:
        kind: what the file is, as far as it was recognized: ``empty``, ``html``, ``ole``, ``xlsx``, ``csv_combined``,
            ``unknown``, or another kind of a report.
        counted: whether the rows that can't be read would be counted.
        doubts: headers that can't be told with certainty, with samples and what they can be.
    """

    code = "data"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        kind: str = "unknown",
        file: str | None = None,
        **place: Unpack[Place],
    ) -> None:
        if "found" in place:
            place["found"] = printable(place["found"])
        super().__init__(message, hint=hint, file=file, **place)
        self.kind = kind
        self.counted = True
        self.doubts: dict[str, str] = {}


class BadCell(Exception):  # noqa: N818 - is always caught in this folder and becomes a Problem
    """A cell that can't be read with certainty.

    Args:
        found: the cell.
        expected: what would be right.
        hint: what to do.
        column: our name of its column; empty where the caller knows it.
        level: ``note`` where its row is left out and the others count.
    """

    def __init__(
        self, found: object, expected: str, hint: str = OWN_FILE, column: str = "", level: Level = "quarantine"
    ) -> None:
        super().__init__(expected)
        self.found = str(found)
        self.expected = expected
        self.hint = hint
        self.column = column
        self.level: Level = level


class Problem(NamedTuple):
    """One problem. Its level is ``note`` (the report counts) or ``quarantine`` (nothing of it counts)."""

    level: Level
    sheet: str | None
    row: int | None
    column: str | None
    found: str | None
    expected: str | None
    hint: str

    def as_dict(self) -> dict[str, str | int | None]:
        """The problem for JSON, without its level."""
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
class ProblemList:
    """Collects the problems of one report, and lists at most :data:`MAX_LISTED` of each level.

    ``refused`` is the number of rows that were left out while the others count.
    """

    listed: list[Problem] = field(default_factory=list[Problem])
    counts: dict[Level, int] = field(default_factory=_no_counts)
    refused: int = 0

    def add(self, level: Level, hint: str, **place: Unpack[Place]) -> None:
        """Add one problem."""
        self.take(
            Problem(
                level,
                place.get("sheet"),
                place.get("row"),
                place.get("column"),
                printable(place.get("found")),
                place.get("expected"),
                hint,
            )
        )

    def take(self, problem: Problem | None) -> None:
        """Add a problem as it is; None adds nothing."""
        if problem is None:
            return
        self.counts[problem.level] += 1
        if self.counts[problem.level] <= MAX_LISTED:
            self.listed.append(problem)

    def add_cell(self, bad: BadCell, *, sheet: str | None, row: int, column: str | None = None) -> None:
        """Add a cell that can't be read. It quarantines the report, unless only its row is refused.

        Args:
            bad: the cell.
            sheet: name of its tab; None for a CSV.
            row: number of its row in the file, from 1.
            column: header of its column; None where it is not known.
        """
        self.refused += bad.level == "note"
        self.add(bad.level, bad.hint, sheet=sheet, row=row, column=column, found=bad.found, expected=bad.expected)

    def all(self) -> tuple[Problem, ...]:
        """The listed problems, and for each level one that says how many more there are."""
        rest = [
            Problem(level, None, None, None, f"{count - MAX_LISTED} more", None, "Only the first are listed.")
            for level, count in self.counts.items()
            if count > MAX_LISTED
        ]
        return (*self.listed, *rest)


def printable(text: str | None) -> str | None:
    """Text of a file from outside, fit for a message: one line, printable, at most 80 characters."""
    if text is None:
        return None
    line = "".join(char if char.isprintable() else " " for char in text[:200])
    return line if len(line) <= 80 else line[:79] + "…"
