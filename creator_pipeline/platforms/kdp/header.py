"""Finds the header of a table in its first rows, and says which column is missing where it is incomplete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from creator_pipeline.platforms.kdp.cells import Cell, text
from creator_pipeline.platforms.kdp.columns import SALES_PERIOD, column, normal, spelling
from creator_pipeline.platforms.kdp.formats import Family, Sheet, by_header, by_tab, closest
from creator_pipeline.platforms.kdp.problems import ReportError

HEAD_ROWS = 25
"""Number of first rows in which a header is looked for."""
_ALMOST = 5
"""A row with so many known columns is an incomplete header; with fewer it is none."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a table's columns are.

    Attributes:
        family, sheet: the declaration that the header fits.
        at: our name of a column -> its index; of a repeated column the first.
        names: headers as the file spells them.
        header_row: index of the header among the table's rows, from 0.
        sales_period: cell beside ``Sales Period`` above the header; None where there is none.
        unknown: headers that we don't know.
    """

    family: Family
    sheet: Sheet
    at: dict[str, int]
    names: tuple[str, ...]
    header_row: int
    sales_period: str | None = None
    unknown: tuple[str, ...] = field(default=())

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.names)


def find_layout(head: Sequence[Sequence[Cell]], *, file: str, tab: str | None, kind: str) -> Layout | None:
    """Find the layout of a table. None where no row looks like a header of a report.

    Args:
        head: the first rows of the table.
        file: name of the file, for messages.
        tab: name of the tab; None for a CSV.
        kind: kind of the report in messages about a workbook.

    Raises:
        ReportError: a header lacks a column, or has one twice.
    """
    almost: tuple[int, int] | None = None
    for index, cells in enumerate(head):
        names = tuple(text(cell) for cell in cells)
        known = [(place, name) for place, header in enumerate(names) if (name := column(header))]
        fields = frozenset(name for _, name in known)
        match = by_tab(tab, fields) or by_header(fields) if tab is not None else by_header(fields)
        if match:
            return _layout(head, index, names, known, match, file=file, tab=tab, kind=kind)
        if len(fields) >= _ALMOST and (almost is None or len(fields) > almost[1]):
            almost = (index, len(fields))
    if almost is None:
        return None
    raise _incomplete(head[almost[0]], almost[0] + 1, file=file, tab=tab, kind=kind)


def _layout(
    head: Sequence[Sequence[Cell]],
    index: int,
    names: tuple[str, ...],
    known: list[tuple[int, str]],
    match: tuple[Family, Sheet],
    *,
    file: str,
    tab: str | None,
    kind: str,
) -> Layout:
    family, sheet = match
    at: dict[str, int] = {}
    for place, name in known:
        if at.setdefault(name, place) != place and name not in sheet.repeated:
            raise ReportError(
                f"The column {names[place]} appears twice.",
                hint="Delete the wrong one, or upload KDP's own file.",
                kind=sheet.csv_kind or family.kind if tab is None else kind,
                file=file,
                sheet=tab,
                row=index + 1,
                column=names[place],
                found="two columns",
                expected="one",
            )
    unknown = tuple(header for header in names if header and column(header) is None)
    return Layout(family, sheet, at, names, index, _sales_period(head[:index]), unknown)


def _sales_period(preamble: Sequence[Sequence[Cell]]) -> str | None:
    for cells in preamble:
        filled = [text(cell) for cell in cells if text(cell)]
        if len(filled) >= 2 and normal(filled[0]).rstrip(":") in SALES_PERIOD:
            return filled[1]
    return None


def _incomplete(cells: Sequence[Cell], row: int, *, file: str, tab: str | None, kind: str) -> ReportError:
    names = [text(cell) for cell in cells]
    fields = frozenset(name for header in names if (name := column(header)))
    family, sheet = closest(fields, tab)
    missing = [spelling(name) for name in sorted(sheet.required - fields)]
    unknown = [header for header in names if header and column(header) is None]
    wanted = ", ".join(missing) or "a header of one of KDP's reports"
    return ReportError(
        f"Required column missing: {wanted}." if missing else "These columns belong to no known report.",
        hint=(
            f"Columns we don't know: {', '.join(unknown)}. If KDP wrote them (another language?), send us this header."
            if unknown
            else "Download the report again, and leave its columns as they are."
        ),
        kind=(sheet.csv_kind or family.kind) if tab is None else kind,
        file=file,
        sheet=tab,
        row=row,
        column=missing[0] if missing else None,
        found=", ".join(names),
        expected=wanted,
    )
