"""Reads one file into a :class:`~creator_pipeline.platforms.kdp.models.Report`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, Literal

from creator_pipeline.platforms.kdp import stated_totals
from creator_pipeline.platforms.kdp.builder import ReportBuilder
from creator_pipeline.platforms.kdp.formats import PRIOR_MONTH, Family
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.models import NOT_TAUGHT, PAYMENTS, Report, Row, Totals, total
from creator_pipeline.platforms.kdp.payments import read_payments, rows_of
from creator_pipeline.platforms.kdp.problems import NO_ROWS, OWN_FILE, TEACH, ReportError
from creator_pipeline.platforms.kdp.reader_csv import open_csv
from creator_pipeline.platforms.kdp.reader_xlsx import check_archive, open_xlsx
from creator_pipeline.platforms.kdp.table import Table
from creator_pipeline.platforms.kdp.tabs import Tab

MAX_BYTES = 64 << 20
"""Size of the largest file that is read. Files that KDP makes are below 2 MB."""
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_INSTEAD = "Prior Months' Royalties and the dashboard's exports are read: upload one of those."
_ADVERB = {"month": "monthly", "day": "daily", None: "monthly"}


def parse(source: str | Path | bytes, file_name: str | None = None, taught: Mapping[str, str] = NOT_TAUGHT) -> Report:
    """Read a report in this process.

    A hostile workbook can abort the process that reads it: a cell in a far corner makes the reader ask for a terabyte
    of memory. Files from outside are therefore read by :func:`.child_process.parse_in_child`.

    Args:
        source: a path, or the bytes of the file.
        file_name: for messages, and to compare the month with; the path's name by default.
        taught: header in normal form -> our name of the column, as a person said it.

    Raises:
        ReportError: the file is no usable report; names tab, row, column, what was found and what was expected.
    """
    if isinstance(source, bytes):
        return _parse(io.BytesIO(source), len(source), file_name or "upload", taught)
    path = Path(source)
    with path.open("rb") as stream:
        return _parse(stream, path.stat().st_size, file_name or path.name, taught)


def _parse(stream: BinaryIO, size: int, file: str, taught: Mapping[str, str]) -> Report:
    if size > MAX_BYTES:
        raise ReportError(
            "The file is too large for a report of KDP.",
            hint="Export a shorter range.",
            file=file,
            found=f"{size >> 20} MB",
            expected=f"at most {MAX_BYTES >> 20} MB",
        )
    start = stream.read(4096)
    _refuse_other_formats(start, file)
    if start.startswith(b"PK"):
        snapshot = check_archive(stream, size, file)
        return _workbook(open_xlsx(stream, file, taught), file, snapshot)
    table, layout = open_csv(stream, file, taught)
    return _csv(table, layout, file)


def _refuse_other_formats(start: bytes, file: str) -> None:
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_OLE):
        raise ReportError(
            "This is a password-protected workbook or an old .xls file.",
            hint="Remove the password, or save it as .xlsx; best is the file as KDP made it.",
            kind="ole",
            file=file,
            found="an OLE container",
            expected="an .xlsx workbook or CSV",
        )
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<table")):
        raise ReportError(
            "This is a web page, not a report: a link was saved instead of the file.",
            hint="Sign in to KDP, download the report, and upload that file.",
            kind="html",
            file=file,
            found=head[:40].decode("utf-8", "replace"),
            expected="an .xlsx workbook or CSV",
        )
    for magic, name in ((b"%pdf", "a PDF"), (b"\x1f\x8b", "a gzip archive"), (b"rar!", "a RAR archive")):
        if head.startswith(magic):
            raise ReportError(f"This is {name}, not a report.", hint=OWN_FILE, file=file, found=name)


def _csv(table: Table, layout: Layout, file: str) -> Report:
    sheet = layout.sheet
    if sheet.alone:
        raise ReportError(
            sheet.alone,
            hint=_INSTEAD,
            kind=sheet.csv_kind or "unknown",
            file=file,
            row=layout.header_row + 1,
            found=", ".join(layout.names),
            expected="a report with one row per title and marketplace",
        )
    builder = ReportBuilder(file)
    if sheet.kind == "payments":
        return _payments(builder, table, layout, "csv", None)
    builder.rows = builder.read_table(table, layout)
    # A tab of every format covers both series; a tab of one format says nothing of the other.
    builder.series = {"sales/digital", "sales/print"} if sheet.ids == ("asin_isbn",) else set[str]()
    if sheet.format or sheet.series:
        builder.series = {
            sheet.series or ("sales/digital" if sheet.format in {"ebook", "audiobook"} else "sales/print")
        }
    if sheet.kind == "orders" and builder.rows:
        builder.days = {row.dimensions.day for row in builder.rows}
        builder.grain = "day" if len(builder.rows[0].dimensions.slice) > len("orders:2026-03") else "month"
    return builder.build("csv", sheet.csv_kind or layout.family.kind, layout.family, None, builder.rows)


def _payments(
    builder: ReportBuilder, table: Table, layout: Layout, form: Literal["csv", "xlsx"], snapshot: datetime | None
) -> Report:
    payments = read_payments(table, layout, builder.problems)
    builder.days = {each.period_start for each in payments}
    builder.grain = "month" if payments else None
    builder.stated["breakdown"] = Totals(rows=sum(len(each.details) for each in payments))
    report = builder.build(form, PAYMENTS, layout.family, snapshot, rows_of(payments, table.name))
    return replace(report, payments=tuple(payments))


def _workbook(tabs: Iterator[Tab], file: str, snapshot: datetime | None) -> Report:
    builder = ReportBuilder(file)
    family: Family | None = None
    repeating: list[tuple[str, list[Row]]] = []
    summary: dict[date, Totals] = {}
    read: set[str] = set()
    names: list[str] = []
    counted: list[list[tuple[object, ...]]] = []
    for tab in tabs:
        name, table, layout = tab.name, tab.table, tab.layout
        names.append(name)
        if table is None or layout is None:
            builder.problems.take(tab.problem)
            continue
        sheet = layout.sheet
        if sheet.role == "ignore":
            if not sheet.alone:
                continue
            raise ReportError(sheet.alone, hint=_INSTEAD, kind=sheet.csv_kind or "xlsx", file=file, sheet=name)
        # Two tabs of printed books whose names say nothing are paperbacks and hardcovers.
        again = sheet.name in read and sheet.name != "print"
        if again or (family is not None and family is not layout.family):
            raise _twice(file, name)
        read.add(sheet.name)
        family = layout.family
        if sheet.kind == "payments":
            return _payments(builder, table, layout, "xlsx", snapshot)
        if sheet.kind == "summary":
            summary = stated_totals.read_summary(table, layout, builder.problems)
        elif sheet.kind == "orders":
            builder.orders += builder.read_table(table, layout)
        elif sheet.role == "repeat":
            repeating.append((name, builder.read_table(table, layout)))
        else:
            rows = builder.read_table(table, layout, builder.grain)
            _add_once(builder, counted, rows, name)
    if family is None or not read - {"summary"}:
        unread = next((each for each in builder.problems.listed if each.level == "quarantine"), None)
        bare = [each for each in builder.problems.listed if each.hint == NO_ROWS]
        raise ReportError(
            "No tab of this workbook could be recognized."
            if unread
            else "No tab of this workbook holds a row, so there is nothing to count."
            if len(bare) > len(names) // 2
            else "No tab of this workbook is a report of KDP's.",
            hint=unread.hint if unread else OWN_FILE,
            kind="xlsx",
            file=file,
            found=", ".join(names),
            expected="tabs such as Combined Sales, eBook Royalty, KENP Read",
        )
    return _checked(builder, family, repeating, summary, read, snapshot)


def _add_once(builder: ReportBuilder, counted: list[list[tuple[object, ...]]], rows: list[Row], tab: str) -> None:
    """Add the rows of a tab, unless another tab has just the same ones."""
    sales: list[tuple[object, ...]] = [(row.measures, row.dimensions.event_key, row.dimensions.day) for row in rows]
    if sales and sales in counted:
        raise _twice(builder.file, tab)
    counted.append(sales)
    builder.rows += rows


def _twice(file: str, tab: str) -> ReportError:
    return ReportError(
        "The workbook holds two reports, or one tab twice.",
        hint="Upload each report as KDP made it.",
        kind="xlsx",
        file=file,
        sheet=tab,
        expected="each tab once",
    )


def _checked(
    builder: ReportBuilder,
    family: Family,
    repeating: list[tuple[str, list[Row]]],
    summary: dict[date, Totals],
    read: set[str],
    snapshot: datetime | None,
) -> Report:
    detailed = bool(read & {"ebook", "audiobook", "paperback", "hardcover", "print"})
    for name, rows in repeating:
        builder.stated[name] = total(rows)
        if detailed:
            stated_totals.compare_tabs(name, rows, builder.rows, builder.problems)
        else:
            kept = {row.dimensions.kind for row in builder.rows}
            builder.rows += [row for row in rows if row.dimensions.kind not in kept]
    for day, sums in sorted(summary.items()):
        builder.stated[f"Summary {day:%Y-%m}"] = sums
    if summary:
        stated_totals.check_summary(summary, builder.rows, builder.problems)
        if builder.grain != "day":
            builder.days |= {day for day, sums in summary.items() if not sums.units_sold and not sums.pages_read}
            builder.grain = builder.grain or ("month" if builder.days else None)
    if builder.orders:
        builder.stated["Orders Processed"] = total(builder.orders)
        stated_totals.check_orders(builder.orders, builder.rows, builder.problems)
    _check_not_empty(builder, summary)
    if detailed or repeating:
        builder.series |= {"sales/digital", "sales/print"}
    if any(name.startswith("kenp") for name in read) or (repeating and family is PRIOR_MONTH):
        builder.series.add("kenp")
    rows = [*builder.rows, *builder.orders]
    return builder.build("xlsx", family.kind.format(grain=_ADVERB[builder.grain]), family, snapshot, rows)


def _check_not_empty(builder: ReportBuilder, summary: dict[date, Totals]) -> None:
    """Quarantine a workbook that says it has sales or pages, and of which no row was read."""
    ordered = sum(row.measures.units_sold for row in builder.orders if row.dimensions.slice.startswith("orders:"))
    stated = [f"{day:%Y-%m}" for day, sums in summary.items() if sums.units_sold or sums.pages_read]
    if not builder.rows and (ordered or stated):
        builder.problems.add(
            "quarantine",
            "The workbook says that something was sold or read, and no tab with its rows was recognized. " + TEACH,
            sheet="Summary" if stated else "Orders Processed",
            column="units",
            found=", ".join(stated) or f"{ordered} orders",
            expected="a row of sales or pages",
        )
