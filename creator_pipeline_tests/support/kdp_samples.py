"""Fixtures, and reports written on the spot where a variant is wanted."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import openpyxl

from creator_pipeline_tests.support import paths

FIXTURES = paths.FIXTURES / "kdp"
MANIFEST: dict[str, dict[str, Any]] = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))
ESTIMATOR = FIXTURES / "KDP_Royalties_Estimator-00000000-1111-4222-8333-444444440001.xlsx"
REEXPORT = FIXTURES / "KDP_Royalties_Estimator-00000000-1111-4222-8333-444444440002.xlsx"
FINAL = FIXTURES / "KDP_Prior_Month_Royalties-2026-03-01-00000000-1111-4222-8333-444444440005.xlsx"
COMBINED = FIXTURES / "csv_combined_utf8.csv"

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def table() -> list[list[str]]:
    """Header and rows of the plain Combined Sales CSV."""
    return list(csv.reader(io.StringIO(COMBINED.read_text(encoding="utf-8"), newline="")))


def as_csv(
    rows: Sequence[Sequence[str]], *, delimiter: str = ",", newline: str = "\r\n", encoding: str = "utf-8"
) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    return text.getvalue().encode(encoding)


def saved(tabs: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """A workbook as a spreadsheet program writes it: with styles, shared strings and true dates."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in tabs.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([None if cell == "" else cell for cell in row])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def workbook(
    tabs: Mapping[str, Sequence[Sequence[object]]], created: str | None = None, extra: Mapping[str, bytes] = {}
) -> bytes:
    """A workbook in KDP's physical shape: inline strings, dimension A1, numbers as they are."""

    def cell(value: object) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        return f"<c><v>{value!r}</v></c>"

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        sheets = "".join(f'<sheet name="{escape(name)}" r:id="r{n}" sheetId="{n}"/>' for n, name in enumerate(tabs, 1))
        archive.writestr("xl/workbook.xml", f'<workbook {_MAIN} xmlns:r="{_REL}"><sheets>{sheets}</sheets></workbook>')
        links = "".join(
            f'<Relationship Id="r{n}" Type="{_REL}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(tabs) + 1)
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'
        )
        for n, rows in enumerate(tabs.values(), 1):
            body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            archive.writestr(
                f"xl/worksheets/sheet{n}.xml",
                f'<worksheet {_MAIN}><dimension ref="A1"/><sheetData>{body}</sheetData></worksheet>',
            )
        if created:
            archive.writestr(
                "docProps/core.xml",
                f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" xmlns:dcterms="http://purl.org/dc/terms/"><dcterms:created>{created}</dcterms:created></cp:coreProperties>',
            )
        for name, content in extra.items():
            archive.writestr(name, content)
    return stream.getvalue()
