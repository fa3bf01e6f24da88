"""One file to one :class:`~creator_pipeline.platforms.kdp.model.Report`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, Literal

from creator_pipeline.platforms.kdp import control
from creator_pipeline.platforms.kdp.draft import Draft
from creator_pipeline.platforms.kdp.formats import PRIOR_MONTH, Family
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.model import Report, Row, Totals, total
from creator_pipeline.platforms.kdp.payments import read_payments
from creator_pipeline.platforms.kdp.reader_csv import open_csv
from creator_pipeline.platforms.kdp.reader_xlsx import guard, open_xlsx
from creator_pipeline.platforms.kdp.refusals import OWN_FILE, ReportError
from creator_pipeline.platforms.kdp.table import Table

MAX_BYTES = 64 << 20
"""Largest file read; KDP's own are below 2 MB."""
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_INSTEAD = "Prior Months' Royalties and the dashboard's exports are read: upload one of those."
_ADVERB = {"month": "monthly", "day": "daily", None: "monthly"}


def parse(source: str | Path | bytes, file_name: str | None = None) -> Report:
    """Read a report in this process; files from outside go through :func:`.supervised.parse_guarded`.

    A hostile workbook can abort the process that reads it (a cell in a far corner makes the reader ask for a terabyte).

    Args:
        source: a path, or the file's bytes.
        file_name: for messages and for the check of the month; the path's name by default.

    Raises:
        ReportError: a DataError that names file, tab, row, column, what was found and what was expected.
    """
    if isinstance(source, bytes):
        return _parse(io.BytesIO(source), len(source), file_name or "upload")
    path = Path(source)
    with path.open("rb") as stream:
        return _parse(stream, path.stat().st_size, file_name or path.name)


def _parse(stream: BinaryIO, size: int, file: str) -> Report:
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
        snapshot = guard(stream, size, file)
        return _workbook(open_xlsx(stream, file), file, snapshot)
    table, layout = open_csv(stream, file)
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
    draft = Draft(file)
    if sheet.kind == "payments":
        return _payments(draft, table, layout, "csv", None)
    draft.rows = draft.read(table, layout)
    # A tab of every format covers both measures; a tab of one format says nothing of the other.
    draft.measures = {"sales/digital", "sales/print"} if sheet.ids == ("asin_isbn",) else set[str]()
    if sheet.format or sheet.measure:
        draft.measures = {sheet.measure or ("sales/digital" if sheet.format == "ebook" else "sales/print")}
    if sheet.kind == "orders" and draft.rows:
        draft.days = {row.facts.day for row in draft.rows}
        draft.grain = "day" if len(draft.rows[0].facts.slice) > len("orders:2026-03") else "month"
    return draft.report("csv", sheet.csv_kind or layout.family.kind, layout.family, None, draft.rows)


def _payments(
    draft: Draft, table: Table, layout: Layout, form: Literal["csv", "xlsx"], snapshot: datetime | None
) -> Report:
    rows, details = read_payments(table, layout, draft.findings)
    draft.days = {row.facts.day for row in rows}
    draft.grain = "month" if rows else None
    draft.control["breakdown"] = Totals(rows=details)
    return draft.report(form, "payments", layout.family, snapshot, rows)


def _workbook(tabs: Iterator[tuple[str, Table | None, Layout | None]], file: str, snapshot: datetime | None) -> Report:
    draft = Draft(file)
    family: Family | None = None
    repeating: list[tuple[str, list[Row]]] = []
    summary: dict[date, Totals] = {}
    read: set[str] = set()
    names: list[str] = []
    for name, table, layout in tabs:
        names.append(name)
        if table is None or layout is None:
            draft.findings.add("note", "This tab is none of KDP's: it was not read.", sheet=name, found=name)
            continue
        sheet = layout.sheet
        if sheet.role == "ignore" and not sheet.alone:
            continue
        if sheet.alone and sheet.role == "ignore":
            raise ReportError(sheet.alone, hint=_INSTEAD, kind=sheet.csv_kind or "xlsx", file=file, sheet=name)
        if sheet.name in read or (family is not None and family is not layout.family):
            raise ReportError(
                "The workbook holds two reports, or one tab twice.",
                hint="Upload each report as KDP made it.",
                kind="xlsx",
                file=file,
                sheet=name,
                expected="each tab once",
            )
        read.add(sheet.name)
        family = layout.family
        if sheet.kind == "payments":
            return _payments(draft, table, layout, "xlsx", snapshot)
        if sheet.kind == "summary":
            summary = control.read_summary(table, layout, draft.findings)
        elif sheet.kind == "orders":
            draft.orders += draft.read(table, layout)
        elif sheet.role == "control":
            repeating.append((name, draft.read(table, layout)))
        else:
            draft.rows += draft.read(table, layout, draft.grain)
    if family is None or not read - {"summary"}:
        raise ReportError(
            "No tab of this workbook is a report of KDP's.",
            hint=OWN_FILE,
            kind="xlsx",
            file=file,
            found=", ".join(names),
            expected="tabs such as Combined Sales, eBook Royalty, KENP Read",
        )
    return _checked(draft, family, repeating, summary, read, snapshot)


def _checked(
    draft: Draft,
    family: Family,
    repeating: list[tuple[str, list[Row]]],
    summary: dict[date, Totals],
    read: set[str],
    snapshot: datetime | None,
) -> Report:
    detailed = bool(read & {"ebook", "audiobook", "paperback", "hardcover", "print"})
    for name, rows in repeating:
        draft.control[name] = total(rows)
        if detailed:
            control.compare(name, rows, draft.rows, draft.findings)
        else:
            kept = {row.facts.kind for row in draft.rows}
            draft.rows += [row for row in rows if row.facts.kind not in kept]
    for day, sums in sorted(summary.items()):
        draft.control[f"Summary {day:%Y-%m}"] = sums
    if summary:
        control.check_summary(summary, draft.rows, draft.findings)
        if draft.grain != "day":
            draft.days |= {day for day, sums in summary.items() if not sums.units_sold and not sums.pages_read}
            draft.grain = draft.grain or ("month" if draft.days else None)
    if draft.orders:
        draft.control["Orders Processed"] = total(draft.orders)
        control.check_orders(draft.orders, draft.rows, draft.findings)
    if detailed or repeating:
        draft.measures |= {"sales/digital", "sales/print"}
    if any(name.startswith("kenp") for name in read) or (repeating and family is PRIOR_MONTH):
        draft.measures.add("kenp")
    rows = [*draft.rows, *draft.orders]
    return draft.report("xlsx", family.kind.format(grain=_ADVERB[draft.grain]), family, snapshot, rows)
