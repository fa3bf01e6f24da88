"""Reads CSV files as people save them: with any encoding, delimiter and damage of a spreadsheet program."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import BinaryIO

from creator_pipeline.platforms.kdp.header import (
    HEAD_ROWS,
    Layout,
    Source,
    find_layout,
    is_certain,
    recognized_layout,
)
from creator_pipeline.platforms.kdp.models import NOT_TAUGHT
from creator_pipeline.platforms.kdp.problems import OWN_FILE, ReportError
from creator_pipeline.platforms.kdp.table import Table

EVIDENCE_ROWS = 5000
"""Number of first lines that tell what unknown columns hold."""
_CHUNK = 1 << 20
_DELIMITERS = ",;\t|"


def open_csv(stream: BinaryIO, file: str, taught: Mapping[str, str] = NOT_TAUGHT) -> tuple[Table, Layout]:
    """Find the table of a CSV file. Its rows are read from the stream when they are asked for.

    Args:
        stream: the file.
        file: its name, for messages.
        taught: header in normal form -> our name of the column, as a person said it.

    Raises:
        ReportError: the file is empty, holds NUL bytes, has an unknown encoding, no header of a report, or columns
            that can't be told with certainty.
    """
    first: str | None = None
    error: ReportError | None = None
    unsure: list[tuple[str, str, Layout | None]] = []
    for encoding in _encodings(stream, file):
        top = _top(stream, encoding, HEAD_ROWS)
        first = first or next((line.strip() for line in top if line.strip()), None)
        separator, skip = _separator(top)
        counts = {mark: max((line.count(mark) for line in top), default=0) for mark in _DELIMITERS}
        for delimiter in separator or sorted(_DELIMITERS, key=lambda mark: -counts[mark]):
            layout = None
            try:
                layout = find_layout(_rows_of(top, delimiter, skip), file=file, tab=None, kind="unknown", taught=taught)
            except ReportError as refused:
                error = error or refused
            if layout and is_certain(layout):
                return _found(stream, encoding, delimiter, layout, file)
            unsure.append((encoding, delimiter, layout))
    for encoding, delimiter, by_header in unsure:
        top = _top(stream, encoding, EVIDENCE_ROWS)
        rows = _rows_of(top, delimiter, _separator(top)[1])
        layout = recognized_layout(Source(rows, file, None, "unknown", taught), by_header)
        if layout:
            return _found(stream, encoding, delimiter, layout, file)
    raise error or ReportError(
        f"No header of a KDP report in the first {HEAD_ROWS} rows.",
        hint=OWN_FILE,
        file=file,
        row=1,
        found=first,
        expected="a header such as Royalty Date, Title, Author Name, ASIN/ISBN, Marketplace, …",
    )


def _top(stream: BinaryIO, encoding: str, count: int) -> list[str]:
    stream.seek(0)
    # newline="": csv must see the line ends inside quoted cells.
    lines = io.TextIOWrapper(stream, encoding=encoding, newline="")
    top = list(islice(lines, count))
    lines.detach()
    return top


def _found(stream: BinaryIO, encoding: str, delimiter: str, layout: Layout, file: str) -> tuple[Table, Layout]:
    return Table("", _rows_below(stream, encoding, delimiter, layout, file), layout.header_row + 1), layout


def _rows_of(lines: list[str], delimiter: str, skip: int) -> list[list[str]]:
    rows: list[list[str]] = []
    # A quoted cell may go on past these lines; a wrong delimiter may break quotes. What was read decides.
    with contextlib.suppress(csv.Error):
        rows.extend(csv.reader(lines, delimiter=delimiter, strict=True))
    return [[] if index < skip else row for index, row in enumerate(rows)]


def _separator(lines: list[str]) -> tuple[str, int]:
    """The delimiter of a first line ``sep=;``, which Excel writes, and the number of lines to skip for it."""
    line = lines[0].strip().strip('"').lower() if lines else ""
    if line.startswith("sep=") and len(line) <= 5:
        return (line[4:] or "\t"), 1
    return "", 0


def _rows_below(stream: BinaryIO, encoding: str, delimiter: str, layout: Layout, file: str) -> Iterator[list[str]]:
    stream.seek(0)
    # Opened where it is read, so that a table nobody reads leaves nothing open.
    with io.TextIOWrapper(stream, encoding=encoding, newline="") as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            yield from islice(reader, layout.header_row + 1, None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise _broken(error, reader.line_num, file, layout) from error


def _broken(error: Exception, line: int, file: str, layout: Layout) -> ReportError:
    reason = str(error)
    if "unexpected end of data" in reason:
        message, expected = "The file ends inside a quoted cell: it was cut off.", "a closing quote"
    elif "field larger" in reason:
        message, expected = "A cell is longer than 131072 characters.", "a shorter cell"
    else:
        message, expected = f"A line can't be read as CSV ({reason}).", "quotes doubled inside quoted cells"
    return ReportError(
        message,
        hint=OWN_FILE,
        kind=layout.sheet.csv_kind or "unknown",
        file=file,
        row=line,
        expected=expected,
    )


def _encodings(stream: BinaryIO, file: str) -> list[str]:
    """Encodings that the file can have: that of its BOM, else UTF-8, else cp1252 and cp932.

    The whole file is decoded here in chunks, so that a line longer than a chunk, or a broken byte near the end, is
    found in bounded memory and before any row is used.
    """
    stream.seek(0)
    start = stream.read(4096)
    boms = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
    known = next((name for bom, name in boms if start.startswith(bom)), None) or utf16_without_bom(start)
    decoder = codecs.getincrementaldecoder(known or "utf-8")()
    stream.seek(0)
    ascii_only, filled = True, False
    try:
        while chunk := stream.read(_CHUNK):
            if len(chunk) == _CHUNK and b"\n" not in chunk and b"\r" not in chunk:
                raise ReportError(
                    "A line is longer than a million characters.", hint=OWN_FILE, file=file, expected="lines of text"
                )
            if not (known or "").startswith("utf-16") and b"\0" in chunk:
                raise ReportError(
                    "The file holds NUL bytes: it is damaged, or no text.", hint=OWN_FILE, file=file, found="NUL bytes"
                )
            piece = decoder.decode(chunk)
            ascii_only = ascii_only and piece.isascii()
            filled = filled or bool(piece.strip("\ufeff \t\r\n\0"))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        good = error.object[: error.start].decode(known or "utf-8", "replace")
        if known or not ascii_only or not good.isascii():
            # Legacy text practically never holds a valid UTF-8 sequence: this is UTF-8 that was cut or damaged.
            raise ReportError(
                f"The text is damaged or cut off: it isn't valid {known or 'utf-8'}.",
                hint=OWN_FILE,
                file=file,
                found=f"bytes {error.object[error.start : error.start + 4].hex(' ')}",
                expected=known or "utf-8",
            ) from error
        return _legacy(stream, file)
    if not filled:
        raise ReportError("The file is empty.", hint="Download the report again.", kind="empty", file=file)
    return [known or "utf-8"]


def _legacy(stream: BinaryIO, file: str) -> list[str]:
    found: list[str] = []
    for name in ("cp1252", "cp932"):
        decoder = codecs.getincrementaldecoder(name)()
        stream.seek(0)
        try:
            while chunk := stream.read(_CHUNK):
                if b"\0" in chunk:
                    break
                decoder.decode(chunk)
            else:
                decoder.decode(b"", final=True)
                found.append(name)
        except UnicodeDecodeError:
            continue
    if not found:
        raise ReportError(
            "The file's encoding can't be told.",
            hint='Save it as "CSV UTF-8", or upload KDP\'s own file.',
            file=file,
            expected="UTF-8, UTF-16, Windows-1252 or Shift JIS",
        )
    return found


def utf16_without_bom(start: bytes) -> str | None:
    """The encoding of text in UTF-16 that doesn't say so, by its first bytes; None for all other content."""
    half = len(start) // 2
    if half < 8:
        return None
    low, high = start[0::2].count(0), start[1::2].count(0)
    if high > half * 0.7 and low == 0:
        return "utf-16-le"
    if low > half * 0.7 and high == 0:
        return "utf-16-be"
    return None
