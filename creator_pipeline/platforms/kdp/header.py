"""Finds the header of a table in its first rows, and says which column is missing where it is incomplete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from creator_pipeline.platforms.kdp.cells import Cell, text
from creator_pipeline.platforms.kdp.columns import SALES_PERIOD, column, normal, spelling
from creator_pipeline.platforms.kdp.dates import day_or_month
from creator_pipeline.platforms.kdp.formats import Family, Sheet, by_header, by_tab, closest
from creator_pipeline.platforms.kdp.models import NOT_TAUGHT
from creator_pipeline.platforms.kdp.problems import OWN_FILE, TEACH, BadCell, ReportError
from creator_pipeline.platforms.kdp.recognize import Found, Unclear, recognize

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
        recognized: headers that we don't know, and the columns that they are by what they hold.
        words: texts that stand for "no value" in this table, in normal form.
    """

    family: Family
    sheet: Sheet
    at: dict[str, int]
    names: tuple[str, ...]
    header_row: int
    sales_period: str | None = None
    unknown: tuple[str, ...] = field(default=())
    recognized: tuple[tuple[str, str], ...] = ()
    words: frozenset[str] = frozenset()

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.names)


def find_layout(
    head: Sequence[Sequence[Cell]], *, file: str, tab: str | None, kind: str, taught: Mapping[str, str] = NOT_TAUGHT
) -> Layout | None:
    """Find the layout of a table by its header. None where no row looks like a header of a report.

    Args:
        head: the first rows of the table.
        file: name of the file, for messages.
        tab: name of the tab; None for a CSV.
        kind: kind of the report in messages about a workbook.
        taught: header in normal form -> our name of the column, as a person said it.

    Raises:
        ReportError: a header lacks a column, or has one twice.
    """
    almost: tuple[int, int] | None = None
    for index, cells in enumerate(head):
        names = tuple(text(cell) for cell in cells)
        known = [
            (place, name)
            for place, header in enumerate(names)
            if header and (name := taught.get(normal(header)) or column(header))
        ]
        fields = frozenset(name for _, name in known)
        match = by_header(fields)
        if tab is not None:
            match = by_tab(tab, fields) or by_tab(_table_name(head[:index]), fields) or match
        if match:
            return _layout(head, index, names, known, match, file=file, tab=tab, kind=kind)
        if len(fields) >= _ALMOST and (almost is None or len(fields) > almost[1]):
            almost = (index, len(fields))
    if almost is None:
        return None
    raise _incomplete(head[almost[0]], almost[0] + 1, file=file, tab=tab, kind=kind, taught=taught)


def _table_name(preamble: Sequence[Sequence[Cell]]) -> str:
    """The name of a table that Numbers writes above its header."""
    # A final report has its Sales Period between the two.
    for cells in preamble[:-3:-1]:
        filled = [text(cell) for cell in cells if text(cell)]
        if len(filled) == 1:
            return filled[0]
    return ""


@dataclass(frozen=True, slots=True)
class Source:
    """A table whose layout is wanted.

    Attributes:
        rows: its rows, those above the header too.
        file: name of the file, for messages.
        tab: name of the tab; None for a CSV.
        kind: kind of the report in messages about a workbook.
        taught: header in normal form -> our name of the column, as a person said it.
        totals: money by currency as the Summary states it; empty where none is there.
        taken: names of the declarations that other tabs of the file have.
    """

    rows: Sequence[Sequence[Cell]]
    file: str
    tab: str | None
    kind: str
    taught: Mapping[str, str] = field(default_factory=dict[str, str])
    totals: Mapping[str, float] = field(default_factory=dict[str, float])
    taken: frozenset[str] = frozenset()


def is_certain(layout: Layout) -> bool:
    """Whether a header leaves nothing to ask: all of it is known, or it has all columns of its layout."""
    orders = [set(order.split()) for order in layout.sheet.orders]
    return not layout.unknown or layout.sheet.kind in _NOT_RECOGNIZED or any(set(layout.at) >= each for each in orders)


_NOT_RECOGNIZED = frozenset(("payments", "summary", "text"))
_STRONG = frozenset(("id", "date", "shop", "currency", "rate"))


def recognized_layout(source: Source, by_header: Layout | ReportError | None) -> Layout | None:
    """The layout of a table whose header isn't wholly known, by what its columns hold.

    Args:
        source: the table.
        by_header: what its header alone says.

    Raises:
        ReportError: it can't be read with certainty; names the columns with what they can be.
    """
    found = recognize(source.rows, tab=source.tab, taught=source.taught, totals=source.totals, taken=source.taken)
    if isinstance(found, Found):
        recognized = tuple(
            (found.names[place] or f"column {place + 1}", role)
            for role, place in sorted(found.at.items(), key=lambda each: each[1])
            if not (source.taught.get(normal(found.names[place])) or column(found.names[place]))
        )
        period = _sales_period(source.rows[: found.header_row])
        placed = set(found.at.values())
        unknown = tuple(name for place, name in enumerate(found.names) if name and place not in placed)
        return Layout(
            found.family, found.sheet, found.at, found.names, found.header_row, period, unknown, recognized, found.words
        )
    if isinstance(by_header, Layout) and not _hides_something(found):
        return by_header
    if found is None or not found.columns:
        if isinstance(by_header, ReportError):
            raise by_header
        return None
    raise _unclear(source, found)


def _hides_something(found: Unclear | None) -> bool:
    return found is not None and any(column.holds in _STRONG for column, _ in found.columns)


def _unclear(source: Source, found: Unclear) -> ReportError:
    first = found.columns[0][0]
    error = ReportError(
        f"What these columns hold can't be told with certainty: {found.told()}.",
        hint=TEACH,
        kind="xlsx" if source.tab is not None else source.kind,
        file=source.file,
        sheet=source.tab,
        row=found.header_row + 1,
        column=first.header,
        found=first.samples(),
        expected=" or ".join(spelling(role) for role in found.columns[0][1]) or "a column of KDP's reports",
    )
    error.counted = found.counted
    error.doubts = {
        column.header: f"{column.samples()}: {' or '.join(roles) or 'none that we know'}"
        for column, roles in found.columns
    }
    return error


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
    places = {place for place, _ in known}
    unknown = tuple(header for place, header in enumerate(names) if header and place not in places)
    return Layout(family, sheet, at, names, index, _sales_period(head[:index]), unknown)


def _sales_period(preamble: Sequence[Sequence[Cell]]) -> str | None:
    for cells in preamble:
        filled = [text(cell) for cell in cells if text(cell)]
        if len(filled) >= 2 and normal(filled[0]).rstrip(":") in SALES_PERIOD:
            return filled[1]
        if len(filled) == 2 and any(char.isdigit() for char in filled[1]) and not any(map(str.isdigit, filled[0])):
            # The label in another language: two cells, and the second one is a month, or can't be read.
            try:
                day, grain = day_or_month(filled[1])
            except BadCell:
                return filled[1]
            if grain == "month" or day.day == 1:
                return filled[1]
    return None


def _incomplete(
    cells: Sequence[Cell], row: int, *, file: str, tab: str | None, kind: str, taught: Mapping[str, str]
) -> ReportError:
    names = [text(cell) for cell in cells]
    fields = frozenset(name for header in names if (name := taught.get(normal(header)) or column(header)))
    family, sheet = closest(fields, tab)
    missing = [spelling(name) for name in sorted(sheet.required - fields)]
    unknown = [header for header in names if header and not (taught.get(normal(header)) or column(header))]
    wanted = ", ".join(missing) or "a header of one of KDP's reports"
    return ReportError(
        f"Required column missing: {wanted}." if missing else "These columns belong to no known report.",
        hint=(
            f"Columns we don't know: {', '.join(unknown)}. {TEACH}"
            if unknown
            else f"Leave the report's columns as they are. {OWN_FILE}"
        ),
        kind=(sheet.csv_kind or family.kind) if tab is None else kind,
        file=file,
        sheet=tab,
        row=row,
        column=missing[0] if missing else None,
        found=", ".join(names),
        expected=wanted,
    )
